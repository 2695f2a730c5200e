"""Query options: ``$filter $count $orderby $skip $top $expand $select``, and the same inside ``$expand(…)``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from nilometer.errors import NotSupported, RequestError, near
from nilometer.web.sensorthings.answers.paging import Token, read_token
from nilometer.web.sensorthings.expressions import Expression
from nilometer.web.sensorthings.grammar import Parser, parse_expression
from nilometer.web.sensorthings.tokens import TokenKind
from nilometer.web.times import parse_moment

__all__ = ["Expansion", "Options", "Order", "decode_query", "encode_query", "parse_options"]

SYSTEM = ("$filter", "$count", "$orderby", "$skip", "$skiptoken", "$top", "$expand", "$select", "$resultFormat")
UNSUPPORTED = ("$format", "$apply", "$search", "$compute")
WHOLE = frozenset({"$resultFormat", "$skiptoken"})
"""Options of the whole answer, not of an expansion."""
RESULT_FORMATS = ("dataArray", "CSV", "GeoJSON")
CUSTOM = ("samples", "as_of")
MOST_LEVELS = 8
_WHOLE = re.compile(r"\d{1,30}", re.ASCII)
_MOST = 10**18
"""More than there can be: a larger `$top` or `$skip` means the same."""


@dataclass(frozen=True, slots=True)
class Order:
    """One key of ``$orderby``."""

    by: Expression
    descending: bool


@dataclass(frozen=True, slots=True)
class Expansion:
    """One relation to follow, with the options that hold inside it."""

    relation: str
    options: Options
    at: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked; `texts` keeps every option as written, for next links.

    Ours are `samples` (``all`` shows check and standard samples beside the water) and `as_of` (µs UTC: Observations as
    they were known then, wherever they show). `ids_as_text` is of the client, not of the URL: it cannot hold the
    numbers of Observations.
    """

    filter: Expression | None = None
    count: bool = False
    orderby: tuple[Order, ...] = ()
    skip: int = 0
    top: int | None = None
    expand: tuple[Expansion, ...] = ()
    select: tuple[str, ...] = ()
    samples: str = "water"
    as_of: int | None = None
    result_format: str = ""
    skiptoken: Token | None = None
    ids_as_text: bool = False
    texts: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def given(self, name: str) -> bool:
        """Say whether the option was written."""
        return any(seen == name for seen, _ in self.texts)


def decode_query(raw: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a query string, decoded.

    Parameters
    ----------
    raw : bytes
        As the URL has it. A ``+`` is a blank, as HTML forms and most clients write one.

    Raises
    ------
    RequestError
        If it is not UTF-8.
    """
    pairs = []
    for part in raw.split(b"&"):
        if not part:
            continue
        name, _, value = part.partition(b"=")
        try:
            pairs.append((_decode(name), _decode(value)))
        except UnicodeDecodeError as error:
            raise RequestError("the query is not UTF-8", place=repr(part[:40])) from error
    return pairs


def _decode(raw: bytes) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a query string that `decode_query` reads back."""
    return "&".join(f"{quote(name, safe='$')}={quote(value, safe='(),$:;=/')}" for name, value in pairs)


def parse_options(pairs: Iterable[tuple[str, str]]) -> Options:
    """Return the options of a request.

    Parameters
    ----------
    pairs : iterable of (str, str)
        Names and values, decoded.

    Raises
    ------
    RequestError
        If an option is unknown, written twice, or malformed.
    NotSupported
        If it is one of the standard's that this version does not serve.
    """
    # Clients write a query over several lines, of which a browser keeps the blanks.
    return _gather([(name.strip(), text) for name, text in pairs], level=0)


def _gather(pairs: list[tuple[str, str]], level: int, prefix: str = "") -> Options:
    options = Options(texts=tuple(pairs))
    seen: set[str] = set()
    for name, text in pairs:
        place = prefix + name
        if name in seen:
            raise RequestError("given twice", place=place)
        seen.add(name)
        options = _option(options, name, text, place, level)
    return options


def _option(options: Options, name: str, text: str, place: str, level: int) -> Options:
    if name == "$expand":
        return replace(options, expand=_expansions(text, place, level))
    if level and name in WHOLE:
        raise RequestError("goes with the whole answer, not with an expansion", place=place)
    if name in _READERS:
        field_name = "result_format" if name == "$resultFormat" else name.removeprefix("$")
        return replace(options, **{field_name: _READERS[name](text, place)})
    if name in UNSUPPORTED:
        raise NotSupported("this option is not served", place=place)
    close = near(name if name.startswith("$") else f"${name}", (*SYSTEM, *CUSTOM))
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise RequestError(f"unknown option{hint} (allowed: {', '.join((*SYSTEM, *CUSTOM))})", place=place[:60])


def _moment(text: str, place: str) -> int:
    moment = parse_moment(text, place)
    if moment is None:
        raise RequestError("no moment is given", place=place)
    return moment


def _samples(text: str, place: str) -> str:
    if text not in {"water", "all"}:
        raise RequestError(f"{text[:40]!r} is neither water nor all", place=place)
    return text


def _boolean(text: str, place: str) -> bool:
    if text not in {"true", "false"}:
        raise RequestError(f"{text[:40]!r} is neither true nor false", place=place)
    return text == "true"


def _whole(text: str, place: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise RequestError(f"{text[:40]!r} is not a whole number from 0", place=place)
    return min(int(text), _MOST)


def _result_format(text: str, place: str) -> str:
    for known in RESULT_FORMATS:
        if text.lower() == known.lower():
            return known
    raise RequestError(f"{text[:40]!r} is no result format (allowed: {', '.join(RESULT_FORMATS)})", place=place)


def _orders(text: str, place: str) -> tuple[Order, ...]:
    parser = Parser(text, place)
    orders = []
    while True:
        by = parser.expression()
        descending = parser.accept("desc")
        if not descending:
            parser.accept("asc")
        orders.append(Order(by, descending))
        if not parser.accept(","):
            break
    parser.expect_end()
    return tuple(orders)


def _names(text: str, place: str) -> tuple[str, ...]:
    parser = Parser(text, place)
    names = ["/".join(parser.path().names)]
    while parser.accept(","):
        names.append("/".join(parser.path().names))
    parser.expect_end()
    return tuple(dict.fromkeys(names))


_READERS: dict[str, Callable[[str, str], Any]] = {
    "$filter": parse_expression,
    "$count": _boolean,
    "$orderby": _orders,
    "$skip": _whole,
    "$skiptoken": read_token,
    "$top": _whole,
    "$select": _names,
    "$resultFormat": _result_format,
    "samples": _samples,
    "as_of": _moment,
}


def _expansions(text: str, place: str, level: int) -> tuple[Expansion, ...]:
    parser = Parser(text, place)
    found = [_expansion(parser, level)]
    while parser.accept(","):
        found.append(_expansion(parser, level))
    parser.expect_end()
    return _merge(found, place)


def _expansion(parser: Parser, level: int) -> Expansion:
    path = parser.path()
    if level + len(path.names) > MOST_LEVELS:
        raise parser.error(f"expanded deeper than {MOST_LEVELS} levels", path.at)
    place = f"{parser.place} at {path.at}"
    pairs: list[tuple[str, str]] = []
    if parser.accept("("):
        pairs.append(_inner(parser))
        while parser.accept(";"):
            pairs.append(_inner(parser))
        parser.expect(")")
    prefix = f"{parser.place}({'/'.join(path.names)}) "
    options = _gather(pairs, level + len(path.names), prefix)
    for name in reversed(path.names[1:]):
        expansion = Expansion(name, options, place)
        options = Options(expand=(expansion,), texts=(("$expand", _written(expansion)),))
    return Expansion(path.names[0], options, place)


def _inner(parser: Parser) -> tuple[str, str]:
    """Read one ``$name=value`` inside parentheses; the value ends at ``;`` or at the closing ``)``."""
    name = parser.take()
    if name.kind is not TokenKind.OPTION:
        raise parser.error("expected an option such as $top=1", name.at)
    parser.expect("=")
    start, depth = parser.peek().at, 0
    while True:
        token = parser.peek()
        if token.kind is TokenKind.END:
            raise parser.error("the parenthesis of $expand is not closed")
        if not depth and token.text in {";", ")"}:
            break
        if token.kind is TokenKind.SIGN:
            depth += (token.text == "(") - (token.text == ")")
        parser.take()
    return name.text, parser.text[start : token.at].strip()


def _written(expansion: Expansion) -> str:
    inner = ";".join(f"{name}={text}" for name, text in expansion.options.texts)
    return f"{expansion.relation}({inner})" if inner else expansion.relation


def _merge(found: list[Expansion], place: str) -> tuple[Expansion, ...]:
    """Make one of several expansions of a relation: ``A/B,A/C`` follows A once."""
    merged: dict[str, Expansion] = {}
    for item in found:
        before = merged.get(item.relation)
        merged[item.relation] = item if before is None else _join(before, item, place)
    return tuple(merged.values())


def _join(first: Expansion, second: Expansion, place: str) -> Expansion:
    expand = _merge([*first.options.expand, *second.options.expand], place)
    texts = dict(first.options.texts)
    for name, text in second.options.texts:
        if name != "$expand" and texts.setdefault(name, text) != text:
            raise RequestError(f"{first.relation} is expanded twice with two different {name}", place=place)
    base = replace(first.options, expand=())
    for name in ("filter", "count", "orderby", "skip", "top", "select", "samples"):
        if second.options.given(f"${name}") or second.options.given(name):
            base = replace(base, **{name: getattr(second.options, name)})
    if expand:
        texts["$expand"] = ",".join(_written(item) for item in expand)
    return Expansion(first.relation, replace(base, expand=expand, texts=tuple(texts.items())), first.at)
