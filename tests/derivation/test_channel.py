from __future__ import annotations

import math

import numpy as np
import pytest

from nilometer.derivation.channel import chezy_trapezoidal, manning, manning_circular, manning_trapezoidal
from nilometer.derivation.gate import orifice, sluice_gate


def test_shapes_are_manning_of_their_area_and_perimeter():
    assert float(manning_trapezoidal(1.2, 3.0, 0.001, 0.03)) == pytest.approx(float(manning(3.6, 5.4, 0.001, 0.03)))
    side = math.hypot(1.0, 2.0)
    assert float(manning_trapezoidal(1.0, 0.0, 0.001, 0.03, 2.0)) == pytest.approx(
        float(manning(2.0, 2 * side, 0.001, 0.03))
    )
    full = float(manning(math.pi * 0.16, math.pi * 0.8, 0.001, 0.013))
    assert float(manning_circular(0.8, 0.8, 0.001, 0.013)) == pytest.approx(full)
    assert float(manning_circular(0.4, 0.8, 0.001, 0.013)) == pytest.approx(full / 2)
    # n = R^(1/6)/C makes both formulas one.
    area, wetted = 1.2 * (3 + 1.5 * 1.2), 3 + 2.4 * math.hypot(1, 1.5)
    c = (area / wetted) ** (1 / 6) / 0.03
    assert float(chezy_trapezoidal(1.2, 3.0, 0.001, c, 1.5)) == pytest.approx(
        float(manning_trapezoidal(1.2, 3.0, 0.001, 0.03, 1.5))
    )


def test_a_pipe_carries_most_before_it_is_full():
    depth = np.linspace(0.0, 0.8, 801)
    found = manning_circular(depth, 0.8, 0.001, 0.013)
    assert found[0] == 0.0
    assert depth[np.argmax(found)] / 0.8 == pytest.approx(0.938, abs=0.002)
    assert np.isnan(manning_circular(0.81, 0.8, 0.001, 0.013))


def test_an_orifice_is_torricelli():
    assert float(orifice(0.4, 0.2, 1.0)) == pytest.approx(0.2 * math.sqrt(2 * 9.80665 * 0.4))
    assert float(orifice(0.0, 0.2)) == 0.0


def test_a_gate_obeys_energy_and_momentum_free_and_drowned():
    upstream, opening, g, cc = 2.0, 0.3, 9.80665, 0.61
    jet = cc * opening
    q = float(sluice_gate(upstream, opening, 1.0))
    assert upstream + q**2 / (2 * g * upstream**2) == pytest.approx(jet + q**2 / (2 * g * jet**2))
    conjugate = jet / 2 * (math.sqrt(1 + 8 * q**2 / (g * jet**3)) - 1)
    downstream = np.array([0.1, 0.9 * conjugate, conjugate * (1 + 1e-9), 1.5, 1.9, 1.999999])
    found = sluice_gate(upstream, opening, 1.0, downstream)
    assert found[:2].tolist() == [q, q]
    assert 0.9 * q < found[2] < q
    assert np.all(np.diff(found[2:]) < 0)
    # Just below the conjugate depth momentum allows both states: no value.
    both = np.isnan(sluice_gate(upstream, opening, 1.0, np.linspace(0.9, 1.0, 201) * conjugate))
    assert both[-2]
    assert not both[0]
    assert np.all(np.diff(both.astype(int)) >= 0)
    drowned = float(found[3])
    above = upstream + drowned**2 / (2 * g * upstream**2) - drowned**2 / (2 * g * jet**2)
    force = above**2 / 2 + drowned**2 / (g * jet)
    assert force == pytest.approx(1.5**2 / 2 + drowned**2 / (g * 1.5))
    assert found[5] < 0.02 * q
    assert np.isnan(sluice_gate([2.0, 0.4], [0.3, 0.3], 1.0, [2.0, 0.0])).all()
