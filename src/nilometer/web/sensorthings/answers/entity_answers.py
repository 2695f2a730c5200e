"""Entities of the catalog in another format than JSON."""

from __future__ import annotations

from typing import Any

from nilometer.errors import RequestError
from nilometer.web.exchange import encode_json
from nilometer.web.sensorthings.answers import csv_rows, geojson
from nilometer.web.sensorthings.options import Options
from nilometer.web.sensorthings.schema import EntityType

__all__ = ["format_entities"]


def format_entities(
    kind: EntityType, documents: list[Any], options: Options, count: int | None = None, link: str | None = None
) -> tuple[bytes, str]:
    """Return body and media type of entities in the format that was asked for.

    Parameters
    ----------
    kind : EntityType
        Of the entities.
    documents : list of dict
        As they are in JSON, expansions included.
    options : Options
        The format, what is selected and expanded.
    count : int, optional
        How many there are in all, if that was asked.
    link : str, optional
        The next link.

    Raises
    ------
    RequestError
        If the format cannot hold them.
    """
    if options.result_format == "CSV":
        return csv_rows.csv_of_documents(kind, documents, options), csv_rows.MEDIA_TYPE
    if options.result_format == "GeoJSON":
        return encode_json(geojson.feature_collection(documents, count, link)), geojson.MEDIA_TYPE
    raise RequestError("a data array holds sets of Observations", place="$resultFormat")
