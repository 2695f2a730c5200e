"""Observations as JSON text, a column for each property: what lists, data arrays and CSV are joined from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.web.sensorthings.answers import quality_texts
from nilometer.web.sensorthings.answers.texts import (
    filled,
    interval_texts,
    join,
    json_text,
    number_texts,
    patched,
    quoted,
    time_texts,
)
from nilometer.web.sensorthings.members import chosen_members, member_of, pruned
from nilometer.web.sensorthings.quality import Evidence, split_extra
from nilometer.web.sensorthings.schema import OBSERVATION

__all__ = ["FLAG", "PROPERTIES", "ObservationTexts", "raw_objects", "read_columns"]

PROPERTIES: Final = ("id", *OBSERVATION.properties)
FLAG: Final = "resultQuality/flag"
AreMulti = Callable[[NDArray[np.int64]], NDArray[np.bool_]]
_Kept = Mapping[int, tuple[dict[str, Any], dict[str, Any]]]
"""Parameters and kept members of the rows that have some, by row."""
_ALWAYS: Final = frozenset({"result", "resultTime"})
"""Written as null where there is nothing; others are left out."""
_READ: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id",),
    "phenomenonTime": ("phenomenon_time", "duration"),
    "result": ("result", "extra"),
    "resultTime": ("result_time",),
    "resultQuality": quality_texts.COLUMNS,
    FLAG: ("result_quality", "provenance", "extra"),
    "validTime": ("extra",),
    "parameters": ("extra",),
    "Datastream": ("datastream",),
    "MultiDatastream": ("datastream",),
    "FeatureOfInterest": ("feature",),
}


def read_columns(names: Sequence[str]) -> list[str]:
    """Return the columns of OBSERVATION that properties and relations are made of."""
    return list(dict.fromkeys(column for name in ("id", *names) for column in _READ.get(name, ())))


class ObservationTexts:
    """Makes texts of rows, for one request.

    Parameters
    ----------
    root, api : str
        URLs of the SensorThings service and of the native API.
    evidence : Evidence
        What provenance says.
    are_multi : callable
        Says which of some ids are those of MultiDatastreams.
    ids_as_text : bool
        Whether objects have their id as a JSON text.
    """

    def __init__(
        self, root: str, api: str, evidence: Evidence, are_multi: AreMulti, *, ids_as_text: bool = False
    ) -> None:
        self._root, self._api, self._evidence, self._are_multi = root, api, evidence, are_multi
        self._quote = '"' if ids_as_text else ""

    def owner(self, stream: int) -> str:
        """Return the type that Observations under an id belong to."""
        return "MultiDatastream" if self._are_multi(np.array([stream]))[0] else "Datastream"

    def columns(self, rows: pa.Table, names: Sequence[str]) -> dict[str, Any]:
        """Return a column of JSON texts for each property, null where there is nothing.

        Parameters
        ----------
        rows : pyarrow.Table
            With the columns that `read_columns` names.
        names : sequence of str
            Of `PROPERTIES`, or members of them, such as `FLAG`.
        """
        rows = rows.combine_chunks()
        kept = _kept(rows) if "extra" in rows.schema.names else {}
        return {name: self._column(rows, name, kept) for name in names}

    def objects(self, rows: pa.Table, select: Sequence[str], expanded: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- pyarrow has no types
        """Return each row as a JSON object.

        Parameters
        ----------
        rows : pyarrow.Table
            With the columns that are selected.
        select : sequence of str
            Names of properties and relations; none: all.
        expanded : mapping
            For expanded relations a column of JSON objects.
        """
        if not len(rows):
            return pa.array([], pa.string())
        shown = chosen_members(select)
        texts = {
            name: _pruned(column, shown.get(name, ())) for name, column in self.columns(rows, _named(shown)).items()
        }
        number = number_texts(rows["id"].to_numpy())
        own = f"{self._inside(self._root)}/{OBSERVATION.plural}("
        members: list[Any] = []
        seldom: list[Any] = []
        if not shown or shown.keys() & {"id", "@iot.id"}:
            members.append(join(f'"@iot.id":{self._quote}', number, self._quote))
        if not shown or "@iot.selfLink" in shown:
            members.append(join(f'"@iot.selfLink":"{own}', number, ')"'))
        for name, column in texts.items():
            member = _member(name, column)
            (seldom if member.null_count else members).append(member)
        for relation, mine in self._relations(rows).items():
            if relation in expanded:
                member = join(f'"{relation}":', filled(expanded[relation], "null"))
            elif not shown or relation in shown:
                member = join(f'"{relation}@iot.navigationLink":"{own}', number, f')/{relation}"')
            else:
                continue
            if mine is None:
                members.append(member)
            else:
                seldom.append(pc.if_else(pa.array(mine), member, pa.scalar(None, pa.string())))
        if not members:
            return _of_seldom(seldom, len(rows))
        separated = [part for member in members for part in (",", member)]
        return join("{", *separated[1:], *(filled(join(",", part), "") for part in seldom), "}")

    def _relations(self, rows: pa.Table) -> dict[str, NDArray[np.bool_] | None]:
        """Return the relations that any of the rows has, with which of them; None: all."""
        is_multi = self._are_multi(rows["id"].to_numpy() >> 32)
        found: dict[str, NDArray[np.bool_] | None] = dict.fromkeys(OBSERVATION.relations)
        for name, mine in (("Datastream", ~is_multi), ("MultiDatastream", is_multi)):
            if not mine.any():
                del found[name]
            elif not mine.all():
                found[name] = mine
        return found

    def _column(self, rows: pa.Table, name: str, kept: _Kept) -> Any:  # noqa: ANN401 -- pyarrow has no types
        plain = _PLAIN.get(name)
        if plain is not None:
            return plain(rows, kept)
        supplied = {at: value for at, value in _given(kept, "@resultQuality").items() if value is not None}
        if name == FLAG:
            return quality_texts.flag_texts(rows, supplied, self._evidence)
        own, *members = name.split("/")
        if members:
            whole = self._column(rows, own, kept)
            return _each(whole, lambda value: member_of(value, members))
        return quality_texts.quality_texts(rows, self._evidence, self._api, supplied)

    @staticmethod
    def _inside(text: str) -> str:
        return json_text(text)[1:-1]


def _numbers(rows: pa.Table, kept: _Kept) -> Any:  # noqa: ANN401 -- pyarrow has no types
    del kept
    return number_texts(rows["id"].to_numpy())


def _phenomenon_times(rows: pa.Table, kept: _Kept) -> Any:  # noqa: ANN401 -- pyarrow has no types
    del kept
    return quoted(interval_texts(rows["phenomenon_time"].cast(pa.int64()).to_numpy(), rows["duration"].to_numpy()))


def _result_times(rows: pa.Table, kept: _Kept) -> Any:  # noqa: ANN401 -- pyarrow has no types
    del kept
    moments = rows["result_time"].cast(pa.int64())
    if moments.null_count == len(rows):
        return pa.nulls(len(rows), pa.string())
    texts = quoted(time_texts(moments.fill_null(0).to_numpy()))
    return pc.if_else(pa.array(moments.is_valid().to_numpy()), texts, pa.scalar(None, pa.string()))


def _results(rows: pa.Table, kept: _Kept) -> Any:  # noqa: ANN401 -- pyarrow has no types
    said = _given(kept, "@result")
    return patched(number_texts(rows["result"].to_numpy()), {at: json_text(value) for at, value in said.items()})


def _valid_times(rows: pa.Table, kept: _Kept) -> Any:  # noqa: ANN401 -- pyarrow has no types
    return _sparse(len(rows), _given(kept, "@validTime"))


def _parameters(rows: pa.Table, kept: _Kept) -> Any:  # noqa: ANN401 -- pyarrow has no types
    return _sparse(len(rows), {at: parameters for at, (parameters, _) in kept.items() if parameters})


_PLAIN: Final[Mapping[str, Callable[[pa.Table, _Kept], Any]]] = {
    "id": _numbers,
    "phenomenonTime": _phenomenon_times,
    "result": _results,
    "resultTime": _result_times,
    "validTime": _valid_times,
    "parameters": _parameters,
}


def _pruned(column: Any, chosen: Sequence[tuple[str, ...]]) -> Any:  # noqa: ANN401 -- pyarrow has no types
    return _each(column, lambda value: pruned(value, chosen)) if chosen else column


def _each(column: Any, made: Callable[[Any], Any]) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return JSON texts of what is made of each value; null where that is None."""
    values = (None if text is None else made(msgspec.json.decode(text)) for text in column.to_pylist())
    return pa.array([None if value is None else json_text(value) for value in values], pa.string())


def _kept(rows: pa.Table) -> _Kept:
    """Return parameters and kept members of the rows that have some."""
    extra = rows["extra"]
    if extra.null_count == len(rows):
        return {}
    there = np.flatnonzero(extra.is_valid().to_numpy())
    texts = extra.take(pa.array(there)).to_pylist()
    return {at: split_extra(text) for at, text in zip(there.tolist(), texts, strict=True)}


def _given(kept: _Kept, member: str) -> dict[int, Any]:
    return {at: members[member] for at, (_, members) in kept.items() if member in members}


def _sparse(n: int, values: Mapping[int, Any]) -> Any:  # noqa: ANN401 -- pyarrow has no types
    return patched(pa.nulls(n, pa.string()), {at: json_text(value) for at, value in values.items()})


def _member(name: str, column: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return a member of each object, null where it is left out."""
    if name == FLAG:
        return join('"resultQuality":{"flag":', column, "}")
    return join(f'"{name}":', filled(column, "null") if name in _ALWAYS else column)


def _named(shown: Mapping[str, Any]) -> list[str]:
    """Return which properties are shown; none asked for: all."""
    names = [name for name in OBSERVATION.properties if not shown or name in shown]
    if shown.get("resultQuality") == [("flag",)]:
        names[names.index("resultQuality")] = FLAG
    return names


def _of_seldom(members: Sequence[Any], n: int) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return objects of which every member may be left out."""
    rows = zip(*(member.to_pylist() for member in members), strict=True) if members else [()] * n
    return pa.array(["{" + ",".join(part for part in row if part is not None) + "}" for row in rows], pa.string())


def raw_objects(objects: Any) -> list[msgspec.Raw]:  # noqa: ANN401 -- pyarrow has no types
    """Return JSON objects as parts of a larger document."""
    return [msgspec.Raw(text.encode()) for text in objects.to_pylist()]
