"""What SQLite and PostgreSQL call what the query language needs of them, so that both answer alike.

Neither LIKE nor a collation of the database's own takes part: texts compare by code points, case is Unicode's. Where
one of them lacks a function, SQLite is given ours in Python, and PostgreSQL has one of its own that does the same.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Double,
    Integer,
    Numeric,
    Text,
    and_,
    bindparam,
    case,
    cast,
    collate,
    func,
    literal,
    null,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON, JSONB
from sqlalchemy.types import UserDefinedType

from nilometer.web.sensorthings.query.column_functions import LARGEST, LEAST
from nilometer.web.sensorthings.query.columns import COMPARE
from nilometer.web.sensorthings.query.texts import WHITE

__all__ = ["DIALECTS", "Dialect", "prepare"]

Sql = ColumnElement[Any]
_OURS = "nilometer_"
_WHOLE = 2**53
_MANY = 1_000
_BEYOND = f"{10**300 + 1}"  # the first whole number that is not within `LARGEST`


class Dialect(Protocol):
    """The words of one database."""

    def json_kind(self, column: Sql, members: tuple[str, ...]) -> Sql:
        """Return the type of a member as text; null or ``null`` where there is none."""

    def json_likely(self, column: Sql, members: tuple[str, ...], operator: str, value: float | str) -> Sql | None:
        """Return what is true wherever a member compares so with a value, and costs less; None: nothing does.

        It may be true of a member of another type too, or of a number beside the value.
        """

    def json_text(self, column: Sql, members: tuple[str, ...]) -> Sql:
        """Return a member if it is a text, else null."""

    def json_number(self, column: Sql, members: tuple[str, ...]) -> Sql:
        """Return a member if it is a number, and one between ±1e300, else null."""

    def json_boolean(self, column: Sql, members: tuple[str, ...]) -> Sql:
        """Return 1 or 0 for a member that is true or false, else null."""

    def number(self, name: str, *arguments: Sql) -> Sql:
        """Return arithmetic on doubles; null beyond 1e300, and where it has no answer."""

    def find(self, hay: Sql, needle: Sql) -> Sql:
        """Return where a text is in another, from 1; 0: nowhere."""

    def cased(self, name: str, text: Sql) -> Sql:
        """Return a text in lower or upper case."""

    def trimmed(self, text: Sql) -> Sql:
        """Return a text without white space around it."""

    def place(self, number: Sql) -> Sql:
        """Return a number as a place in a text: whole, from 0 to 1e9."""

    def bytewise(self, text: Sql) -> Sql:
        """Return a text that is ordered by its code points."""

    def one_of(self, column: Sql, ids: Iterable[int]) -> Sql:
        """Return whether a column is one of any number of ids."""


class _Sqlite:
    """SQLite, with functions of ours where it has none that is the same everywhere."""

    def json_kind(self, column: Sql, members: tuple[str, ...]) -> Sql:
        return func.json_type(column, _route(members))

    def json_likely(self, column: Sql, members: tuple[str, ...], operator: str, value: float | str) -> Sql | None:
        return COMPARE[operator](self._read(column, members), literal(value))  # type: ignore[no-any-return]

    def json_text(self, column: Sql, members: tuple[str, ...]) -> Sql:
        return case((self.json_kind(column, members) == "text", cast(self._read(column, members), Text)))

    def json_number(self, column: Sql, members: tuple[str, ...]) -> Sql:
        read = cast(self._read(column, members), Double)
        within = and_(self.json_kind(column, members).in_(("integer", "real")), func.abs(read) <= LARGEST)
        return case((within, read))

    def json_boolean(self, column: Sql, members: tuple[str, ...]) -> Sql:
        return case({"true": 1, "false": 0}, value=self.json_kind(column, members))

    def number(self, name: str, *arguments: Sql) -> Sql:
        return getattr(func, _OURS + name)(*arguments, type_=Double)  # type: ignore[no-any-return]

    def find(self, hay: Sql, needle: Sql) -> Sql:
        return func.instr(hay, needle, type_=Integer)

    def cased(self, name: str, text: Sql) -> Sql:
        return getattr(func, _OURS + name)(text, type_=Text)  # type: ignore[no-any-return]

    def trimmed(self, text: Sql) -> Sql:
        return func.trim(text, WHITE, type_=Text)

    def place(self, number: Sql) -> Sql:
        return cast(func.min(func.max(number, 0), 10**9), Integer)

    def bytewise(self, text: Sql) -> Sql:
        return text

    def one_of(self, column: Sql, ids: Iterable[int]) -> Sql:
        each = func.json_each(literal(json.dumps(list(ids)), Text)).table_valued("value").alias()
        return column.in_(select(each.c.value))

    @staticmethod
    def _read(column: Sql, members: tuple[str, ...]) -> Sql:
        return func.json_extract(column, _route(members))


class _Written(UserDefinedType[list[int]]):
    """Numbers written into the statement, and into no cache of it."""

    cache_ok = True

    def literal_processor(self, dialect: Any) -> Callable[[list[int]], str]:  # noqa: ANN401 -- SQLAlchemy's
        """Return what writes them."""
        del dialect
        return lambda numbers: "'{" + ",".join(str(int(number)) for number in numbers) + "}'::bigint[]"


class _Postgresql:
    """PostgreSQL, whose numbers refuse what leads too far: it is not asked for."""

    def json_kind(self, column: Sql, members: tuple[str, ...]) -> Sql:
        return func.json_typeof(_found(column, members))

    def json_likely(self, column: Sql, members: tuple[str, ...], operator: str, value: float | str) -> Sql | None:
        if operator == "eq":
            # An index answers it. Beyond 2**53 several whole numbers are the same double, but not the same JSON.
            is_one = isinstance(value, str) or abs(value) < _WHOLE
            return cast(column, JSONB).op("@>", return_type=Boolean())(_document(members, value)) if is_one else None
        if operator == "ne" or not isinstance(value, str):
            return None
        return COMPARE[operator](self.bytewise(_read(column, members)), literal(value, Text))  # type: ignore[no-any-return]

    def json_text(self, column: Sql, members: tuple[str, ...]) -> Sql:
        return case((self.json_kind(column, members) == "string", _read(column, members)))

    def json_number(self, column: Sql, members: tuple[str, ...]) -> Sql:
        # A case asks in order: no text is cast. What is beyond becomes one value, and that null: each operand is read
        # once so, where a comparison would look through the document anew.
        number: Sql = cast(_read(column, members), Numeric)
        for hold, beyond in ((func.least, _BEYOND), (func.greatest, f"-{_BEYOND}")):
            edge = cast(literal(beyond, Text), Numeric)
            number = func.nullif(hold(number, edge), edge, type_=Numeric())
        return case((self.json_kind(column, members) == "number", cast(number, Double)))

    def json_boolean(self, column: Sql, members: tuple[str, ...]) -> Sql:
        is_true = cast(cast(_read(column, members), Boolean), Integer)
        return case((self.json_kind(column, members) == "boolean", is_true))

    def number(self, name: str, *arguments: Sql) -> Sql:
        return _bounded(_NUMBERS[name](*arguments))

    def find(self, hay: Sql, needle: Sql) -> Sql:
        return func.strpos(self.bytewise(hay), needle, type_=Integer)

    def cased(self, name: str, text: Sql) -> Sql:
        function = func.lower if name == "tolower" else func.upper
        return self.bytewise(function(collate(text, "und-x-icu"), type_=Text))

    def trimmed(self, text: Sql) -> Sql:
        return func.btrim(text, literal(WHITE, Text), type_=Text)

    def place(self, number: Sql) -> Sql:
        return cast(func.trunc(func.least(func.greatest(number, 0), 10**9)), Integer)

    def bytewise(self, text: Sql) -> Sql:
        return collate(text, "C")

    def one_of(self, column: Sql, ids: Iterable[int]) -> Sql:
        numbers = list(ids)
        if len(numbers) < _MANY:
            return column == func.any(literal(numbers, ARRAY(BigInteger)))
        # Each element of a parameter is wrapped and unwrapped several times on its way; as text they take a third.
        return column == func.any(bindparam(None, numbers, _Written(), unique=True, literal_execute=True))


def _found(column: Sql, members: tuple[str, ...]) -> Sql:
    """Return a member. JSON is looked through for it: to make JSONB of a document first takes twice as long."""
    for name in members:
        column = column.op("->", return_type=JSON())(_step(name))
    return column


def _read(column: Sql, members: tuple[str, ...]) -> Sql:
    """Return a member, or the whole document, as text."""
    if not members:
        return column.op("#>>", return_type=Text())(cast(literal("{}", Text), ARRAY(Text)))
    return _found(column, members[:-1]).op("->>", return_type=Text())(_step(members[-1]))


def _step(name: str) -> Sql:
    """Return a name, which only objects have, or the place of an element, which only arrays have."""
    return literal(int(name[1:-1]), Integer) if name.startswith("[") else cast(literal(name, Text), Text)


def _route(members: tuple[str, ...]) -> Sql:
    return literal(_steps(members), Text)


def _steps(members: tuple[str, ...]) -> str:
    """Return a path of JSON; the place of an element stands in brackets already."""
    return "$" + "".join(name if name.startswith("[") else f'."{name}"' for name in members)


def _jsonb(value: object) -> Sql:
    return cast(literal(json.dumps(value, ensure_ascii=False), Text), JSONB)


def _document(members: tuple[str, ...], value: float | str) -> Sql:
    """Return a document that has nothing but one member; one that contains it has it, at whatever place of an array."""
    document: object = value
    for name in reversed(members):
        document = [document] if name.startswith("[") else {name: document}
    return _jsonb(document)


def _bounded(number: Sql) -> Sql:
    return case((func.abs(number) > LARGEST, null()), (func.abs(number) < LEAST, literal(0.0, Double)), else_=number)


def _product(a: Sql, b: Sql, sign: int) -> Sql:
    """Return a product or a quotient where its logarithm says that a double can hold it."""
    # A planner that knows a constant works out every branch: none may fail.
    b_size = func.ln(func.coalesce(func.nullif(func.abs(b), 0), 1))
    size = func.ln(func.coalesce(func.nullif(func.abs(a), 0), 1)) + sign * b_size
    return case(
        (or_(a.is_(None), b.is_(None)), null()),
        (b == 0, literal(0.0, Double) if sign > 0 else null()),
        (a == 0, literal(0.0, Double)),
        (size > 700, null()),
        (size < -700, literal(0.0, Double)),
        else_=a * b if sign > 0 else a / func.nullif(b, 0),
    )


def _remainder(a: Sql, b: Sql) -> Sql:
    return a - b * func.trunc(_bounded(_product(a, b, -1)))


def _rounded(x: Sql) -> Sql:
    return func.sign(x) * func.floor(func.abs(x) + literal(0.5, Double))


_NUMBERS: dict[str, Callable[..., Sql]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: _product(a, b, 1),
    "div": lambda a, b: _product(a, b, -1),
    "mod": _remainder,
    "neg": lambda a: -a,
    "round": _rounded,
    "floor": func.floor,
    "ceiling": func.ceil,
}


def _python(function: Callable[..., float | None]) -> Callable[..., float | None]:
    """Return a function of numbers for SQLite: null of null, and of what leads too far."""

    def bounded(*arguments: float | None) -> float | None:
        if None in arguments:
            return None
        number = function(*(float(one) for one in arguments if one is not None))
        if number is None or not abs(number) <= LARGEST:
            return None
        # A whole number of Python's may be longer than SQLite takes.
        return float(number) if abs(number) >= LEAST else 0.0

    return bounded


def _quotient(a: float, b: float) -> float | None:
    return a / b if b else None


def _modulo(a: float, b: float) -> float | None:
    whole = a / b if b else math.inf
    return a - b * math.trunc(whole) if abs(whole) <= LARGEST else None


_PYTHON: dict[str, tuple[int, Callable[..., Any]]] = {
    "add": (2, _python(lambda a, b: a + b)),
    "sub": (2, _python(lambda a, b: a - b)),
    "mul": (2, _python(lambda a, b: a * b)),
    "div": (2, _python(_quotient)),
    "mod": (2, _python(_modulo)),
    "neg": (1, _python(lambda a: -a)),
    "round": (1, _python(lambda x: math.copysign(math.floor(abs(x) + 0.5), x))),
    "floor": (1, _python(math.floor)),
    "ceiling": (1, _python(math.ceil)),
    "tolower": (1, lambda text: None if text is None else text.lower()),
    "toupper": (1, lambda text: None if text is None else text.upper()),
}

DIALECTS: dict[str, Dialect] = {"sqlite": _Sqlite(), "postgresql": _Postgresql()}
"""By SQLAlchemy's name."""


def prepare(connection: Connection) -> Dialect:
    """Return the words of a connection's database; SQLite's connection learns our functions the first time."""
    name = connection.dialect.name
    if name == "sqlite" and _OURS not in connection.info:
        raw = connection.connection.driver_connection
        if isinstance(raw, sqlite3.Connection):
            for function, (arguments, body) in _PYTHON.items():
                raw.create_function(_OURS + function, arguments, body, deterministic=True)
        connection.info[_OURS] = True
    return DIALECTS[name]
