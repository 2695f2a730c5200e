"""Small netCDF files, made up in the shape of real ones: profiles of a float, a buoy, a mooring."""

from __future__ import annotations

import io

import h5netcdf
import numpy as np
from scipy.io import netcdf_file


def argo() -> bytes:
    """Return two profiles of three levels as Argo has them, in the classic format."""
    file = io.BytesIO()
    with netcdf_file(file, "w") as out:
        out.title = b"Argo float vertical profile"
        for name, size in (("N_PROF", 2), ("N_LEVELS", 3), ("STRING8", 8)):
            out.createDimension(name, size)
        out.createVariable("PLATFORM_NUMBER", "c", ("N_PROF", "STRING8"))[:] = np.array(
            [list("4902337 "), list("4902337 ")], "S1"
        )
        juld = out.createVariable("JULD", "d", ("N_PROF",))
        juld.units, juld.standard_name = b"days since 1950-01-01 00:00:00 UTC", b"time"
        juld[:] = [26104.25, 26105.5]
        out.createVariable("LATITUDE", "d", ("N_PROF",))[:] = [40.0, 40.5]
        for name, unit, values in (
            ("PRES", b"decibar", [[1.1, 5.0, 99999.0], [1.0, 6.0, 11.0]]),
            ("TEMP", b"degree_Celsius", [[20.5, 18.25, 99999.0], [21.0, 99999.0, 15.125]]),
        ):
            one = out.createVariable(name, "f", ("N_PROF", "N_LEVELS"))
            one.units, one._FillValue = unit, np.float32(99999.0)
            one[:] = np.array(values, "f4")
        out.createVariable("TEMP_QC", "c", ("N_PROF", "N_LEVELS"))[:] = np.array([list("119"), list("194")], "S1")
        out.flush()
        return file.getvalue()


def buoy(version: int = 1) -> bytes:
    """Return a series along an unlimited dimension, packed, with its flags, in the classic format."""
    file = io.BytesIO()
    with netcdf_file(file, "w", version=version) as out:
        out.createDimension("time", None)
        out.instrument_model, out.SerialNumber = b"SBE37", b"0278"
        time = out.createVariable("time", "i", ("time",))
        time.units, time.standard_name = b"minutes since 2020-01-01T00:00:00+01:00", b"time"
        time[:] = [0, 60, 120]
        temp = out.createVariable("temp", "h", ("time",))
        temp.units, temp.standard_name, temp.ancillary_variables = b"degC", b"sea_water_temperature", b"flag"
        temp.scale_factor, temp.add_offset, temp._FillValue = 0.01, 10.0, np.int16(-999)
        temp.cell_methods = b"time: mean"
        temp[:] = [125, -999, 130]
        out.createVariable("flag", "b", ("time",))[:] = [1, 9, 3]
        out.flush()
        return file.getvalue()


def mooring() -> bytes:
    """Return a series with intervals in HDF5, as netCDF-4 has it."""
    file = io.BytesIO()
    with h5netcdf.File(file, "w") as out:
        out.dimensions = {"time": 2, "two": 2}
        time = out.create_variable("time", ("time",), "f8", data=[3600.0, 7200.0])
        time.attrs.update(units="seconds since 2020-01-01", bounds="time_bnds")
        out.create_variable("time_bnds", ("time", "two"), "f8", data=[[0.0, 3600.0], [3600.0, 7200.0]])
        level = out.create_variable("level", ("time",), "f4", data=np.array([1.1, 1.2], "f4"))
        level.attrs.update(units="m", cell_methods="time: mean")
    return file.getvalue()
