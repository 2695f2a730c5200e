"""Stored Observations of one Datastream as CF variables, whichever profile versions judged them.

A row keeps the outcomes of the version that judged it. A test that this version does not have is NOT_EVALUATED there;
``<variable>_qartod_profile`` says which version it was, and the roll-up's attributes hold every version in full.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model.outcomes import outcomes_by_name
from nilometer.model.properties import vocabulary
from nilometer.netcdf import FLAGS, Variable, measured, safe_name
from nilometer.qc.cf import REFERENCES, censored_variable, flag_attributes, flag_name, rollup_attributes, rollup_name
from nilometer.qc.profile import Profile
from nilometer.qc.thresholds import SlottedTest

__all__ = ["row_variables"]

_PLACES = {
    "depth": {"standard_name": "depth", "units": "m", "positive": "down"},
    "latitude": {"standard_name": "latitude", "units": "degrees_north"},
    "longitude": {"standard_name": "longitude", "units": "degrees_east"},
}


def row_variables(
    name: str,
    rows: pa.Table,
    profiles: Mapping[int, Profile],
    *,
    unit: str,
    observed_property: str,
    definition: str | None = None,
) -> tuple[list[Variable], tuple[str, ...]]:
    """Return the rows of one Datastream as variables, the values first, and the names of those that say where.

    Parameters
    ----------
    name : str
        The variable's name.
    rows : pyarrow.Table
        As the server and the exports give them, with ``test_names`` and ``profile_id``.
    profiles : mapping of int to Profile
        Every profile version that judged one of them, by id.
    unit, observed_property : str
        Of the Datastream.
    definition : str, optional
        URI of the observed property.
    """
    variable = safe_name(name)
    beside = [*_flags(variable, rows, profiles), *_sayings(variable, rows, unit, observed_property)]
    places = [
        Variable(name=f"{variable}_{kind}", values=_floats(rows[kind]), attributes=attributes)
        for kind, attributes in _PLACES.items()
        if rows[kind].null_count < len(rows)
    ]
    about = tuple(item.name for item in beside)
    values = measured(variable, _floats(rows["result"]), unit, observed_property, about=about, definition=definition)
    return [values, *beside, *places], tuple(place.name for place in places)


def _flags(variable: str, rows: pa.Table, profiles: Mapping[int, Profile]) -> list[Variable]:
    ids = rows["profile_id"].fill_null(0).to_numpy()
    judged = [profiles[int(number)] for number in np.unique(ids) if number]
    quality = rows["result_quality"].to_numpy().astype(np.int8)
    if not judged:
        attributes = {"standard_name": "aggregate_quality_flag", "long_name": "Aggregate Quality Flag", **FLAGS}
        return [
            Variable(name=rollup_name(variable), values=quality, attributes=attributes | {"references": REFERENCES})
        ]
    known = {str(number): profiles[int(number)].to_document() for number in np.unique(ids).tolist() if number}
    about = rollup_attributes(variable, judged[-1])
    if len(known) > 1:
        about["nilometer_profile_versions"] = json.dumps(known, ensure_ascii=False)
    made = [Variable(name=rollup_name(variable), values=quality, attributes=about)]
    tests = _newest(judged)
    for name, flags in outcomes_by_name(rows).items():
        profile, test = tests[name]
        attributes = flag_attributes(variable, profile, test)
        made.append(Variable(name=flag_name(variable, name, test.kind), values=flags, attributes=attributes))
    return [*made, _versions(variable, ids, profiles)]


def _newest(judged: list[Profile]) -> dict[str, tuple[Profile, SlottedTest]]:
    """Return each test by name as the newest version that has it says it."""
    return {test.name: (profile, test) for profile in judged for test in profile.tests}


def _versions(variable: str, ids: NDArray[Any], profiles: Mapping[int, Profile]) -> Variable:
    numbers = np.unique(ids).astype(np.int32)
    words = [_word(f"{profiles[int(number)].name}_v{profiles[int(number)].version}") for number in numbers if number]
    return Variable(
        name=f"{variable}_qartod_profile",
        values=ids.astype(np.int32),
        attributes={
            "standard_name": "status_flag",
            "long_name": "id of the profile version that judged",
            "flag_values": numbers,
            "flag_meanings": " ".join([*(["none"] if 0 in numbers else []), *words]),
        },
    )


def _word(text: str) -> str:
    """Return a text as one word of ``flag_meanings``."""
    return re.sub(r"[^A-Za-z0-9_.+@-]", "_", text)


def _sayings(variable: str, rows: pa.Table, unit: str, observed_property: str) -> list[Variable]:
    """Return what else is known of the values, where anything is."""
    made = []
    if rows["result_uncertainty"].null_count < len(rows):
        term = vocabulary().get(observed_property)
        named = term.cf_name if term is not None else None
        values = _floats(rows["result_uncertainty"])
        spread = measured(f"{variable}_uncertainty", values, unit)
        attributes = dict(spread.attributes) | {
            "long_name": "combined standard uncertainty (k = 1)",
            "standard_name": f"{named} standard_error" if named else None,
            "coverage_content_type": "qualityInformation",
        }
        made.append(Variable(name=spread.name, values=values.astype(np.float32), attributes=attributes))
    censored = rows["censored"].fill_null(0).to_numpy().astype(np.int8)
    if censored.any():
        made.append(censored_variable(variable, censored))
    if rows["mark"].null_count < len(rows):
        marks = np.array(rows["mark"].cast(pa.string()).to_pylist(), object)
        about = {"long_name": "what the instrument or protocol said of the value"}
        made.append(Variable(name=f"{variable}_mark", values=marks, attributes=about))
    if rows["raw_result"].null_count < len(rows):
        about = {
            "long_name": "as the instrument gave it, in its raw unit, where that differs",
            "coverage_content_type": "auxiliaryInformation",
        }
        made.append(Variable(name=f"{variable}_raw_result", values=_floats(rows["raw_result"]), attributes=about))
    duration = rows["duration"].to_numpy()
    if duration.any():
        about = {"long_name": "interval that the value stands for, from its time", "units": "s"}
        made.append(Variable(name=f"{variable}_duration", values=duration / 1e6, attributes=about))
    return made


def _floats(column: Any) -> NDArray[np.float64]:  # noqa: ANN401 -- pyarrow has no types
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
