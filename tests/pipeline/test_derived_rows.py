"""Rows of derived Datastreams: alignment, flags, missing inputs, and that any cut of the times gives the same bytes."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.derivation import oxygen
from nilometer.derivation.function import Function, Input
from nilometer.pipeline.derived_rows import (
    Definition,
    DerivedRows,
    Operand,
    Rows,
    gathered,
    is_final,
    rows_of,
    rows_of_each,
)

DO, TEMPERATURE, PRESSURE = 1, 2, 3
USED = frozenset({1, 2, 3})


def rows(times: Any, values: Any, **columns: Any) -> Rows:
    n = len(times)
    nan, zeros = np.full(n, np.nan), np.zeros(n, np.int64)
    plain: dict[str, Any] = {
        "time": np.array(times, np.int64),
        "id": np.arange(n, dtype=np.int64),
        "result": np.array(values, float),
        "uncertainty": nan,
        "quality": np.ones(n, np.int8),
        "censored": np.zeros(n, np.int8),
        "duration": zeros,
        "feature": np.ones(n, np.int32),
        "depth": nan,
        "latitude": nan,
        "longitude": nan,
        "said": np.zeros(n, np.int8),
        "reviewed": np.zeros(n, np.bool_),
    }
    kinds = {name: column.dtype for name, column in plain.items()}
    plain |= {name: np.array(column, kinds[name]) for name, column in columns.items()}
    return Rows(**plain).sorted()


def saturation(**temperature: Any) -> Definition:
    return Definition(
        datastream=9,
        function=oxygen.saturation,
        operands=(
            Operand("dissolved_oxygen", DO),
            Operand("temperature", TEMPERATURE, **temperature),
            Operand("salinity"),
            Operand("pressure", value=1.0),
        ),
        clock=0,
        deadline=None,
        used=USED,
    )


def said(made: DerivedRows) -> list[tuple[int, int, bool]]:
    return list(zip(made.time.tolist(), made.said.tolist(), np.isfinite(made.result).tolist(), strict=True))


@pytest.mark.parametrize(
    ("align", "tolerance", "at", "taken"),
    [
        ("nearest", 0, 50, None),
        ("nearest", 0, 40, 12.0),
        ("nearest", 10, 50, 12.0),  # of two equally near the earlier
        ("nearest", 20, 51, 14.0),
        ("nearest", 9, 50, None),
        ("previous", 20, 59, 12.0),
        ("previous", 10, 30, None),
        ("linear", 20, 45, 12.5),
        ("linear", 14, 45, None),  # the one behind is too far
        ("linear", 20, 60, 14.0),
        ("linear", 20, 61, None),
    ],
)
def test_an_input_is_taken_at_the_time_of_the_clock(align: str, tolerance: int, at: int, taken: float | None) -> None:
    inputs = {DO: rows([at], [8.0]), TEMPERATURE: rows([40, 60], [12.0, 14.0])}
    made = rows_of(saturation(align=align, tolerance=tolerance), inputs)
    if taken is None:
        assert said(made) == [(at, 9, False)]
    else:
        assert said(made) == [(at, 1, True)]
        assert made.result.item() == oxygen.saturation(8.0, taken, 0.0, 1.0)


def test_flags_combine_to_the_worst_of_what_was_used_and_unused_rows_are_not_there() -> None:
    inputs = {
        DO: rows([0, 10, 20, 30, 40], [8.0] * 5, quality=[1, 3, 4, 1, 1], censored=[0, 0, 0, 0, -1]),
        TEMPERATURE: rows([0, 10, 20, 29, 30, 40], [12.0] * 6, quality=[2, 1, 1, 1, 4, 1]),
    }
    plain = saturation(tolerance=2)
    assert said(rows_of(plain, inputs)) == [
        (0, 2, True), (10, 3, True), (20, 9, False), (30, 1, True), (40, 9, False),
    ]  # fmt: skip
    assert rows_of(replace(plain, skips=True), inputs).time.tolist() == [0, 10, 30]
    kept = replace(plain, operands=(replace(plain.operands[0], stand_in=(7.0, 0.5)), *plain.operands[1:]))
    assert said(rows_of(kept, inputs)) == [(0, 2, True), (10, 3, True), (20, 3, True), (30, 1, True), (40, 3, True)]


def test_uncertainty_is_carried_and_digits_that_mean_nothing_are_not() -> None:
    inputs = {
        DO: rows([0, 1], [8.0, 8.0], uncertainty=[0.1, np.nan]),
        TEMPERATURE: rows([0, 1], [12.0, 12.0], uncertainty=[0.2, 0.2]),
    }
    made = rows_of(saturation(), inputs)
    whole = oxygen.saturation.estimate(8.0, 12.0, 0.0, 1.0, uncertainty={"dissolved_oxygen": 0.1, "temperature": 0.2})
    assert made.uncertainty[0] == pytest.approx(whole.uncertainty, rel=0.05)
    assert float(f"{made.uncertainty[0]:.2g}") == made.uncertainty[0]
    assert made.result[0] == pytest.approx(whole.value, abs=whole.uncertainty / 100)
    assert np.isnan(made.uncertainty[1])


def test_depths_are_kept_apart() -> None:
    inputs = {
        DO: rows([0, 0], [8.0, 9.0], depth=[1.0, 5.0]),
        TEMPERATURE: rows([0, 1], [12.0, 6.0], depth=[1.0, 5.0]),
    }
    made = rows_of(saturation(tolerance=2), inputs)
    assert made.depth.tolist() == [1.0, 5.0]
    assert made.result.tolist() == [oxygen.saturation(8.0, 12.0, 0.0, 1.0), oxygen.saturation(9.0, 6.0, 0.0, 1.0)]


def test_a_time_is_final_once_no_row_in_order_is_taken_instead() -> None:
    clock, of = np.array([50]), saturation(tolerance=10)
    for times, final in ([40], False), ([40, 55], True), ([40, 60], True), ([50], True), ([30, 90], False):
        inputs = {TEMPERATURE: rows(times, [12.0] * len(times))}
        assert is_final(of, inputs, clock, {TEMPERATURE: max(times)}).item() is final, times
    flagged = {TEMPERATURE: rows([50], [12.0], quality=[4])}
    assert not is_final(of, flagged, clock, {TEMPERATURE: 59}).item()
    assert is_final(of, flagged, clock, {TEMPERATURE: 60}).item()
    assert not is_final(of, {}, clock, {}).item()


GRID = st.lists(st.integers(0, 60), max_size=25)


@settings(max_examples=40, deadline=None)
@given(
    clock=st.lists(st.integers(0, 60), min_size=1, max_size=25),
    times=GRID,
    flags=st.lists(st.sampled_from([1, 1, 2, 3, 4]), min_size=25, max_size=25),
    align=st.sampled_from(["nearest", "previous", "linear"]),
    tolerance=st.integers(0, 12),
    wanted=st.sets(st.integers(0, 60)),
    skips=st.booleans(),
)
def test_any_cut_of_the_times_gives_the_same_bytes(
    clock: list[int], times: list[int], flags: list[int], align: str, tolerance: int, wanted: set[int], skips: bool
) -> None:
    spread = np.linspace(0.0, 0.3, 25)
    inputs = {
        DO: rows(clock, 6.0 + np.arange(len(clock)) / 7, uncertainty=spread[: len(clock)]),
        TEMPERATURE: rows(
            times, 3.0 + np.arange(len(times)) / 3, quality=flags[: len(times)], uncertainty=spread[: len(times)]
        ),
    }
    of = replace(saturation(align=align, tolerance=tolerance), skips=skips)
    whole = rows_of(of, inputs)
    for some in (np.array(sorted(wanted), np.int64), *(np.array([time]) for time in set(clock))):
        first, last = (some.min() - tolerance, some.max() + tolerance) if len(some) else (0, -1)
        near = {key: one.take((one.time >= first) & (one.time <= last)) for key, one in inputs.items()}
        part, same = rows_of(of, near, some), whole.take(np.isin(whole.time, some))
        for item in fields(DerivedRows):
            assert getattr(part, item.name).tobytes() == getattr(same, item.name).tobytes(), item.name


def test_company_changes_nothing_and_a_function_that_fails_fails_alone() -> None:
    def fails(_: Any) -> Any:
        raise RuntimeError("no such table")

    broken = Function.made("rating.broken", {"stage": Input("m", 0.0, 10.0)}, "m3 s-1", fails)
    plain = saturation(tolerance=2)
    inputs = {
        DO: rows([0, 10, 20], [8.0, 9.0, 7.0], uncertainty=[0.1, 0.0, np.nan]),
        TEMPERATURE: rows([0, 11, 23], [12.0, 13.0, 14.0], uncertainty=[0.2] * 3),
    }
    definitions = [
        plain,
        replace(plain, operands=(Operand("dissolved_oxygen", DO), Operand("temperature", DO), *plain.operands[2:])),
        replace(plain, operands=(*plain.operands[:3], Operand("pressure", value=0.9)), skips=True),
        replace(plain, correlation=np.eye(4) + 0.5 * np.eye(4, k=1) + 0.5 * np.eye(4, k=-1)),
        replace(plain, scale=0.01),
        Definition(9, broken, (Operand("stage", DO),), 0, None, USED),
    ]
    *together, failed = rows_of_each([gathered(one, inputs) for one in definitions])
    assert isinstance(failed, RuntimeError)
    for definition, made in zip(definitions, together, strict=False):
        assert isinstance(made, DerivedRows)
        alone = rows_of(definition, inputs)
        for item in fields(DerivedRows):
            assert getattr(made, item.name).tobytes() == getattr(alone, item.name).tobytes(), item.name
