"""Functions that undo one another, and functions that must agree where both hold."""

from __future__ import annotations

import gsw
import numpy as np
import pytest

from nilometer.derivation import (
    air,
    ammonia,
    barometer,
    conductivity,
    eos80,
    oxygen,
    oxygen_seawater,
    oxygen_units,
    ph,
    pressure,
    pss78,
    seawater,
    sound,
    thermocouple,
    thermometer,
    vapour,
    water_density,
)
from nilometer.derivation.function import functions
from nilometer.derivation.thermocouple_reference import REFERENCES

N = 2000
_rng = np.random.default_rng(20261129)
T = _rng.uniform(0.0, 35.0, N)
P = _rng.uniform(0.6, 1.1, N)
S = _rng.uniform(0.0, 40.0, N)

# There, back, what goes in first, and the other inputs of both.
PAIRS = {
    "oxygen share": (oxygen.saturation, oxygen.concentration, _rng.uniform(0, 12, N), (T, S, P)),
    "oxygen pressure": (
        oxygen.partial_pressure, oxygen.saturation_from_partial_pressure, _rng.uniform(0, 200, N), (T, S, P),
    ),
    "oxygen volume": (oxygen_units.mass_from_volume, oxygen_units.volume_from_mass, _rng.uniform(0, 20, N), ()),
    "oxygen amount": (oxygen_units.mass_from_amount, oxygen_units.amount_from_mass, _rng.uniform(0, 500, N), ()),
    "oxygen content": (
        oxygen_units.content_from_amount, oxygen_units.amount_from_content, _rng.uniform(0, 500, N),
        (_rng.uniform(990, 1040, N),)
    ),
    "conductivity": (conductivity.at_25, conductivity.at_temperature, _rng.uniform(10, 1500, N), (T,)),
    "conductivity, linear": (
        conductivity.at_25_linear, conductivity.at_temperature_linear, _rng.uniform(10, 60_000, N), (T, 0.02),
    ),
    "salinity": (seawater.conductivity, seawater.practical_salinity, S, (T, 10 * S)),
    "depth": (pressure.sea_depth, pressure.sea_pressure, _rng.uniform(0, 9000, N), (_rng.uniform(-80, 80, N),)),
    "fresh depth": (
        pressure.hydrostatic_pressure, pressure.depth, _rng.uniform(0, 90, N), (_rng.uniform(990, 1030, N), 9.81),
    ),
    "pH": (ph.potential, ph.from_potential, _rng.uniform(2, 12, N), (T, 7.0, 96.0)),
    "humidity": (
        lambda humidity, t: vapour.dew_point(t, humidity),
        lambda dew_point, t: vapour.relative_humidity(t, dew_point),
        _rng.uniform(5, 100, N),
        (T,),
    ),
    "sea level": (
        barometer.sea_level_pressure, barometer.station_pressure, _rng.uniform(700, 780, N),
        (_rng.uniform(1800, 2500, N), T),
    ),
    "standard atmosphere": (barometer.standard_altitude, barometer.standard_pressure, _rng.uniform(350, 1050, N), ()),
    "platinum": (thermometer.platinum, thermometer.platinum_resistance, _rng.uniform(18.53, 390, N), ()),
    "platinum 1000": (thermometer.platinum, thermometer.platinum_resistance, _rng.uniform(186, 3900, N), (1000.0,)),
    "thermistor": (thermometer.beta, thermometer.beta_resistance, _rng.uniform(2000, 80_000, N), (10_000.0, 3950.0)),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_what_goes_there_comes_back(name: str) -> None:
    there, back, values, others = PAIRS[name]
    assert back(there(values, *others), *others) == pytest.approx(values, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("kind", sorted(REFERENCES))
def test_a_thermocouple_gives_the_temperature_that_made_its_voltage(kind: str) -> None:
    known = REFERENCES[kind]
    to_voltage = functions().items[f"thermocouple.type_{kind.lower()}_voltage"]
    to_temperature = functions().items[f"thermocouple.type_{kind.lower()}"]
    temperature = np.linspace(known.inverse_low, known.high, 5000)
    for cold_junction in (0.0, 31.0):
        voltage = to_voltage(temperature, cold_junction)
        assert to_temperature(voltage, cold_junction) == pytest.approx(temperature, abs=1e-5)
    assert np.all(np.diff(to_voltage(temperature)) > 0.0)
    beyond = to_voltage(known.high) - to_voltage(40.0) + 0.01
    assert np.isnan(to_temperature(beyond, 40.0)), "a voltage in range whose junction takes it out of the table"


def test_the_cold_junction_is_added_as_a_voltage_not_as_a_temperature() -> None:
    voltage = thermocouple.type_k_voltage(500.0, 25.0)
    assert float(voltage) == pytest.approx(
        float(thermocouple.type_k_voltage(500.0) - thermocouple.type_k_voltage(25.0))
    )
    assert abs(float(thermocouple.type_k(voltage)) + 25.0 - 500.0) > 0.5


def test_our_practical_salinity_is_that_of_the_library_also_in_fresh_water() -> None:
    c, t, p = _rng.uniform(0.005, 70, N), _rng.uniform(-2, 39.9, N), _rng.uniform(0, 10_000, N)
    c[: N // 2] /= 20.0
    theirs = gsw.SP_from_C(c, t, p)
    within = theirs <= 42.0
    assert np.sum(theirs < 2.0) > 100
    ours = seawater.practical_salinity(c, t, p)
    assert ours[within] == pytest.approx(theirs[within], rel=1e-12, abs=1e-14)
    assert pss78.salinity(c / 42.914, t, p)[within] == pytest.approx(ours[within], rel=1e-12, abs=1e-14)
    assert oxygen_seawater.solubility_teos10(t, S) == pytest.approx(gsw.O2sol_SP_pt(S, t), rel=1e-12)


def test_what_is_compiled_of_teos10_is_what_its_library_gives() -> None:
    sa, ct, p = _rng.uniform(0, 42, N), _rng.uniform(-2, 40, N), _rng.uniform(0, 11_000, N)
    latitude, metres = _rng.uniform(-86, 90, N), _rng.uniform(0, 10_700, N)
    assert seawater.density(sa, ct, p) == pytest.approx(gsw.rho(sa, ct, p), rel=1e-12)
    assert seawater.potential_density_anomaly(sa, ct) == pytest.approx(gsw.sigma0(sa, ct), abs=1e-9)
    assert seawater.sound_speed(sa, ct, p) == pytest.approx(gsw.sound_speed(sa, ct, p), rel=1e-12)
    assert seawater.thermal_expansion(sa, ct, p) == pytest.approx(gsw.alpha(sa, ct, p), rel=1e-10, abs=1e-16)
    assert seawater.haline_contraction(sa, ct, p) == pytest.approx(gsw.beta(sa, ct, p), rel=1e-10)
    assert pressure.sea_depth(p, latitude) == pytest.approx(-gsw.z_from_p(p, latitude), rel=1e-12)
    assert pressure.sea_pressure(metres, latitude) == pytest.approx(gsw.p_from_z(-metres, latitude), abs=1e-6)


def test_the_equations_of_1980_and_of_2010_agree_as_far_as_they_should() -> None:
    t, p = _rng.uniform(0, 30, N), _rng.uniform(0, 5000, N)
    sp = _rng.uniform(32, 37, N)
    sa = sp * 35.16504 / 35.0
    ct = seawater.conservative_temperature(sa, t, p)
    assert eos80.density(sp, t, p) == pytest.approx(seawater.density(sa, ct, p), abs=0.05)
    assert eos80.sound_speed(sp, t, p) == pytest.approx(seawater.sound_speed(sa, ct, p), abs=1.5)
    assert eos80.heat_capacity(sp, t, p) == pytest.approx(seawater.heat_capacity(sa, t, p), rel=2e-3)
    assert eos80.potential_temperature(sp, t, p) == pytest.approx(seawater.potential_temperature(sa, t, p), abs=0.02)
    assert eos80.adiabatic_lapse_rate(sp, t, p) == pytest.approx(
        1e4 * seawater.adiabatic_lapse_rate(sa, ct, p), rel=0.02
    )
    assert eos80.depth(p, 45.0) == pytest.approx(pressure.sea_depth(p, 45.0), rel=1e-3)
    cold = t < 15
    assert sound.del_grosso(t, sp, p)[cold] == pytest.approx(eos80.sound_speed(sp, t, p)[cold], abs=1.0)


def test_equations_for_one_thing_agree_where_both_hold() -> None:
    t = np.linspace(0.0, 40.0, 81)
    assert water_density.kell(t) == pytest.approx(water_density.tanaka(t), abs=0.004)
    assert eos80.density(0.0, t[t <= 39]) == pytest.approx(water_density.tanaka(t[t <= 39]), abs=0.004)
    assert sound.fresh_water(t) == pytest.approx(sound.pure_water_bilaniuk(t), abs=0.02)
    assert eos80.sound_speed(0.0, t[t <= 39]) == pytest.approx(sound.fresh_water(t[t <= 39]), abs=0.1)
    assert vapour.magnus(t) == pytest.approx(vapour.buck(t), rel=0.005)
    assert vapour.saturation_pressure(t[1:]) == pytest.approx(vapour.buck(t[1:]), rel=0.002)
    assert sound.humid_air(t[t <= 30], 0.0) == pytest.approx(sound.dry_air(t[t <= 30]), abs=0.3)
    lab = np.linspace(15.0, 27.0, 25)
    wet = air.density_ideal(lab, 1000.0, vapour.vapour_pressure(lab, 50.0))
    assert air.density(lab, 1000.0, 50.0) == pytest.approx(wet, rel=1e-3)
    assert oxygen.pressure_factor(t, 0.9) == pytest.approx(oxygen.pressure_factor_usgs(t, 684.0), rel=1e-3)
    volume = oxygen_units.mass_from_volume(oxygen_seawater.solubility_volume(t, 35.0))
    assert volume == pytest.approx(oxygen.solubility(t, 35.0), rel=2e-3)
    content = oxygen_units.amount_from_content(
        oxygen_seawater.solubility_content(t[t <= 39], 35.0), eos80.density(35.0, t[t <= 39])
    )
    assert oxygen_units.mass_from_amount(content) == pytest.approx(oxygen.solubility(t[t <= 39], 35.0), rel=2e-3)


def test_the_scale_of_ph_matters_in_the_sea_and_not_in_fresh_water() -> None:
    assert ammonia.fraction_seawater_total(8.0, T, 0.0) == pytest.approx(ammonia.fraction_seawater_free(8.0, T, 0.0))
    share = ammonia.fraction_seawater_total(8.0, 25.0, 35.0) / ammonia.fraction_seawater_free(8.0, 25.0, 35.0)
    assert float(share) == pytest.approx(1.26, abs=0.01)
    assert ammonia.nitrogen(2.0, 8.0, T[T <= 30]) == pytest.approx(0.02 * ammonia.fraction(8.0, T[T <= 30]))
    # 14 g of N a mole: the standard's factor holds the hundredth of the per cent.
    direct = 14e-3 * 10.0 * ammonia.fraction_gb3097(8.0, T, 30.0) / 100.0
    assert ammonia.nitrogen_gb3097(10.0, 8.0, T, 30.0) == pytest.approx(direct)


def test_an_electrode_is_described_by_its_two_buffers() -> None:
    warm = 31.0
    first, second = ph.buffer_phthalate(warm), ph.buffer_phosphate(warm)
    volts = [ph.potential(buffer, warm, 12.0, 93.0) for buffer in (first, second)]
    efficiency = ph.slope_efficiency(volts[0], first, volts[1], second, warm)
    offset = ph.offset(volts[0], first, volts[1], second)
    assert float(efficiency) == pytest.approx(93.0)
    assert float(offset) == pytest.approx(12.0)
    assert float(ph.from_potential(ph.potential(9.1, 10.0, 12.0, 93.0), 10.0, offset, efficiency)) == pytest.approx(9.1)
