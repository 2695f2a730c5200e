"""The route of the native API that gives the hours or days of a Datastream, with a mean of each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
from fastapi import APIRouter, Query, Response

from nilometer.calibration.averaging import own_uncertainty
from nilometer.calibration.certificate import Calibration
from nilometer.errors import RequestError
from nilometer.model import Datastream
from nilometer.model.properties import vocabulary
from nilometer.periods.spans import Span
from nilometer.store.flow_means import flow_weighted
from nilometer.store.means import Below, Mean, mean, mean_uncertainty
from nilometer.store.rollups import Own, rollups
from nilometer.web.api.entities import Moment
from nilometer.web.api.face import Face, Then, answer
from nilometer.web.api.observations import span_of
from nilometer.web.api.tables import FORMATS, milliseconds, shown_uncertainty, to_bytes
from nilometer.web.times import format_times

__all__ = ["rollup_routes"]

_PARTS = ("n", "below", "above")
_CLASSES = ("good", "suspect")
_MEANS = ("mean", "mean_uncertainty", "mean_without_suspect", "mean_uncertainty_without_suspect")


def rollup_routes(face: Face) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/datastreams/{name:path}/rollups", summary="Hours or days of a Datastream: counts, means, extremes")
    def of_datastream(
        name: str,
        span: Annotated[Span, Query(description="hours of UTC, or days of the Thing's zone")] = "hour",
        start: Moment = None,
        end: Moment = None,
        mean: Annotated[
            Literal["arithmetic", "hydrogen_ion", "circular", "flow_weighted"] | None,
            Query(description="default: that of the observed property"),
        ] = None,
        below: Annotated[Below, Query(description="what stands for a value below its detection limit")] = "half",
        discharge: Annotated[
            str | None, Query(description="for flow_weighted: the Datastream of the discharge")
        ] = None,
        within_s: Annotated[
            float, Query(ge=0, le=86400, description="how far a discharge may be from its value")
        ] = 3600,
        format: Literal["json", "csv", "arrow", "parquet"] = "json",  # noqa: A002 -- the published name
        as_of: Moment = None,
    ) -> Response:
        datastream, then = face.datastream(name), face.then(as_of)
        zone = face.pipeline.store.catalog.thing(datastream.thing).time_zone
        first, last = span_of(start, end)
        kind = mean or _kind_of(face, datastream)
        if kind == "flow_weighted":
            if discharge is None:
                raise RequestError("flow_weighted needs the Datastream of the discharge", place="discharge")
            table = flow_weighted(
                then.snapshot,
                datastream.id,
                face.datastream(discharge).id,
                span,
                first,
                last,
                time_zone=zone,
                within_us=int(within_s * 1e6),
                below=below,
            )
        else:
            own = _own(face, datastream)
            table = _with_means(
                rollups(then.snapshot, datastream.id, span, first, last, time_zone=zone, mean=kind, own=own),
                kind,
                below,
            )
        if format != "json":
            shown = _readable(table, datastream.key) if format == "csv" else table
            return Response(to_bytes(shown, format), media_type=FORMATS[format])
        about = {"span": span, "time_zone": zone if span == "day" else "UTC", "mean": kind, "below": below}
        return answer(_document(datastream, then, table, about))

    return routes


def _kind_of(face: Face, datastream: Datastream) -> Mean:
    term = vocabulary().get(face.pipeline.store.catalog.observed_property(datastream.observed_property).key)
    found: Any = "arithmetic" if term is None else term.mean
    kind: Mean = found
    return kind


def _own(face: Face, datastream: Datastream) -> Own:
    """Return what says of a provenance how much of its rows' uncertainty each has for itself."""
    catalog = face.pipeline.store.catalog
    documents = {row.id: row.document for row in catalog.calibrations(datastream.id)}
    raw_unit = datastream.properties.get("nilometer", {}).get("raw_unit", datastream.unit)

    def own(provenance: int) -> float:
        number = catalog.provenance_row(provenance).calibration if provenance else None
        if number not in documents:
            return 0.0
        return own_uncertainty(Calibration.from_document(documents[number]), raw_unit, datastream.unit)

    return own


def _with_means(table: pa.Table, kind: Mean, below: Below) -> pa.Table:
    """Return rollups with the means and their standard uncertainties after the counts."""
    at = table.schema.get_field_index("n_good")
    found = {
        "mean": mean(table, kind, below=below),
        "mean_uncertainty": shown_uncertainty(mean_uncertainty(table, kind)),
        "mean_without_suspect": mean(table, kind, below=below, without_suspect=True),
        "mean_uncertainty_without_suspect": shown_uncertainty(mean_uncertainty(table, kind, without_suspect=True)),
    }
    for name, values in reversed(found.items()):
        table = table.add_column(at, pa.field(name, pa.float64()), pa.array(values, mask=np.isnan(values)))
    return table


def _readable(table: pa.Table, key: str) -> pa.Table:
    """Return a table for CSV: the key, and times as ISO 8601."""
    columns: dict[str, Any] = {"datastream": pa.array([key] * len(table), pa.string())}
    for field in table.schema:
        if pa.types.is_timestamp(field.type):
            columns[field.name] = _texts(table[field.name])
        elif field.name != "datastream":
            columns[field.name] = table[field.name]
    return pa.table(columns)


def _texts(moments: pa.ChunkedArray) -> pa.Array:
    known = moments.is_valid().to_numpy()
    texts = format_times(moments.cast(pa.int64()).fill_null(0).to_numpy()).astype(object)
    return pa.array(texts, pa.string(), mask=~known)


def _document(datastream: Datastream, then: Then, table: pa.Table, about: dict[str, Any]) -> dict[str, Any]:
    """Return columns without sums; what is counted of good and SUSPECT values apart is put together."""
    columns: dict[str, list[Any]] = {}
    for field in table.schema:
        name, _, which = field.name.rpartition("_")
        if which == "good" and name in _PARTS:
            columns[name] = (table[field.name].to_numpy() + table[f"{name}_suspect"].to_numpy()).tolist()
        elif pa.types.is_timestamp(field.type):
            columns[field.name] = _milliseconds(table[field.name])
        elif field.name in _MEANS or ((not name or which not in _CLASSES) and field.name != "datastream"):
            columns[field.name] = table[field.name].to_numpy().tolist()  # NaN is null when it is encoded
    return {
        "datastream": datastream.id,
        "unit": datastream.unit,
        **about,
        "as_of": then.ms,
        "spans": len(table),
        "columns": columns,
    }


def _milliseconds(moments: pa.ChunkedArray) -> list[Any]:
    known = moments.is_valid().to_numpy()
    made: list[Any] = milliseconds(moments.cast(pa.int64()).fill_null(0).to_numpy())
    return made if known.all() else [one if there else None for one, there in zip(made, known, strict=True)]
