"""The route of the native API that gives the newest Observation of every Datastream, or of some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Query, Response

from nilometer.errors import RequestError, near
from nilometer.model import Datastream, ObservationBatch
from nilometer.web.api.entities import Moment
from nilometer.web.api.face import Face, answer
from nilometer.web.api.tables import FORMATS, json_columns, review_levels, to_bytes, to_csv_table, with_evidence, words

__all__ = ["latest_routes"]

_Names = Annotated[list[str] | None, Query(description="ids or keys; several, or separated by commas")]
_Properties = Annotated[list[str] | None, Query(description="keys of observed properties, as `thing`")]


def latest_routes(face: Face) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/latest", summary="The newest Observation of the water of every Datastream")
    def latest(
        datastream: _Names = None,
        thing: _Names = None,
        property: _Properties = None,  # noqa: A002 -- the published name
        format: Literal["json", "csv", "arrow", "parquet"] = "json",  # noqa: A002 -- the published name
        as_of: Moment = None,
    ) -> Response:
        then = face.then(as_of)
        wanted = {item.id: item for item in _chosen(face, _parts(datastream), _parts(thing), _parts(property))}
        rows = then.snapshot.latest(sorted(wanted))
        if format != "json":
            rows = with_evidence(rows, then.evidence)
            keys = {item.id: item.key for item in wanted.values()}
            table = to_csv_table(rows, keys) if format == "csv" else rows
            return Response(to_bytes(table, format), media_type=FORMATS[format])
        mine = [wanted[number] for number in rows["datastream"].to_pylist()]
        catalog = face.pipeline.store.catalog
        columns = json_columns(ObservationBatch.from_arrow(rows), catalog.sample_kinds(), then.evidence)
        del columns["sample"]  # never anything but water
        return answer(
            {
                "rows": len(rows),
                "without": len(wanted) - len(rows),
                "as_of": then.ms,
                "columns": {
                    "datastream": [item.id for item in mine],
                    "key": [item.key for item in mine],
                    "thing": [item.thing for item in mine],
                    "property": [catalog.observed_property(item.observed_property).key for item in mine],
                    "unit": [item.unit for item in mine],
                    **columns,
                    "review_level": words(review_levels(rows, then.evidence)),
                },
                "profiles": then.evidence.profiles(np.unique(rows["provenance"].to_numpy()).tolist()),
            }
        )

    return routes


def _parts(given: Sequence[str] | None) -> list[str] | None:
    return None if given is None else [part for text in given for part in text.split(",") if part]


def _chosen(
    face: Face, datastreams: list[str] | None, things: list[str] | None, properties: list[str] | None
) -> list[Datastream]:
    """Return the Datastreams that meet every condition that was given."""
    catalog = face.pipeline.store.catalog
    found = catalog.datastreams() if datastreams is None else [face.datastream(name) for name in datastreams]
    if things is not None:
        of = {face.thing(name).id for name in things}
        found = [item for item in found if item.thing in of]
    if properties is not None:
        keys = {item.key: item.id for item in catalog.observed_properties()}
        for name in properties:
            if name not in keys:
                close = near(name, keys)
                hint = f"; did you mean {' or '.join(close)}?" if close else ""
                raise RequestError(f"no Datastream is of {name[:100]!r}{hint}", place="property")
        which = {keys[name] for name in properties}
        found = [item for item in found if item.observed_property in which]
    return found
