"""The call for notebooks and files: a table in, a verdict out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nilometer.model.entities import WaterBody
from nilometer.verdict.assessment import assess_series
from nilometer.verdict.findings import Verdict
from nilometer.verdict.frames import series_of
from nilometer.verdict.standard import Standard, find_standard

__all__ = ["assess"]


def assess(
    frame: Any,  # noqa: ANN401 -- any kind of table
    standard: str | Path | Standard = "GB 3838-2002",
    *,
    water_body: WaterBody | str | None = None,
    target_class: str | None = None,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    time: str | None = None,
    start: int | None = None,
    end: int | None = None,
    below: str | None = None,
    pressure_atm: float | None = None,
    salinity: float = 0.0,
) -> Verdict:
    """Assess a table of water-quality results against a standard.

    Parameters
    ----------
    frame : pandas or polars DataFrame, pyarrow Table, mapping of arrays or numbers, or what `nilometer.read` returns
        Columns named by vocabulary keys, optionally with ``<key>_quality``, ``<key>_censored`` and ``<key>_sample``
        beside them, and a column or index of times.
    standard : str, Path or Standard
        Name, key or file of a standard.
    water_body : WaterBody or str, optional
        ``river``, ``lake``, ``reservoir`` …; None: a river, which the notes say.
    target_class : str, optional
        The class to be met, as the standard writes it.
    columns : mapping of str to str, optional
        Vocabulary key to column name, where columns have other names.
    units : mapping of str to str, optional
        Vocabulary key to unit, where it is not the vocabulary's.
    time : str, optional
        Column of times.
    start, end : int, optional
        The window in µs since 1970 UTC, end exclusive; rows outside are left out. None: what the data span.
    below : {"half", "limit", "zero"}, optional
        What stands for a value below detection; None: the standard's own rule.
    pressure_atm, salinity : float
        For oxygen saturation where it has to be computed; without pressure it is sea-level saturation.

    Returns
    -------
    Verdict
        Class, limiting items, items assessed of items required, notes.

    Raises
    ------
    StandardNotApplicable
        If the standard was not made for this water.
    ConfigError
        If a name, a column or a flag is unknown.
    UnitError
        If a unit cannot be converted; PropertyMismatch if a column of another property is named for an item.

    Examples
    --------
    >>> verdict = assess({"ph": 7.2, "dissolved_oxygen": 6.4, "nh3_n": 0.62}, water_body="river")
    >>> verdict.class_, [item.property for item in verdict.limiting], verdict.items_assessed
    ('III', ['nh3_n'], 3)
    """
    series = series_of(frame, columns=columns, units=units, time=time)
    if start is not None and end is not None:
        series = {key: part.between(start, end) for key, part in series.items()}
    return assess_series(
        series,
        find_standard(standard),
        water_body=water_body,
        target_class=target_class,
        start=start,
        end=end,
        below=below,
        pressure_atm=pressure_atm,
        salinity=salinity,
    )
