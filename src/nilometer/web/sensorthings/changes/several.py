"""What a MultiDatastream holds together: a unit, a type and an ObservedProperty for each member of a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nilometer.errors import RequestError
from nilometer.model import MultiDatastream
from nilometer.model.entities import OM_COMPLEX

__all__ = ["TOGETHER", "check_result", "check_type", "check_width", "chosen"]

TOGETHER = (
    "a MultiDatastream has a unit, a type and an ObservedProperty for each member of its results: change all three in "
    "one PATCH"
)


def chosen(said: Mapping[str, object], place: str) -> str:
    """Return whether an Observation belongs to a Datastream or to a MultiDatastream, by what is said of it.

    Parameters
    ----------
    said : mapping
        With the name of either, if it is said.
    place : str
        Where the Observation stands in the body.

    Raises
    ------
    RequestError
        If both are said, or neither.
    """
    if "MultiDatastream" not in said:
        if "Datastream" in said:
            return "Datastream"
        raise RequestError('Datastream is missing: {"@iot.id": …}; or a MultiDatastream', place=f"{place}.Datastream")
    if "Datastream" in said:
        raise RequestError(
            "an Observation belongs to a Datastream or to a MultiDatastream, and not to both",
            place=f"{place}.MultiDatastream",
        )
    return "MultiDatastream"


def check_result(result: object, multi: MultiDatastream, place: str) -> None:
    """Refuse what is no result of a MultiDatastream.

    Raises
    ------
    RequestError
        If it is no array, or one of another length.
    """
    if not isinstance(result, list | tuple):
        raise RequestError(
            f"a result of MultiDatastream {multi.id} is an array of {multi.width}, one for each ObservedProperty",
            place=place,
        )
    if len(result) != multi.width:
        raise RequestError(
            f"{len(result)} results, and MultiDatastream {multi.id} has {multi.width} ObservedProperties", place=place
        )


def check_width(multi: MultiDatastream, observed: int, place: str) -> None:
    """Refuse arrays of different lengths.

    Parameters
    ----------
    multi : MultiDatastream
        With its units and types.
    observed : int
        How many ObservedProperties it has.
    place : str
        Where it stands in the body.

    Raises
    ------
    RequestError
        With the array that does not fit the ObservedProperties.
    """
    if not observed:
        raise RequestError(
            "a MultiDatastream needs ObservedProperties: links or entities", place=f"{place}.ObservedProperties"
        )
    lengths = {
        "unitOfMeasurements": len(multi.unit_of_measurements),
        "multiObservationDataTypes": len(multi.multi_observation_data_types),
    }
    for name, length in lengths.items():
        if length != observed:
            raise RequestError(
                f"{length} {name} for {observed} ObservedProperties; {TOGETHER}", place=f"{place}.{name}"
            )


def check_type(fields: dict[str, Any], place: str) -> None:
    """Fill in the type of the Observations, which is the same of all MultiDatastreams.

    Raises
    ------
    RequestError
        If another is said.
    """
    if fields.get("observation_type", OM_COMPLEX) not in {OM_COMPLEX, None}:
        raise RequestError(f"the Observations of a MultiDatastream are {OM_COMPLEX}", place=f"{place}.observationType")
    fields["observation_type"] = OM_COMPLEX
