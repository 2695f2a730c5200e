"""One test of ioos_qc and what its configuration asks of us, side by side; and the real series they meet on."""

from __future__ import annotations

import csv
import gzip
import warnings

import numpy as np

from nilometer.qc import check

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from ioos_qc import axds, qartod

_MODULES = {"qartod": qartod, "axds": axds}


def theirs(test, *args, module="qartod", **kwargs):
    """Return the flags of one of their functions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flags = getattr(_MODULES[module], test)(*args, **kwargs)
    return np.ma.filled(flags, 255).astype(int).tolist()


def ours(values, test, parameters, times=None, *, module="qartod", **beside):
    """Return the flags that their configuration of one test gives here."""
    values = values if isinstance(values, list) and values and isinstance(values[0], str) else np.array(values, float)
    found = check(values, {module: {test: parameters}}, times, **beside)
    (flags,) = found.tests.values()
    assert np.array_equal(found.flags, flags)  # one test: the roll-up says the same
    return np.asarray(flags).tolist()


def differing(mine, other):
    """Return the rows where they differ, with both flags."""
    assert len(mine) == len(other)
    return [(k, a, b) for k, (a, b) in enumerate(zip(mine, other, strict=True)) if a != b]


def _rows(path):
    with gzip.open(path, "rt", encoding="utf-8-sig") as lines:
        return list(csv.DictReader(lines))


def _numbers(rows, name, missing=("", "NULL", "-9999")):
    return np.array([np.nan if row[name] in missing else float(row[name]) for row in rows])


def logan_river(folder, name):
    """Return values and times of the Logan River at Main Street, 2019: a row each 15 min but three."""
    rows = _rows(folder / "water_quality" / "lro" / "MainStreet2019.csv.gz")
    return _numbers(rows, name), np.array([row["datetime"] for row in rows], "datetime64[us]")


def apalachicola(folder, name):
    """Return values and times of the NERRS station apacpwq, 2012 and 2013: a row each 15 min."""
    rows = _rows(folder / "water_quality" / "nerrs" / "apacpwq_2012_2013.csv.gz")
    return _numbers(rows, name), np.array([row["datetimestamp"] for row in rows], "datetime64[us]")


def sea_level(folder):
    """Return values and times of the sea level of ioos_qc's examples: hours, uneven, months of it stuck."""
    with (folder / "level" / "tide" / "ioos_water_level_example.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    times = np.array([row["time"].removesuffix("Z") for row in rows], "datetime64[us]")
    return _numbers(rows, "sea_surface_height_above_sea_level"), times


def salinity(folder):
    """Return values and times of a salinity that fouls, from ioos_qc's examples: about a minute apart."""
    with gzip.open(folder / "water_quality" / "ioos" / "attenuated_salinity_example.csv.gz", "rt") as lines:
        rows = [line.strip().split(",") for line in lines][2:]
    return np.array([float(row[1]) for row in rows]), np.array([row[0].strip("'") for row in rows], "datetime64[us]")


def glider(folder):
    """Return potential density, times, depths, latitudes and longitudes of a glider that mostly floats."""
    import xarray as xr  # noqa: PLC0415 -- only the tests on real recordings need it

    with xr.open_dataset(folder / "ocean" / "glider" / "dfo-eva035-20190718.nc") as data:
        names = ("potential_density", "time", "depth", "latitude", "longitude")
        return tuple(data[name].to_numpy() for name in names)


def cast(folder):
    """Return densities and depths of a cast of a CastAway."""
    with (folder / "ocean" / "ctd" / "castaway_data.csv").open(encoding="utf-8-sig") as lines:
        rows = [line.strip().split(",") for line in lines if not line.startswith("%")]
    names, rows = rows[0], [row for row in rows[1:] if len(row) > 1]
    depth, density = (
        next(k for k, name in enumerate(names) if name.startswith(word)) for word in ("Depth", "Density (")
    )
    return np.array([float(row[density]) for row in rows]), np.array([float(row[depth]) for row in rows])
