"""Routes of the native API that read Observations."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, BinaryIO, Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from nilometer.errors import NotFound, RequestError
from nilometer.model import NO_TIME, ObservationBatch, QartodFlag
from nilometer.store import Snapshot, Values
from nilometer.web.api.asked_columns import asked_columns, padded
from nilometer.web.api.charting import Chart, chart_rows
from nilometer.web.api.entities import Moment
from nilometer.web.api.face import DAY_US, Face, Then, answer
from nilometer.web.api.history import earlier_versions
from nilometer.web.api.tables import (
    FORMATS,
    json_columns,
    parted_digits,
    review_levels,
    to_bytes,
    to_csv_table,
    with_evidence,
    words,
)
from nilometer.web.times import parse_moment

__all__ = ["observation_routes", "span_of"]

MOST_JSON_ROWS = 2_000_000
EXPORT_STEP_US = 30 * DAY_US
PIECE = 1 << 20


def observation_routes(face: Face) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    _of_datastream(routes, face)
    _of_one(routes, face)
    _of_export(routes, face)
    return routes


def _of_datastream(routes: APIRouter, face: Face) -> None:
    @routes.get("/datastreams/{name:path}/observations", summary="Observations of a Datastream, raw or reduced")
    def observations(
        name: str,
        start: Moment = None,
        end: Moment = None,
        max_points: Annotated[int | None, Query(ge=3, le=1_000_000, description="reduce to about so many")] = None,
        format: Literal["json", "csv", "arrow", "parquet"] = "json",  # noqa: A002 -- the published name
        columns: Annotated[
            list[str] | None, Query(description="only these; several, or separated by commas; default: all")
        ] = None,
        least: Annotated[float | None, Query(description="only results not below")] = None,
        greatest: Annotated[float | None, Query(description="only results not above")] = None,
        flag: Annotated[list[str] | None, Query(description="only these flags; several, or by commas")] = None,
        as_of: Moment = None,
        samples: Literal["water", "all"] = "water",
    ) -> Response:
        datastream = face.datastream(name)
        first, last = span_of(start, end)
        asked, values = asked_columns(columns, format), _values(least, greatest, flag)
        then = face.then(as_of)
        read = None if asked is None else asked.read
        water_only = samples == "water"
        if max_points is None:
            rows = then.snapshot.read([datastream.id], first, last, columns=read, water_only=water_only, values=values)
            chart = Chart(rows, len(rows), "raw")
        else:
            zone = face.pipeline.store.catalog.thing(datastream.thing).time_zone
            chart = chart_rows(
                then.snapshot,
                datastream.id,
                first,
                last,
                max_points,
                columns=read,
                water_only=water_only,
                time_zone=zone,
                values=values,
            )
        rows = chart.rows
        if format != "json":
            rows = with_evidence(rows, then.evidence, None if asked is None else asked.shown)
            table = to_csv_table(rows, {datastream.id: datastream.key}) if format == "csv" else rows
            return Response(to_bytes(table, format), media_type=FORMATS[format])
        if len(rows) > MOST_JSON_ROWS:
            raise RequestError(
                f"{len(rows)} rows are too many for JSON; ask for max_points, for less time, or for format=arrow",
                place="format",
            )
        return answer(
            {
                "datastream": datastream.id,
                "start": None if first is None else first // 1000,
                "end": None if last is None else last // 1000,
                "rows": chart.count,
                "returned": len(rows),
                "resolution": chart.resolution,
                "as_of": then.ms,
                **_json_of(face, then, rows, None if asked is None else asked.shown),
            }
        )


def _values(least: float | None, greatest: float | None, flag: list[str] | None) -> Values | None:
    """Return the results and flags that are asked for; None: any."""
    for place, bound in (("least", least), ("greatest", greatest)):
        if bound is not None and math.isnan(bound):
            raise RequestError("is no number", place=place)
    if least is None and greatest is None and flag is None:
        return None
    flags = None
    if flag is not None:
        parts = [part for text in flag for part in text.split(",") if part]
        known = {str(int(one)): int(one) for one in QartodFlag}
        for part in parts:
            if part not in known:
                raise RequestError(f"{part[:20]!r} is no flag (allowed: {', '.join(known)})", place="flag")
        flags = frozenset(known[part] for part in parts)
    return Values(least, greatest, flags)


def _json_of(face: Face, then: Then, rows: pa.Table, shown: tuple[str, ...] | None) -> dict[str, Any]:
    """Return the columns of rows, and the profile versions that judged them, where something of these is shown."""
    whole = rows if shown is None else padded(rows)
    kinds = face.pipeline.store.catalog.sample_kinds()
    columns = json_columns(ObservationBatch.from_arrow(whole), kinds, then.evidence, shown)
    if shown is None or "review_level" in shown:
        columns["review_level"] = words(review_levels(rows, then.evidence))
    judged = np.unique(rows["provenance"].to_numpy()).tolist() if "provenance" in rows.schema.names else []
    return {"columns": columns, "profiles": then.evidence.profiles(judged)}


def span_of(start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """Return a span as it was written, µs UTC.

    Raises
    ------
    RequestError
        If one end is no moment, or the end lies before the start.
    """
    first, last = parse_moment(start, "start"), parse_moment(end, "end")
    if first is not None and last is not None and last < first:
        raise RequestError("end lies before start", place="end")
    return first, last


def _of_one(routes: APIRouter, face: Face) -> None:
    @routes.get("/observations/{number}", summary="One Observation with its chain of evidence")
    def observation(number: int, as_of: Moment = None) -> Response:
        store, then = face.pipeline.store, face.then(as_of)
        snapshot = then.snapshot
        found = snapshot.by_id([number]) if 0 < number < 2**63 else None
        if found is None or not len(found):
            raise NotFound(f"there is no Observation {number}")
        row = found.to_pylist()[0]
        made = face.evidence.provenance(row["provenance"])
        calibrations = {item.id: item for item in store.catalog.calibrations(row["datastream"])}
        calibration = calibrations.get(made.calibration) if made.calibration is not None else None
        outcomes = face.evidence.tests(row["provenance"], row["tests"])
        columns = json_columns(ObservationBatch.from_arrow(found), store.catalog.sample_kinds(), face.evidence)
        return answer(
            {
                "observation": {name: cells[0] for name, cells in columns.items()} | _stored(row),
                "tests": [{"name": name, "outcome": outcome} for name, outcome in outcomes.items()],
                "calibration": None
                if calibration is None
                else {
                    "id": calibration.id,
                    "valid_from": None if calibration.valid_from == NO_TIME else calibration.valid_from // 1000,
                    "document": calibration.document,
                },
                "profile": None
                if made.profile is None
                else {"id": made.profile_version, "name": made.profile, "version": made.version},
                "review": then.evidence.review(row, then.evidence.signed([row["datastream"]])),
                "source": made.source,
                "code_version": made.code_version,
                "revisions": earlier_versions(snapshot, found, face.evidence),
            }
        )


def _stored(row: dict[str, Any]) -> dict[str, Any]:
    plain = ("datastream", "feature", "duration", "depth", "latitude", "longitude", "provenance", "commit", "extra")
    moment = row["result_time"]
    return {name: row[name] for name in plain} | {
        "result_time": None if moment is None else round(moment.timestamp() * 1000)
    }


def _of_export(routes: APIRouter, face: Face) -> None:
    @routes.get("/export", summary="Observations of several Datastreams as one file")
    def export(
        datastream: Annotated[list[str], Query(description="ids or keys; several, or separated by commas")],
        start: Moment = None,
        end: Moment = None,
        format: Literal["csv", "parquet"] = "csv",  # noqa: A002 -- the published name
        as_of: Moment = None,
    ) -> Response:
        names = [part for text in datastream for part in text.split(",") if part]
        wanted = {item.id: item.key for item in map(face.datastream, names)}
        first, last = span_of(start, end)
        then = face.then(as_of)
        parts = _parts(then.snapshot, list(wanted), first, last)
        tables = (to_csv_table(with_evidence(rows, then.evidence), wanted) for rows in parts)
        headers = {"content-disposition": f'attachment; filename="nilometer.{format}"'}
        if format == "csv":
            return StreamingResponse(_csv(tables), media_type=FORMATS["csv"], headers=headers)
        return StreamingResponse(_parquet(tables), media_type=FORMATS["parquet"], headers=headers)


def _parts(snapshot: Snapshot, datastreams: Sequence[int], start: int | None, end: int | None) -> Iterator[pa.Table]:
    """Give the rows a month of a Datastream at a time: memory stays bounded; the first part is empty."""
    yield snapshot.read(datastreams[:1], 0, 0)
    for number in datastreams:
        extent = snapshot.extent(number)
        if extent is None:
            continue
        at = extent[0] if start is None else max(start, extent[0])
        last = extent[1] + 1 if end is None else min(end, extent[1] + 1)
        while at < last:
            rows = snapshot.read([number], at, min(at + EXPORT_STEP_US, last))
            at += EXPORT_STEP_US
            if len(rows):
                yield rows


def _csv(tables: Iterator[pa.Table]) -> Iterator[bytes]:
    for at, table in enumerate(tables):
        sink = pa.BufferOutputStream()
        pa.csv.write_csv(
            parted_digits(table), sink, pa.csv.WriteOptions(include_header=at == 0, quoting_style="needed")
        )
        yield sink.getvalue().to_pybytes()


def _parquet(tables: Iterator[pa.Table]) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as file:
        first = next(tables)
        with pyarrow.parquet.ParquetWriter(cast("BinaryIO", file), first.schema, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table)
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece
