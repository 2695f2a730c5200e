from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr

from nilometer.derivation import tide, tide_analysis, tide_levels
from nilometer.derivation.tide_astronomy import nodal_factors
from nilometer.derivation.tide_constituents import arguments, names, speeds
from nilometer.errors import UnitError
from nilometer.units import registry

HOUR = 3_600_000_000


def rws(folder: Path, nodal="each") -> tide.HarmonicConstants:
    """Give the owner's constants of Vlissingen: cm above NAP, phases by the clock of MET."""
    rows = [line.split() for line in (folder / "VLISSGN_ana.txt").read_text().splitlines() if line.startswith("COMP")]
    return tide.HarmonicConstants(
        [row[5] for row in rows],
        [float(row[3]) for row in rows],
        [float(row[4]) for row in rows],
        mean=1.0,
        unit="cm",
        utc_offset=1.0,
        nodal=nodal,
        nodal_share=tide.RWS_NODAL_SHARE,
    )


def dia(file: Path, start: str, step_us: int) -> tuple[np.ndarray, np.ndarray]:
    """Give times (UTC) and levels of a file of equal steps whose clock is MET."""
    text = gzip.decompress(file.read_bytes()).decode().split("[WRD]")[1]
    level = np.array([float(level) for level in re.findall(r"(-?\d+)/\d+:", text)])
    first = np.datetime64(start, "us").view(np.int64) - HOUR
    return first + np.arange(len(level)) * step_us, level


@pytest.fixture(scope="module")
def vlissingen(real_data):
    return real_data / "level" / "rws"


# The hours of a day or so each: sound out the walk of the kernel (block edges, gaps, disorder), not the tide.
@pytest.mark.parametrize("kind", ["regular", "gaps", "irregular", "disorder"])
def test_the_walk_equals_the_sum_of_cosines(kind):
    rng = np.random.default_rng(6)
    time = np.arange(3000) * HOUR // 2 + 1_700_000_000_000_000
    time = {
        "regular": time,
        "gaps": np.delete(time, rng.integers(0, 3000, 300)),
        "irregular": np.sort(rng.integers(time[0], time[-1], 3000)),
        "disorder": rng.permutation(time),
    }[kind]
    of = ["M2", "S2", "K1", "O1", "M4", "SA", "L2", "2MS6"]
    amplitude, phase = rng.uniform(0.1, 2.0, len(of)), rng.uniform(0, 360, len(of))
    v, f, u = arguments(of, time)
    expected = 0.3 + np.sum(amplitude[:, None] * f * np.cos(np.radians(v + u - phase[:, None])), axis=0)
    found = tide.predict(tide.HarmonicConstants(of, amplitude, phase, mean=0.3), time)
    assert np.abs(found - expected).max() < 5e-5  # L2 bends most between two knots


# Schureman (1958), table 14: f on the middle of years; u of M2 is greatest a quarter turn of the node away.
@pytest.mark.parametrize(
    ("kind", "highest", "lowest"),
    [("M2", 1.038, 0.963), ("O1", 1.183, 0.806), ("K1", 1.113, 0.882), ("K2", 1.317, 0.748)],
)
def test_f_swings_between_the_printed_bounds(kind, highest, lowest):
    f, u = nodal_factors(np.arange(0.0, 360.0, 0.5), np.zeros(720))[kind]
    assert (f.max(), f.min()) == (pytest.approx(highest, abs=6e-4), pytest.approx(lowest, abs=6e-4))
    assert u[0] == pytest.approx(0.0, abs=1e-9)
    assert np.abs(np.diff(u)).max() < 1.0


def test_every_constituent_turns_as_its_name_says():
    speed = speeds(names())
    for name, one in zip(names(), speed, strict=True):
        species = re.search(r"(\d+)C?$", name)
        assert (round(one / 14.75) if one > 12.0 else 0) == (int(species[1]) if species else 0), name


@pytest.mark.real
def test_speeds_equal_those_of_rijkswaterstaat(vlissingen):
    rows = [line.split() for line in (vlissingen / "VLISSGN_ana.txt").read_text().splitlines() if "COMP" in line[:4]]
    assert len(rows) == 94
    assert speeds([row[5] for row in rows]) == pytest.approx([float(row[2]) for row in rows], abs=6e-7)


@pytest.mark.real
def test_the_prediction_of_the_owner_is_reproduced_from_the_constants_of_the_owner(vlissingen):
    time, expected = dia(vlissingen / "VLISSGN_pre.txt.gz", "2019-01-01", HOUR // 6)
    assert len(time) == 52_560
    off = tide.predict(rws(vlissingen, nodal="middle"), time) - expected
    assert np.abs(off).max() < 0.75  # half a centimetre of it is the rounding of the file
    assert off.std() < 0.31  # of rounding alone: 0.289


@pytest.mark.real
def test_high_and_low_waters_of_the_owner_are_reproduced(vlissingen):
    rows = re.findall(r"(\d{8});(\d{4});(\d)/0[;,](-?\d+)", (vlissingen / "VLISSGN_ext.txt").read_text())
    when = [f"{d[:4]}-{d[4:6]}-{d[6:]}T{hm[:2]}:{hm[2:]}+01:00" for d, hm, _, _ in rows]
    found = tide_levels.predicted_extremes(
        rws(vlissingen, nodal="middle"), "2018-12-31T23:00Z", "2019-12-31T22:59Z", least_range=5.0
    )
    assert found.is_high.tolist() == [kind == "1" for _, _, kind, _ in rows]
    minutes = (found.time - pd.to_datetime(when, utc=True).as_unit("us").asi8) / 60e6
    assert abs(np.median(minutes)) < 0.5
    assert np.percentile(np.abs(minutes), 95) < 4.0  # flat low waters turn within some minutes
    assert np.abs(found.level - [int(level) for *_, level in rows]).max() < 1.1


@pytest.mark.real
def test_nineteen_years_of_vlissingen_give_the_constants_of_the_owner(vlissingen):
    owner = rws(vlissingen)
    time, level = dia(vlissingen / "VLISSGN_obs19.txt.gz", "1976-01-01", HOUR)
    found = tide_analysis.analyse(
        level,
        time=time,
        constituents=owner.names,
        nodal_share=tide.RWS_NODAL_SHARE,
        utc_offset=1.0,
        unit="cm",
        trend=True,
    )
    ours = found.constants
    for name in ("SA", "SM"):  # the owner's own are of these very years
        assert ours[name][0] == pytest.approx(owner[name][0], abs=0.2)
        assert ours[name][1] == pytest.approx(owner[name][1], abs=2.0)
    for name, a, g in zip(owner.names, owner.amplitude, owner.phase, strict=True):  # of 2009-2012
        vector = ours[name][0] * np.exp(1j * np.radians(ours[name][1]))
        off = abs(vector - a * np.exp(1j * np.radians(g)))
        assert off < (2.2 if name == "M2" else 1.4), name
    assert ours["M2"] == (pytest.approx(174.7, abs=0.7), pytest.approx(59.5, abs=0.8))
    assert ours.amplitude_uncertainty[ours.place("M2")] < 0.2
    assert 0.05 < ours.trend < 0.35  # cm a year
    assert found.rms == pytest.approx(25.5, abs=0.1)
    assert found.explained > 0.96
    surge = tide.residual(level, ours, time=time)
    assert np.abs(surge - found.residual).max() < 1e-3
    assert surge[:120].max() > 180.0  # the storm of 3 January 1976
    against_the_owner = tide.residual(level, owner, time=time)
    assert against_the_owner.std() == pytest.approx(25.7, abs=0.1)
    turning = np.exp(-2j * np.pi * (time - time[0]) / (12.4206012 * HOUR))
    assert 2 * abs(np.mean(against_the_owner * turning)) < 2.1 < 0.015 * 2 * abs(np.mean(level * turning))


@pytest.mark.real
def test_halifax_equals_what_others_find_in_it(real_data):
    gauge = pd.read_csv(real_data / "level" / "tide" / "490-01-JAN-2003_slev.csv", skiprows=7, usecols=[0, 1])
    level = pd.Series(gauge.iloc[:, 1].to_numpy(), pd.to_datetime(gauge.iloc[:, 0], utc=True))
    found = tide_analysis.analyse(level)
    assert isinstance(found.residual, pd.Series)
    others = {  # R package oce, tidem(sealevel); its own test, 2020
        "M2": (0.6031, 350.37),
        "N2": (0.1378, 330.24),
        "S2": (0.1258, 24.06),
        "K1": (0.0999, 120.49),
        "O1": (0.0446, 96.25),
        "M4": (0.0376, 270.05),
    }
    for name, (amplitude, phase) in others.items():
        assert found.constants[name] == (pytest.approx(amplitude, abs=0.002), pytest.approx(phase, abs=1.0)), name
    assert found.constants.mean == pytest.approx(0.9817, abs=0.001)
    assert tide.form_number(found.constants) == pytest.approx(0.199, abs=0.003)
    assert found.rms < 0.12


def of_noise(seed: int, days: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Give red noise as seas have it: of the first order, correlated over 30 hours, 0.1 m."""
    rng = np.random.default_rng(seed)
    white, out = rng.normal(size=days * 24 + 500), np.zeros(days * 24 + 500)
    keep = np.exp(-1 / 30)
    for at in range(1, len(out)):
        out[at] = keep * out[at - 1] + white[at]
    return np.arange(days * 24) * HOUR + 1_600_000_000_000_000, out[500:] * 0.1 * np.sqrt(1 - keep**2)


def test_uncertainties_cover_the_scatter_under_red_noise():
    truth = tide.HarmonicConstants(["M2", "S2", "K1", "O1", "M4"], [1.0, 0.4, 0.2, 0.15, 0.1], [30, 60, 90, 120, 150])
    off = []
    for seed in range(60):
        time, noise = of_noise(seed)
        found = tide_analysis.analyse(noise + tide.predict(truth, time), time=time, constituents=truth.names).constants
        turned = np.remainder(np.asarray(found.phase) - truth.phase + 180.0, 360.0) - 180.0
        off.append([*(np.asarray(found.amplitude) - truth.amplitude) / found.amplitude_uncertainty])
        off[-1] += [*(turned / found.phase_uncertainty), found.mean / found.mean_uncertainty]
    scatter = np.std(np.array(off)[:, :10], axis=0)
    assert np.all((scatter > 0.7) & (scatter < 1.35)), scatter  # 60 draws know it to 9 %
    assert np.std(np.array(off)[:, 10]) < 1.8


def test_gaps_outliers_inference_and_trend():
    truth = tide.HarmonicConstants(
        ["M2", "S2", "K1", "O1", "P1", "K2"],
        [1.0, 0.4, 0.2, 0.15, 0.0662, 0.1088],
        [30, 60, 90, 120, 100, 60],
        mean=2.0,
        trend=0.5,
        reference=1_600_000_000_000_000 + 20 * 24 * HOUR,
    )
    rng = np.random.default_rng(3)
    time = 1_600_000_000_000_000 + np.sort(rng.choice(40 * 24 * 10, 4000, replace=False)) * (HOUR // 10)
    level = tide.predict(truth, time)
    plain = tide_analysis.analyse(
        level,
        time=time,
        constituents=["M2", "S2", "K1", "O1"],
        infer={"P1": ("K1", 0.331, 10.0), "K2": tide_analysis.EQUILIBRIUM["K2"]},
        trend=True,
    ).constants
    for name in truth.names:
        assert plain[name] == (pytest.approx(truth[name][0], abs=1e-4), pytest.approx(truth[name][1], abs=0.05))
    assert plain.trend == pytest.approx(0.5, abs=1e-3)

    level[rng.random(4000) < 0.03] += 3.0
    settings = {"time": time, "constituents": truth.names[:4], "trend": True}
    settings["infer"] = {"P1": ("K1", 0.331, 10.0), "K2": tide_analysis.EQUILIBRIUM["K2"]}
    robust = tide_analysis.analyse(level, robust=True, **settings).constants
    usual = tide_analysis.analyse(level, **settings).constants
    assert abs(robust["M2"][0] - 1.0) < 1e-3 < abs(usual["M2"][0] - 1.0)


def test_levels_come_with_units_and_in_every_kind():
    constants = tide.HarmonicConstants(["M2"], [1.0], [0.0], unit="m")
    time = pd.date_range("2026-01-01", periods=4, freq="h", tz="UTC")
    bare = np.asarray(tide.predict(constants, time))
    as_xarray = xr.DataArray(bare * 100, coords={"time": time.tz_localize(None)}, dims="time", attrs={"units": "cm"})
    assert np.abs(tide.residual(as_xarray, constants)).max() < 1e-9
    quantity = registry().Quantity(bare * 1000, "mm")
    left = tide.residual(quantity, constants, time=time)
    assert (np.abs(left.magnitude).max() < 1e-9, str(left.units)) == (True, "meter")
    assert isinstance(tide.residual(pl.Series(bare), constants, time=time), pl.Series)
    with pytest.raises(UnitError):
        tide.residual(registry().Quantity(bare, "s"), constants, time=time)
    with pytest.raises(ValueError, match="brings no times"):
        tide.residual(bare, constants)


def test_what_a_record_cannot_part_is_named():
    time = np.arange(30 * 24) * HOUR
    level = np.cos(np.arange(720) / 2.0)
    with pytest.raises(ValueError, match=r"cannot part (S2 from T2|T2 from S2)"):
        tide_analysis.analyse(level[:30], time=time[:30], constituents=["S2", "T2"])
    with pytest.raises(ValueError, match="did you mean M2"):
        tide_analysis.analyse(level, time=time, constituents=["M22"])
    with pytest.raises(ValueError, match="7 unknowns of 3"):
        tide_analysis.analyse(level[:6], time=time[:6], constituents=["M2", "S2", "K1"])
    assert "K2" not in tide_analysis.separable(180.0)
    assert {"K2", "P1", "T2"} <= set(tide_analysis.separable(366.0))


def test_datums_lie_in_their_order():
    found = tide_levels.datums(
        tide.HarmonicConstants(["M2", "S2", "K1", "O1"], [1.0, 0.3, 0.4, 0.3], [10, 50, 90, 200], mean=0.2), years=19
    )
    ordered = [found[name] for name in ("LAT", "MLLW", "MLW", "MSL", "MHW", "MHHW", "HAT")]
    assert ordered == sorted(ordered)
    assert found["HAT"] < 0.2 + 1.038 + 0.3 + 0.4 * 1.113 + 0.3 * 1.183


def test_ripples_are_no_waters():
    time = np.arange(3 * 24 * 60) * 60_000_000
    level = np.cos(2 * np.pi * time / (12.42 * HOUR)) + 0.02 * np.sin(2 * np.pi * time / (HOUR / 4))
    level[1000:1200] = np.nan
    found = tide_levels.observed_extremes(level, time=time, least_range=0.2)
    assert found.is_high.tolist() == [False, True, *[True, False] * 4]  # one low water is in the gap
    assert np.all(np.abs(found.level) > 0.95)
    assert len(tide_levels.observed_extremes(level, time=time)) > 100
