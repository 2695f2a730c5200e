"""Answers of an OGC SensorThings 1.1 server (18-088): its Datastreams, and pages of Observations.

::

    {"@iot.nextLink": "…", "value": [{"@iot.id": 7, "phenomenonTime": "2026-01-01T00:00:00Z",
                                      "resultTime": null, "result": 8.4, "resultQuality": …, "parameters": {…}}]}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nilometer.acquisition.decoding import DecoderInfo
from nilometer.acquisition.formats.naming import meaning
from nilometer.acquisition.protocols.telemetry import Said, moment, number_of, part, span, text_or
from nilometer.acquisition.protocols.web_answer import DocumentDecoder, Page, document_of, items, text
from nilometer.errors import FrameError

__all__ = ["DECODER", "Stream", "read_observations", "read_streams", "written_id"]

MOST_MARK = 200
Id = int | str


@dataclass(frozen=True, slots=True)
class Stream:
    """A Datastream of the server: its id, its channel's key, and what it measures; `note` says what was assumed."""

    id: Id
    key: str
    name: str
    unit: str | None
    observed_property: str | None
    note: str = ""


def written_id(identifier: Id) -> str:
    """Return an id as it stands between the brackets of an address.

    Examples
    --------
    >>> written_id(7), written_id("saar:ph'1")
    ('7', "'saar:ph''1'")
    """
    return str(identifier) if isinstance(identifier, int) else "'" + identifier.replace("'", "''") + "'"


def read_streams(body: bytes) -> tuple[list[Stream], str]:
    """Return the Datastreams of a page and the address of the next one.

    The channel's key is ``THING/DATASTREAM`` by their ids where the Thing was expanded, else the Datastream's id.

    Raises
    ------
    FrameError
        If it is no page of Datastreams.
    """
    document = _page(body)
    streams = []
    for item in items(document, "value"):
        identifier = item.get("@iot.id") if isinstance(item, dict) else None
        if not isinstance(identifier, int | str) or isinstance(identifier, bool):
            raise FrameError(f"value: {item!r:.80} is no Datastream", frame=body[:256])
        streams.append(_stream(item, identifier))
    return streams, _next(document)


def _stream(item: Mapping[str, Any], identifier: Id) -> Stream:
    observed, unit = part(item, "ObservedProperty"), part(item, "unitOfMeasurement")
    thing = part(item, "Thing").get("@iot.id")
    place = f"{_plain(str(thing))}/" if isinstance(thing, int | str) else ""
    definition = text(unit, "definition").rpartition("ucum:")[2] if "ucum:" in text(unit, "definition") else ""
    names = [text(observed, "definition").rstrip("/").rpartition("/")[2], text(observed, "name"), text(item, "name")]
    units = [word for word in (text(unit, "symbol"), definition, text(unit, "name")) if word]
    told = [meaning(name, word) for name in names if name for word in units or [""]]
    best = next((one for one in told if one.observed_property and not one.note), None)
    best = best or next((one for one in told if not one.note), None)
    if best is None:
        said = (
            f"unit {units[0] if units else ''!r} of Datastream {identifier!r} is not known: it is taken for no property"
        )
        return Stream(identifier, f"{place}{_plain(str(identifier))}", text(item, "name"), None, None, said)
    return Stream(
        identifier, f"{place}{_plain(str(identifier))}", text(item, "name"), best.unit, best.observed_property
    )


def _plain(identifier: str) -> str:
    """Return an id without what a key cannot bear; a slash parts the Thing from its Datastream."""
    return "".join(sign if sign.isalnum() or sign in "-_.:" else "_" for sign in identifier)[:100]


def read_observations(body: bytes, stream: Stream) -> Page:
    """Return a page of Observations of a Datastream.

    An interval is a value with a duration; ``resultQuality`` is the mark as it stands, ``parameters`` go beside it.

    Raises
    ------
    FrameError
        If it is no page of Observations.
    """
    document = _page(body)
    page = Page(next=_next(document))
    for item in items(document, "value"):
        try:
            page.values.append(_said(item, stream))
        except FrameError as error:
            page.complain(f"{stream.key}: {error}")
    return page


def _said(item: Any, stream: Stream) -> Said:  # noqa: ANN401 -- whatever JSON holds
    if not isinstance(item, dict) or "result" not in item:
        raise FrameError(f"value: {item!r:.80} is no Observation")
    time, duration = span(item.get("phenomenonTime"))
    made = item.get("resultTime")
    result, parameters = item["result"], item.get("parameters")
    extra: dict[str, Any] = {"parameters": parameters} if isinstance(parameters, dict) and parameters else {}
    value = number_of(result)
    if value != value and result is not None:  # noqa: PLR0124 -- NaN: a result that is no number
        extra["result"] = result
    return Said(
        stream.key,
        value,
        stream.unit,
        stream.observed_property,
        time,
        duration,
        moment(made) if isinstance(made, str) else None,
        _mark(item.get("resultQuality")),
        json.dumps(extra, ensure_ascii=False, sort_keys=True) if extra else None,
    )


def _mark(quality: object) -> str | None:
    if quality is None or quality == "":
        return None
    said = quality if isinstance(quality, str) else json.dumps(quality, ensure_ascii=False, sort_keys=True)
    return said[:MOST_MARK]


def _page(body: bytes) -> dict[str, Any]:
    document = document_of(body)
    if not isinstance(document, dict) or not isinstance(document.get("value"), list):
        said = text_or(document.get("message")) if isinstance(document, dict) else ""
        raise FrameError(f"value: there is none, so this is no page of SensorThings{f': {said}' if said else ''}")
    return document


def _next(document: Mapping[str, Any]) -> str:
    found = document.get("@iot.nextLink")
    return found if isinstance(found, str) and len(found) < 4096 else ""


def _read_any(body: bytes) -> Page:
    """Return Observations of an unknown Datastream, or those that were expanded inside Datastreams."""
    document = _page(body)
    page = Page()
    for item in items(document, "value"):
        inside = items(item, "Observations")
        if inside and isinstance(item.get("@iot.id"), int | str):
            stream = _stream(item, item["@iot.id"])
            page.values += read_observations(json.dumps({"value": inside}).encode(), stream).values
    return page if page.values else read_observations(body, Stream("", "result", "", None, None))


DECODER = DecoderInfo(
    name="sensorthings", title="OGC SensorThings 1.1 answers", make=lambda _: DocumentDecoder(_read_any)
)
