"""What the calibration of a Datastream means for its values: its rule, its limits, and the test that a profile gets.

The test `calibration_valid` is added behind the tests of whatever profile judges the Datastream, and only where a
record gives a reason: a Datastream without records is judged as ever. The spans stand in the profile's document, so
each version of a profile says what was known of the calibration when it judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from nilometer.calibration.validity import Rule, doubts
from nilometer.model import Datastream
from nilometer.model.calibration_records import (
    COMPANION_TOLERANCE_S,
    RENEWING,
    CalibrationRecord,
    RecordKind,
    parse_every,
)
from nilometer.qc.profile import Profile, SlottedTest
from nilometer.qc.shelf import Shelf

__all__ = ["TEST", "companion_tolerance", "limits_of", "rule_of", "under_calibration"]

TEST = "calibration_valid"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_300_799_999_999


def rule_of(datastream: Datastream) -> Rule:
    """Return how often a Datastream is to be calibrated, as its configuration said."""
    said = _said(datastream)
    every = said.get("every")
    renewed_by = tuple(RecordKind(kind) for kind in said.get("renewed_by", RENEWING))
    return Rule(None if every is None else parse_every(every), renewed_by)


def limits_of(datastream: Datastream) -> tuple[float | None, float | None]:
    """Return the largest deviation that is accepted of a Datastream, in its unit and in percent, as configured."""
    said = _said(datastream)
    return said.get("limit"), said.get("limit_percent")


def companion_tolerance(datastream: Datastream) -> float:
    """Return how many seconds older than a row its companion may be, as configured."""
    return float(_said(datastream).get("companion_tolerance", COMPANION_TOLERANCE_S))


def under_calibration(
    profile: Profile | None, datastream: Datastream, records: Sequence[CalibrationRecord]
) -> Profile | None:
    """Return a profile with the test of what the records of its Datastream put in doubt; as it is where they do not.

    Parameters
    ----------
    profile : Profile or None
        What judges the Datastream. Without one the test stands alone, and passes nothing: nobody judged the value.
    datastream : Datastream
        Whose profile it is.
    records : sequence of CalibrationRecord
        The newest version of each, none of them withdrawn.
    """
    found = [doubt for doubt in doubts(records, rule_of(datastream)) if doubt.start <= _LAST]
    if not found:
        return profile
    spans = []
    for doubt in found:
        span = {"from": _text(doubt.start), "reason": doubt.reason}
        if doubt.end is not None:
            span["to"] = _text(min(doubt.end, _LAST))
        spans.append(span)
    parameters: dict[str, Any] = {"doubts": tuple(spans)}
    if profile is None:
        profile = Profile(name="calibration", unit=datastream.unit)
    else:
        parameters["since"] = _text(min(record.effective for record in records))
    test = SlottedTest(TEST, TEST, MappingProxyType(parameters))
    kept = tuple(one for one in profile.tests if one.name != TEST)
    return replace(profile, name=Shelf.changed_name(profile.name, datastream.key), tests=(*kept, test))


def _said(datastream: Datastream) -> dict[str, Any]:
    said = datastream.properties.get("nilometer", {}).get("calibration", {})
    return said if isinstance(said, dict) else {}


def _text(time: int) -> str:
    return (_EPOCH + timedelta(microseconds=time)).isoformat()
