"""Derived Datastreams and functions as documents of the native API."""

from __future__ import annotations

from typing import Any

from nilometer.derivation.function import Function
from nilometer.pipeline.defining import Declared

__all__ = ["declared_document", "function_document"]


def declared_document(declared: Declared) -> dict[str, Any]:
    """Return a derived Datastream as it is declared."""
    return {
        "datastream": declared.datastream.id,
        "key": declared.datastream.key,
        "unit": declared.datastream.unit,
        **declared.document,
        "inputs": {name: _said(one) for name, one in declared.document["inputs"].items()},
        "version": declared.version,
        "since": declared.since // 1000,
        "source": declared.source,
        "problem": declared.problem or None,
    }


def function_document(function: Function) -> dict[str, Any]:
    """Return what a function is: its inputs with units, ranges and defaults, and its source."""
    return {
        "name": function.name,
        "summary": function.summary,
        "unit": function.unit,
        "inputs": [
            {
                "name": name,
                "unit": one.unit,
                "low": _finite(one.low),
                "high": _finite(one.high),
                "default": one.default,
            }
            for name, one in function.inputs.items()
        ],
        "relative_uncertainty": function.relative_uncertainty or None,
        "absolute_uncertainty": function.absolute_uncertainty or None,
        "source": function.source,
    }


def _said(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _finite(edge: float) -> float | None:
    return edge if abs(edge) != float("inf") else None
