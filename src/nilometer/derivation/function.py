"""Derived quantities as functions that know their inputs, their units and their uncertainty.

An equation is written once, as a scalar function of floats; `function` compiles it (on its first call, cached) and
wraps it::

    @function(temperature=Input("degree_Celsius", 0.0, 40.0), unit="kg m-3")
    def water_density(temperature: float) -> float:
        # a docstring with units, ranges, source and an example
        return …

What comes out takes every kind of series with or without units (`operands`), gives NaN outside of the valid range
rather than a number that nobody measured, and tells its uncertainty by the GUM (`estimate`).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from nilometer import plugins, units
from nilometer.derivation.operands import deviation, unpacked
from nilometer.uncertainty.estimate import Estimate
from nilometer.uncertainty.propagation import combined, correlation_matrix, partials
from nilometer.uncertainty.rounding import round_all
from nilometer.uncertainty.sources import Normal, Source

__all__ = ["Family", "Function", "Input", "families", "function", "functions"]

GROUP: Final = "nilometer.derivations"
_BLOCK: Final = 16_384  # so many values of a few inputs stay in the cache between two looks at them

Floats = NDArray[np.float64]
Outside = Literal["missing", "extrapolate"]


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a function.

    Parameters
    ----------
    unit : str
        CF text.
    low, high : float
        The valid range, both ends in it.
    default : float, optional
        Its value where it is not given; it is exact then.
    scale : float
        Its typical size, for the step of the derivative; 0: a hundredth of the range, or 1.
    typical : float, optional
        A usual value; None: the middle of the range.
    """

    unit: str
    low: float = -math.inf
    high: float = math.inf
    default: float | None = None
    scale: float = 0.0
    typical: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", units.canonical(self.unit))
        if not self.low < self.high:
            raise ValueError(f"the range {self.low} to {self.high} is none")
        if not self.scale:
            span = self.high - self.low
            object.__setattr__(self, "scale", span / 100.0 if math.isfinite(span) else 1.0)
        if self.typical is None:
            middle = (self.low + self.high) / 2.0
            object.__setattr__(self, "typical", middle if math.isfinite(middle) else self.scale)


@dataclass(eq=False)
class Function:
    """A derived quantity; made by `function`, or by `Function.made` of what is fitted or looked up.

    Parameters
    ----------
    name : str
        ``module.function``, such as ``oxygen.solubility``.
    inputs : dict of str to Input
        In the order of the call.
    unit : str
        CF text of the result.
    body : callable
        The scalar equation, or one of arrays where `is_compiled` is false.
    is_compiled : bool
        Whether Numba compiles the body; false: it is vectorised already.
    relative_uncertainty, absolute_uncertainty : float
        The equation's own standard uncertainty, as its source states it: of the result, or in its unit.
    """

    name: str
    inputs: dict[str, Input]
    unit: str
    body: Callable[..., Any] = field(repr=False)
    is_compiled: bool = True
    relative_uncertainty: float = 0.0
    absolute_uncertainty: float = 0.0

    def __post_init__(self) -> None:
        self.unit = units.canonical(self.unit)
        self.__doc__ = self.body.__doc__
        self.__name__ = self.name.rpartition(".")[2]
        self.__module__ = self.body.__module__
        self.__wrapped__ = self.body  # so that help, signature and doctest see the equation
        self._names = list(self.inputs)

    @staticmethod
    def made(
        name: str,
        inputs: Mapping[str, Input],
        unit: str,
        body: Callable[..., Any],
        *,
        relative_uncertainty: float = 0.0,
        absolute_uncertainty: float = 0.0,
    ) -> Function:
        """Return a function of something that was fitted or looked up; `body` computes on arrays."""
        return Function(name, dict(inputs), unit, body, False, relative_uncertainty, absolute_uncertainty)  # noqa: FBT003

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.body) or "").partition("\n")[0]

    @property
    def source(self) -> str:
        """The section References of the docstring, as one line."""
        return " ".join(section(inspect.getdoc(self.body) or "", "References").split())

    @cached_property
    def kernel(self) -> Callable[..., Any]:
        """The equation on arrays of float64 of one shape, or scalars: nothing is checked, no range is kept."""
        if not self.is_compiled:
            return self.body
        from numba import vectorize  # noqa: PLC0415 -- half a second that only a computation needs

        made: Callable[..., Any] = vectorize(nopython=True, cache=True)(self.body)
        return made

    def __call__(self, *series: Any, outside: Outside = "missing", **named: Any) -> Any:  # noqa: ANN401 -- any kind
        """Return the quantity, as the kind of series that the inputs are of.

        Parameters
        ----------
        *series, **named
            The inputs by place or by name: numbers, or arrays and series of one shape (NumPy, pandas, polars, xarray,
            Arrow), with pint units or an xarray attribute ``units``, or bare in the units of the function.
        outside : {"missing", "extrapolate"}
            What an input out of its valid range gives: NaN, or whatever the equation says there.

        Raises
        ------
        TypeError
            If an input is missing, unknown or given twice.
        UnitError
            If an input has a unit of another dimension.
        ValueError
            If the inputs are not of one shape, or their indices differ.
        """
        operands = unpacked(self.inputs, self._bound(series, named))
        return operands.rewrap(self._valid(operands.values, operands.size, outside), self.__name__, self.unit)

    def estimate(
        self,
        *series: Any,  # noqa: ANN401 -- any kind
        uncertainty: Mapping[str, Any],
        correlation: Mapping[tuple[str, str], float] | None = None,
        outside: Outside = "missing",
        **named: Any,  # noqa: ANN401 -- any kind
    ) -> Estimate:
        """Return the quantity with its combined standard uncertainty and where that comes from.

        Parameters
        ----------
        *series, **named, outside
            As in the call.
        uncertainty : mapping of str to float, array_like or Source
            Standard uncertainties by input, or what they come from (`nilometer.uncertainty`). An input that is not
            named is exact; where one is NaN that of the result is not known.
        correlation : mapping of (str, str) to float, optional
            Coefficients of inputs that err together, such as two readings of one instrument.

        Raises
        ------
        TypeError, UnitError
            As the call.
        ValueError
            Likewise, and if an uncertainty is negative or of no input.
        """
        operands = unpacked(self.inputs, self._bound(series, named))
        sources = {name: _source(self._names, name, given) for name, given in uncertainty.items()}
        spreads = [
            deviation(self.inputs[name], sources[name].standard(), operands.size) if name in sources else np.zeros(1)
            for name in self._names
        ]
        value = self._valid(operands.values, operands.size, outside)
        contributions = self._contributions(operands.values, spreads, value)
        matrix = correlation_matrix(self._names, correlation or {})
        total = _whole(self._total(contributions, matrix), operands.size)
        return Estimate(
            value=operands.rewrap(value, self.__name__, self.unit),
            uncertainty=operands.rewrap(
                np.where(np.isnan(value), np.nan, total), f"{self.__name__}_uncertainty", self.unit, is_difference=True
            ),
            unit=self.unit,
            name=self.name,
            inputs={
                name: (self.inputs[name].unit, operands.values[k], spreads[k], sources.get(name, Normal(0.0)))
                for k, name in enumerate(self._names)
            },
            contributions=contributions,
            results=value,
            combined=total,
        )

    def rows(
        self,
        values: Sequence[Floats],
        uncertainties: Sequence[Floats],
        correlation: NDArray[np.float64] | None = None,
    ) -> tuple[Floats, Floats]:
        """Return results and their uncertainties of rows, as they are stored: to digits that mean something.

        Parameters
        ----------
        values, uncertainties : sequence of ndarray of float64, shape (n,) or (1,)
            One of each an input, in order and in its unit; an uncertainty of 0 is exact, of NaN unknown.
        correlation : ndarray of float64, shape (k, k), optional
            Of the inputs.

        Returns
        -------
        result, result_uncertainty : ndarray of float64, shape (n,)
            u to two significant digits and the result to a power of ten not above u/100, as after a calibration;
            where u is unknown or 0 the result is as computed.
        """
        n = max(len(column) for column in values)
        result, spread = np.empty(n), np.empty(n)
        for start in range(0, n, _BLOCK):
            stop = min(start + _BLOCK, n)
            block = [column if len(column) == 1 else column[start:stop] for column in values]
            spreads = [column if len(column) == 1 else column[start:stop] for column in uncertainties]
            value = self._valid(block, stop - start, "missing")
            total = self._total(self._contributions(block, spreads, value), correlation)
            result[start:stop], spread[start:stop] = value, total
        spread[np.isnan(result)] = np.nan
        round_all(result, spread)
        return result, spread

    def compute(self, values: Sequence[Floats]) -> Floats:
        """Return the equation of arrays of one shape, whether in the valid range or not."""
        with np.errstate(all="ignore"):  # beyond its domain an equation gives NaN or infinity, which is seen later
            return np.asarray(self.kernel(*values), np.float64)

    def _bound(self, series: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        if len(series) > len(self._names):
            raise TypeError(f"{self.name} takes {len(self._names)} inputs ({', '.join(self._names)})")
        given = dict(zip(self._names, series, strict=False))
        for name, value in named.items():
            if name not in self.inputs:
                raise TypeError(f"{self.name} has no input {name!r} (it takes {', '.join(self._names)})")
            if name in given:
                raise TypeError(f"{self.name}: {name} is given twice")
            given[name] = value
        for name, known in self.inputs.items():
            if name not in given and known.default is None:
                raise TypeError(f"{self.name} needs {name}, in {known.unit}")
        return [given.get(name, known.default) for name, known in self.inputs.items()]

    def _valid(self, values: Sequence[Floats], size: int, outside: Outside) -> Floats:
        """Return the equation where every input is a number in its range, else NaN."""
        if outside not in {"missing", "extrapolate"}:
            raise ValueError(f"outside = {outside!r} (allowed: missing, extrapolate)")
        result = np.empty(size)
        known = list(self.inputs.values())
        for start in range(0, size, _BLOCK):
            stop = min(start + _BLOCK, size)
            block = [column if len(column) == 1 else column[start:stop] for column in values]
            part = result[start:stop]
            with np.errstate(all="ignore"):
                if self.is_compiled:
                    self.kernel(*block, out=part)
                else:
                    part[:] = self.body(*block)
            for column, quantity in zip(block, known, strict=True):
                low, high = (quantity.low, quantity.high) if outside == "missing" else (-math.inf, math.inf)
                if not (low <= column.min() and column.max() <= high):  # also where one of them is NaN
                    part[~_inside(column, low, high, stop - start)] = np.nan
        return result

    def _contributions(self, values: Sequence[Floats], spreads: Sequence[Floats], result: Floats) -> dict[str, Floats]:
        """Return cᵢ·uᵢ of every input that has an uncertainty, and that of the equation itself."""
        wanted = [k for k, spread in enumerate(spreads) if np.any(spread != 0.0)]
        slopes = partials(self, values, wanted)
        # Where a derivative has no bound an exact input still adds nothing, in whichever company it is computed.
        slopes = [
            slope if np.isfinite(slope).all() else np.where(spreads[k] == 0.0, 0.0, slope)
            for k, slope in zip(wanted, slopes, strict=True)
        ]
        found = {self._names[k]: slope * spreads[k] for k, slope in zip(wanted, slopes, strict=True)}
        if self.relative_uncertainty or self.absolute_uncertainty:
            found["equation"] = np.hypot(self.relative_uncertainty * result, self.absolute_uncertainty)
        return found

    def _total(self, contributions: Mapping[str, Floats], correlation: NDArray[np.float64] | None) -> Floats:
        if not contributions:
            return np.zeros(1)
        matrix = None
        if correlation is not None:
            matrix = np.eye(len(contributions))
            places = [(row, self._names.index(name)) for row, name in enumerate(contributions) if name in self.inputs]
            for row, k in places:
                for column, j in places:
                    matrix[row, column] = correlation[k, j]
        return combined(list(contributions.values()), matrix)


def _inside(column: Floats, low: float, high: float, size: int) -> NDArray[np.bool_]:
    inside = (column >= low) & (column <= high)
    return inside if len(inside) == size else np.broadcast_to(inside, (size,))


def _whole(column: Floats, size: int) -> Floats:
    return column if len(column) == size else np.broadcast_to(column, (size,)).copy()


def _source(names: Sequence[str], name: str, given: Any) -> Source:  # noqa: ANN401 -- a number, a series or a Source
    if name not in names:
        raise ValueError(f"uncertainty of {name!r}: there is no such input ({', '.join(names)})")
    return given if isinstance(given, Source) else Normal(given)


def function(
    *,
    unit: str,
    compiled: bool = True,
    relative_uncertainty: float = 0.0,
    absolute_uncertainty: float = 0.0,
    **inputs: Input,
) -> Callable[[Callable[..., Any]], Function]:
    """Return the decorator that makes a `Function` of a scalar equation.

    Parameters
    ----------
    unit : str
        CF text of what it gives.
    compiled : bool
        False: the body takes arrays of float64 and is vectorised (where a compiled library does the work).
    relative_uncertainty, absolute_uncertainty : float
        As in `Function`.
    **inputs : Input
        By the names of the body's parameters, in their order.

    Raises
    ------
    TypeError
        If the inputs are not the parameters of the body.
    """

    def made(body: Callable[..., Any]) -> Function:
        parameters = list(inspect.signature(body).parameters)
        if parameters != list(inputs):
            raise TypeError(f"{body.__name__} has the parameters {parameters}, and inputs {list(inputs)} were declared")
        name = f"{body.__module__.rpartition('.')[2]}.{body.__name__}"
        return Function(name, inputs, unit, body, compiled, relative_uncertainty, absolute_uncertainty)

    return made


@dataclass(frozen=True, slots=True)
class Family:
    """Functions that need settings: a rating curve, a strapping table.

    Parameters
    ----------
    name : str
        ``module.family``.
    summary : str
        One line.
    settings : mapping of str to str
        What may be set, each with a line on it.
    make : callable
        Takes the settings as read from TOML or JSON and gives the Function.
    """

    name: str
    summary: str
    settings: Mapping[str, str]
    make: Callable[[Mapping[str, Any]], Function]


@cache
def functions() -> plugins.Found[Function]:
    """Return every installed function by name, such as ``oxygen.solubility``."""
    return plugins.instances(GROUP, Function)


@cache
def families() -> plugins.Found[Family]:
    """Return every installed family of functions by name."""
    return plugins.instances(GROUP, Family)


def section(document: str, title: str) -> str:
    """Return the text of a section of a numpydoc docstring; empty where there is none."""
    lines = document.splitlines()
    for at, line in enumerate(lines[:-1]):
        if line.strip() == title and set(lines[at + 1].strip()) == {"-"}:
            body = lines[at + 2 :]
            ends = [k for k in range(1, len(body)) if body[k].strip() and set(body[k].strip()) == {"-"}]
            return "\n".join(body[: ends[0] - 1] if ends else body).strip()
    return ""
