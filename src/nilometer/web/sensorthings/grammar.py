"""The grammar of filter expressions, by recursive descent over tokens.

Precedence, high to low: member access and calls; unary minus; ``mul div mod``; ``add sub``; ``gt ge lt le``; ``eq ne``;
``and``; ``or``. Left-associative. ``not`` reaches over the comparison that follows it: of two truth values
``not a eq b`` says the same either way, and of other values nothing else has a meaning. Nothing here looks at entities.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from nilometer.errors import RequestError
from nilometer.web.sensorthings.expressions import (
    Binary,
    Call,
    Expression,
    Lambda,
    Literal,
    Logical,
    Path,
    Unary,
    parts_of,
)
from nilometer.web.sensorthings.tokens import Token, TokenKind, tokens
from nilometer.web.times import parse_time

__all__ = ["Parser", "parse_expression"]

MOST_NESTING = 60
MOST_NODES = 4000
MOST_DEPTH = 100
MOST_STEPS = 250
"""Of a path: every member of JSON that is kept (nested 200 deep) can be named, and who walks it may recurse."""
_PLACE = re.compile(r"\d{1,9}", re.ASCII)
_LEVELS = (("eq", "ne"), ("gt", "ge", "lt", "le"), ("add", "sub"), ("mul", "div", "mod"))


def parse_expression(text: str, place: str = "$filter") -> Expression:
    """Return the tree of one filter expression.

    Parameters
    ----------
    text : str
        The expression, decoded.
    place : str
        The option's name, for errors.

    Raises
    ------
    RequestError
        If it is no expression; the place has the column.

    Examples
    --------
    >>> parse_expression("result gt 3 and not (id eq 4)").operator
    'and'
    """
    parser = Parser(text, place)
    expression = parser.expression()
    parser.expect_end()
    return expression


class Parser:
    """A cursor over tokens, with the rules of expressions.

    Parameters
    ----------
    text : str
        What to parse.
    place : str
        The option's name, for errors.
    """

    def __init__(self, text: str, place: str) -> None:
        self.text = text
        self.place = place
        self._tokens = tokens(text, place)
        self._next = 0
        self._depth = 0
        self._nodes = 0

    def peek(self) -> Token:
        """Return the next token and stay."""
        return self._tokens[self._next]

    def take(self) -> Token:
        """Return the next token and move past it."""
        token = self._tokens[self._next]
        if token.kind is not TokenKind.END:
            self._next += 1
        return token

    def accept(self, text: str) -> bool:
        """Move past the next token if it is this sign or name, and say whether it was."""
        token = self.peek()
        if token.text != text or token.kind not in {TokenKind.SIGN, TokenKind.NAME}:
            return False
        self._next += 1
        return True

    def expect(self, text: str) -> None:
        """Move past this sign, or refuse."""
        if not self.accept(text):
            raise self.error(f"expected {text!r}, found {self._seen()}")

    def expect_end(self) -> None:
        """Refuse anything that is left."""
        if self.peek().kind is not TokenKind.END:
            raise self.error(f"unexpected {self._seen()}")

    def name(self) -> str:
        """Return the next token if it is a name, or refuse."""
        if self.peek().kind is not TokenKind.NAME:
            raise self.error(f"expected a name, found {self._seen()}")
        return self.take().text

    def error(self, message: str, at: int | None = None) -> RequestError:
        """Return the error of this place; columns count from 0."""
        return RequestError(message, place=f"{self.place} at {self.peek().at if at is None else at}")

    def expression(self) -> Expression:
        """Parse ``or``, the loosest."""
        found = self._deeper(lambda: self._logical("or", lambda: self._logical("and", lambda: self._binary(0))))
        if not self._depth:
            self._check_depth(found)
        return found

    def _check_depth(self, expression: Expression) -> None:
        """Refuse a tree that is too deep for those who walk it: chains in parentheses add up."""
        level, depth = [expression], 0
        while level:
            depth += 1
            if depth > MOST_DEPTH:
                raise self.error(f"nested deeper than {MOST_DEPTH} operators and functions", level[0].at)
            level = [part for node in level for part in parts_of(node)]

    def path(self, *, elements: bool = False) -> Path:
        """Parse ``name/name/…``; with `elements` also ``name[0]/name``."""
        at = self.peek().at
        names = [self.name()]
        while len(names) <= MOST_STEPS:
            if self.accept("/"):
                names.append(self.name())
            elif elements and self.accept("["):
                names.append(self._element())
            else:
                return Path(tuple(names), at)
        raise self.error(f"a path of more than {MOST_STEPS} steps", at)

    def _element(self) -> str:
        token = self.take()
        if token.kind is not TokenKind.NUMBER or _PLACE.fullmatch(token.text) is None:
            raise self.error("expected the place of an element, a whole number from 0", token.at)
        self.expect("]")
        return f"[{int(token.text)}]"

    def _deeper(self, rule: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > MOST_NESTING:
            raise self.error(f"nested deeper than {MOST_NESTING}")
        try:
            return rule()
        finally:
            self._depth -= 1

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise self.error(f"longer than {MOST_NODES} terms")

    def _logical(self, operator: str, operand: Callable[[], Expression]) -> Expression:
        at = self.peek().at
        operands = [operand()]
        while self.accept(operator):
            operands.append(operand())
        return operands[0] if len(operands) == 1 else Logical(operator, tuple(operands), at)

    def _binary(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        chain = 0
        while self.peek().kind is TokenKind.NAME and self.peek().text in _LEVELS[level]:
            chain += 1
            if chain > MOST_NESTING:
                raise self.error(f"more than {MOST_NESTING} operators in a row; use parentheses or fewer terms")
            token = self.take()
            left = Binary(token.text, left, self._binary(level + 1), token.at)
        return left

    def _unary(self) -> Expression:
        token = self.peek()
        if self.accept("-"):
            operand = self._deeper(self._unary)
            if isinstance(operand, Literal) and operand.kind == "number":
                return Literal("number", -operand.value, token.at)
            return Unary("-", operand, token.at)
        if token.kind is TokenKind.NAME and token.text == "not":
            self.take()
            return Unary("not", self._deeper(lambda: self._binary(0)), token.at)
        return self._primary()

    def _primary(self) -> Expression:
        self._count()
        token = self.peek()
        if self.accept("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if token.kind in _LITERALS:
            self.take()
            return self._literal(token)
        if token.kind is TokenKind.NAME:
            if token.text in _WORDS:
                self.take()
                kind, value = _WORDS[token.text]
                return Literal(kind, value, token.at)
            return self._path_or_call()
        raise self.error(f"expected a value, found {self._seen()}")

    def _path_or_call(self) -> Expression:
        path = self.path(elements=True)
        if not self.accept("("):
            return path
        if len(path.names) > 1:
            return self._lambda(path)
        arguments: list[Expression] = []
        if not self.accept(")"):
            arguments.append(self.expression())
            while self.accept(","):
                arguments.append(self.expression())
            self.expect(")")
        return Call(path.names[0], tuple(arguments), path.at)

    def _lambda(self, path: Path) -> Expression:
        quantifier, to = path.names[-1], Path(path.names[:-1], path.at)
        if quantifier not in _QUANTIFIERS:
            raise self.error(f"{quantifier[:40]!r} is neither any nor all, and no function follows a path", path.at)
        if quantifier == "any" and self.accept(")"):
            return Lambda(quantifier, to, "", None, path.at)
        name = self.name()
        self.expect(":")
        body = self.expression()
        self.expect(")")
        return Lambda(quantifier, to, name, body, path.at)

    def _literal(self, token: Token) -> Literal:
        if token.kind is TokenKind.NUMBER:
            return Literal("number", self._number(token), token.at)
        if token.kind is TokenKind.TEXT:
            return Literal("text", token.text[1:-1].replace("''", "'"), token.at)
        if token.kind is TokenKind.TIME:
            return self._time(token)
        if token.kind is TokenKind.TYPED:
            kind, _, text = token.text.partition("'")
            if kind not in {"duration", "geography"}:
                raise self.error(f"unknown kind of literal {kind!r} (allowed: duration, geography)", token.at)
            return Literal(kind, text[:-1].replace("''", "'"), token.at)
        return Literal("date" if token.kind is TokenKind.DATE else "clock", token.text, token.at)

    def _number(self, token: Token) -> int | float:
        if token.text.isascii() and token.text.isdigit() and len(token.text) <= 300:
            return int(token.text)
        number = float(token.text)
        if not math.isfinite(number):
            raise self.error(f"{token.text[:40]} is too large for a number", token.at)
        return number

    def _time(self, token: Token) -> Literal:
        place = f"{self.place} at {token.at}"
        start = parse_time(token.text, place)
        if self.peek().text != "/":
            return Literal("time", start, token.at)
        self.take()
        if self.peek().kind is not TokenKind.TIME:
            raise self.error(f"expected the end of an interval, found {self._seen()}")
        end = parse_time(self.take().text, place)
        return Literal("interval", (start, end), token.at)

    def _seen(self) -> str:
        token = self.peek()
        return "the end" if token.kind is TokenKind.END else repr(token.text[:40])


_LITERALS = frozenset(
    {TokenKind.NUMBER, TokenKind.TEXT, TokenKind.TIME, TokenKind.DATE, TokenKind.CLOCK, TokenKind.TYPED}
)
_QUANTIFIERS = frozenset({"any", "all"})
_WORDS: dict[str, tuple[str, bool | None]] = {
    "true": ("boolean", True),
    "false": ("boolean", False),
    "null": ("null", None),
}
