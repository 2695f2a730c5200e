"""The contexts of an `ioos_qc` configuration: where and when its tests hold.

A configuration is read from any form that `ioos_qc.config.Config` takes. A context has a time window (the start belongs
to it, the end not) and a region, or neither. Nothing here knows a test.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray

from nilometer.errors import ConfigError
from nilometer.qc.qartod.parameter import moment
from nilometer.series import microseconds

__all__ = ["Context", "Region", "contexts_of", "read"]

MODULES: Final = ("qartod", "argo", "axds", "gliders")
DEFAULT_STREAM: Final = "_stream"

# reading


class _Yaml(yaml.SafeLoader):  # type: ignore[misc]
    """YAML 1.2, as `ioos_qc` reads it: 1e-3 is a number, and neither "on" nor "12:30" is anything but text."""


_Yaml.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("timestamp", r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d:\d\d(\.\d*)?\s*(Z|[-+]\d\d:\d\d)?)?", "0123456789"),
):
    _Yaml.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def read(source: Any) -> Mapping[str, Any]:  # noqa: ANN401 -- any of ioos_qc's forms
    """Return a configuration as a mapping, whatever it was written in.

    Parameters
    ----------
    source : mapping, str, path, StringIO, xarray.Dataset, ioos_qc.config.Config or list of its calls
        As `nilometer.qc.peer.streams` takes it.

    Raises
    ------
    ConfigError
        If it cannot be read, naming the file.
    """
    if isinstance(source, Mapping) and not hasattr(source, "data_vars"):
        return source
    if hasattr(source, "data_vars"):
        return _of_dataset(source)
    calls = getattr(source, "calls", source if isinstance(source, list | tuple) else None)
    if calls is not None:
        return _of_calls(calls)
    if isinstance(source, io.StringIO):
        return _parsed(source.getvalue(), None)
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{")):
        return _parsed(source, None)
    if not isinstance(source, str | Path):
        raise ConfigError("config", seen=type(source).__name__, allowed="a dict, a file, text, a Dataset or a Config")
    return _of_file(Path(source))


def _of_file(file: Path) -> Mapping[str, Any]:
    if file.suffix == ".nc":
        import xarray as xr  # noqa: PLC0415 -- an extra

        with xr.open_dataset(file, decode_cf=False) as dataset:
            return _of_dataset(dataset)
    try:
        return _parsed(file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise ConfigError("config", seen=str(file), reason=error.strerror or str(error)) from error


def _parsed(text: str, file: str | None) -> Mapping[str, Any]:
    try:
        # JSON is YAML but for tabs and some escapes, so it goes first.
        document = json.loads(text) if text.lstrip().startswith("{") and '"' in text else None
    except ValueError:
        document = None
    try:
        document = yaml.load(text, _Yaml) if document is None else document  # noqa: S506 -- a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigError("config", file=file, reason=f"this is neither YAML nor JSON: {error}") from error
    if not isinstance(document, Mapping):
        raise ConfigError("config", file=file, seen=document, allowed="a table of streams, contexts or modules")
    return document


def _of_dataset(dataset: Any) -> Mapping[str, Any]:  # noqa: ANN401 -- xarray has no types here
    """Return the configuration that a Dataset carries: one for all, or one on each variable of flags."""
    if "ioos_qc_config" in dataset.attrs:
        return read(str(dataset.attrs["ioos_qc_config"]) + "\n")
    found: dict[str, Any] = {}
    for variable in dataset.data_vars.values():
        said = [variable.attrs.get(f"ioos_qc_{key}") for key in ("target", "module", "test", "config")]
        if all(part is not None for part in said):
            target, module, test, config = said
            found.setdefault(target, {}).setdefault(module, {})[test] = json.loads(config)
    return {"streams": found}


def _of_calls(calls: Iterable[Any]) -> Mapping[str, Any]:
    """Return the configuration of `ioos_qc` calls, each of which knows its stream, its test and its context."""
    contexts: list[dict[str, Any]] = []
    for call in calls:
        window = {"starting": call.window.starting, "ending": call.window.ending}
        about = {"window": window, "region": call.region, "attrs": call.context.attrs}
        here = next((one for one in contexts if one | {"streams": 0} == about | {"streams": 0}), None)
        if here is None:
            here = about | {"streams": {}}
            contexts.append(here)
        here["streams"].setdefault(call.stream_id, {}).setdefault(call.module, {})[call.method] = call.kwargs
    return {"contexts": contexts}


# contexts


@dataclass(frozen=True, slots=True)
class Region:
    """An area, in degrees: polygons with their holes. What a border itself belongs to is not said.

    Parameters
    ----------
    polygons : tuple
        Of each polygon its rings, the outer one first; a ring is an array of longitudes and latitudes, shape (n, 2).
    """

    polygons: tuple[tuple[NDArray[np.float64], ...], ...]

    @classmethod
    def from_geojson(cls, document: Any) -> Region | None:  # noqa: ANN401 -- what somebody wrote, or shapely's
        """Return the area of a GeoJSON object, or None where there is none.

        Raises
        ------
        ConfigError
            If it is no GeoJSON, or holds points or lines, which have no area.
        """
        if document is None or document == "None":  # `region: None` is text in YAML
            return None
        document = getattr(document, "__geo_interface__", document)
        return cls(tuple(_polygons(document)))

    def contains(self, longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which places lie inside; a place that is not known does not.

        Examples
        --------
        >>> square = Region.from_geojson({"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]]})
        >>> square.contains(np.array([1.0, 3.0, np.nan]), np.array([1.0, 1.0, 1.0])).tolist()
        [True, False, False]
        """
        inside = np.zeros(len(longitude), np.bool_)
        for rings in self.polygons:
            odd = np.zeros(len(longitude), np.bool_)
            for ring in rings:  # a hole turns inside out once more
                odd ^= _is_around(ring, longitude, latitude)
            inside |= odd
        return inside


def _polygons(document: Any) -> list[tuple[NDArray[np.float64], ...]]:  # noqa: ANN401 -- what somebody wrote
    kind = document.get("type") if isinstance(document, Mapping) else None
    if isinstance(document, Mapping):
        for key in ("features", "geometries"):
            if key in document:
                return [polygon for part in document[key] for polygon in _polygons(part)]
        if "geometry" in document:
            return _polygons(document["geometry"])
    try:
        if kind == "Polygon":
            return [tuple(_ring(ring) for ring in document["coordinates"])]
        if kind == "MultiPolygon":
            return [tuple(_ring(ring) for ring in rings) for rings in document["coordinates"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError("region", seen=document, reason=f"these are no coordinates: {error}") from error
    raise ConfigError(
        "region", seen=kind or document, allowed=["Polygon", "MultiPolygon", "FeatureCollection of these"]
    )


def _ring(points: Any) -> NDArray[np.float64]:  # noqa: ANN401 -- what somebody wrote
    ring = np.array([point[:2] for point in points], np.float64)
    if ring.ndim != 2 or len(ring) < 3:
        raise ValueError("a ring has at least three points")
    return ring


def _is_around(
    ring: NDArray[np.float64], longitude: NDArray[np.float64], latitude: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which places a ring goes round: a ray to the east crosses it an odd number of times."""
    odd = np.zeros(len(longitude), np.bool_)
    for (x1, y1), (x2, y2) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if y1 == y2:
            continue
        crosses = (y1 > latitude) != (y2 > latitude)
        odd ^= crosses & (longitude < x1 + (latitude - y1) * (x2 - x1) / (y2 - y1))
    return odd & np.isfinite(longitude) & np.isfinite(latitude)


@dataclass(frozen=True, slots=True)
class Context:
    """Where and when tests hold.

    Parameters
    ----------
    streams : mapping
        Of each stream its modules, of each module its tests, as somebody wrote them.
    starting, ending : int, optional
        µs since 1970 UTC; the end does not belong to it.
    region : Region, optional
        Where.
    title : str
        What its attributes call it.
    """

    streams: Mapping[str, Mapping[str, Any]]
    starting: int | None = None
    ending: int | None = None
    region: Region | None = None
    title: str = ""

    def __str__(self) -> str:
        ends = (str(np.datetime64(end, "us")) if end is not None else "" for end in (self.starting, self.ending))
        return f"{'/'.join(ends)}{' in a region' if self.region is not None else ''}"

    @property
    def is_everywhere(self) -> bool:
        """Whether it holds at all times and places."""
        return self.starting is None and self.ending is None and self.region is None

    def holds(
        self,
        n: int,
        times: NDArray[np.int64] | None,
        latitude: NDArray[np.float64] | None,
        longitude: NDArray[np.float64] | None,
    ) -> NDArray[np.bool_]:
        """Return which of `n` rows are inside.

        Raises
        ------
        ValueError
            If it has a window and there are no times, or a region and there are no places.
        """
        rows = np.ones(n, np.bool_)
        if self.starting is not None or self.ending is not None:
            if times is None:
                raise ValueError(f"the context {self} has a window, and the series brings no times")
            if self.starting is not None:
                rows &= times >= self.starting
            if self.ending is not None:
                rows &= times < self.ending
        if self.region is not None:
            if latitude is None or longitude is None:
                raise ValueError("the context has a region: give latitude and longitude")
            rows &= self.region.contains(longitude, latitude)
        return rows


def contexts_of(document: Mapping[str, Any]) -> list[Context] | None:
    """Return the contexts of a configuration in any of its forms; None where the document is no configuration."""
    if "contexts" in document:
        return [_context(one) for one in _listed(document["contexts"])]
    if "streams" in document:
        return [_context(document)]
    if any(module in document for module in MODULES):
        return [_context({"streams": {DEFAULT_STREAM: document}})]
    if any(str(key).endswith("_test") for key in document):
        return [_context({"streams": {DEFAULT_STREAM: {"qartod": document}}})]
    tables = [table for table in document.values() if isinstance(table, Mapping)]
    if tables and any(module in table for table in tables for module in MODULES):
        return [_context({"streams": document})]
    return None


def _listed(contexts: Any) -> Sequence[Any]:  # noqa: ANN401 -- what somebody wrote
    if not isinstance(contexts, list | tuple) or not all(isinstance(one, Mapping) for one in contexts):
        raise ConfigError("contexts", seen=contexts, allowed="a list of tables with streams, window, region")
    return contexts


def _context(document: Mapping[str, Any]) -> Context:
    for key in document:
        if key not in {"streams", "window", "region", "attrs"}:
            raise ConfigError("contexts", seen=key, allowed=["streams", "window", "region", "attrs"])
    streams = document.get("streams")
    if not isinstance(streams, Mapping) or not all(isinstance(table, Mapping) for table in streams.values()):
        raise ConfigError("streams", seen=streams, allowed="a table of modules per stream")
    window = document.get("window") or {}
    if hasattr(window, "_asdict"):  # the named tuple that `ioos_qc` has
        window = window._asdict()
    if not isinstance(window, Mapping) or set(window) - {"starting", "ending"}:
        raise ConfigError("window", seen=window, allowed="a table with starting, ending")
    attributes = document.get("attrs") or {}
    return Context(
        streams={str(stream): modules for stream, modules in streams.items()},
        starting=_end(window, "starting"),
        ending=_end(window, "ending"),
        region=Region.from_geojson(document.get("region")),
        title=str(attributes.get("title", "")) if isinstance(attributes, Mapping) else "",
    )


def _end(window: Mapping[str, Any], key: str) -> int | None:
    value = window.get(key)
    if value is None:
        return None
    try:
        return int(microseconds([str(value)])[0]) if not isinstance(value, str) else moment(value)
    except ValueError as error:
        raise ConfigError(f"window.{key}", seen=value, allowed="a time such as 2020-01-31T08:00:00Z") from error
