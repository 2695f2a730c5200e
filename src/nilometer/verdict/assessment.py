"""From one value an item to a class: the single-factor rule, in which the worst item decides.

A verdict says what it rests on: which items of those required, which data, what was left out, what was doubtful. It
never gives a class to water the standard was not made for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from nilometer.errors import ConfigError
from nilometer.model.entities import WaterBody
from nilometer.model.properties import vocabulary
from nilometer.verdict import wording
from nilometer.verdict.findings import ItemVerdict, Verdict
from nilometer.verdict.item import Item, Role
from nilometer.verdict.saturation import saturation
from nilometer.verdict.standard import Standard, find_standard
from nilometer.verdict.statistics import ItemSeries, ItemStatistics, reduce
from nilometer.verdict.wording import Words, names_of, property_names

__all__ = ["assess_means", "assess_periods", "assess_series"]

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """What is fixed before any value is looked at."""

    standard: Standard
    water_body: WaterBody
    target: int | None
    rows: tuple[Item, ...]


def assess_series(
    series: Mapping[str, ItemSeries],
    standard: str | Standard = "GB 3838-2002",
    *,
    water_body: WaterBody | str | None = None,
    target_class: str | None = None,
    start: int | None = None,
    end: int | None = None,
    below: str | None = None,
    pressure_atm: float | None = None,
    salinity: float = 0.0,
) -> Verdict:
    """Assess Observations by property.

    Parameters
    ----------
    series : mapping of str to ItemSeries
        By vocabulary key. Properties that are no item of the standard are named in the notes, never taken for another.
    standard : str or Standard
        Name, key or file of a standard.
    water_body : WaterBody or str, optional
        The kind of water; None: a river, which the notes say.
    target_class : str, optional
        The class to be met; None: nothing is said of meeting.
    start, end : int, optional
        The window, µs since 1970 UTC; None: what the data span.
    below : {"half", "limit", "zero"}, optional
        What stands for a value below detection; None: the standard's own rule.
    pressure_atm, salinity : float
        For oxygen saturation where it has to be computed: None gives sea-level saturation.

    Returns
    -------
    Verdict
        With class None where nothing could be assessed.

    Raises
    ------
    StandardNotApplicable
        If the standard was not made for this water.
    ConfigError
        If the standard, the class, the kind of water, the rule for censored values or a quality flag is unknown.
    UnitError
        If a unit cannot be converted to that of its item.
    """
    found = find_standard(standard)
    body = _water_body(water_body)
    how = _below(found.censored_below if below is None else below)
    statistics = {
        row.property: reduce(series[row.property], row.unit, mean=row.mean, below=how)
        for row in found.items_for(body)
        if row.property in series
    }
    basis = None
    oxygen = saturation(series, pressure_atm=pressure_atm, salinity=salinity)
    if oxygen is not None:
        statistics["oxygen_saturation"] = reduce(oxygen[0], "%", below=how)
        basis = oxygen[1]
    others = {key: part for key, part in series.items() if key not in statistics}
    notes = [] if water_body is not None else [wording.water_body_assumed(body.value)]
    notes += _of_others(found, body, others)
    if start is None or end is None:
        start, end = _span([*series.values()])
    return assess_means(
        statistics, found, water_body=body, target_class=target_class, start=start, end=end, below=how,
        saturation_basis=basis, notes=notes,
    )  # fmt: skip


def assess_periods(
    series: Mapping[str, ItemSeries],
    edges: Sequence[int],
    standard: str | Standard = "GB 3838-2002",
    **options: Any,  # noqa: ANN401 -- as assess_series
) -> list[Verdict]:
    """Assess each period between neighbouring edges (µs); options as `assess_series`.

    Returns
    -------
    list of Verdict
        One fewer than the edges; class None where a period holds nothing.

    Raises
    ------
    StandardNotApplicable, ConfigError, UnitError
        As `assess_series`.
    """
    return [
        assess_series(
            {key: part.between(start, end) for key, part in series.items()}, standard, start=start, end=end, **options
        )
        for start, end in pairwise(edges)
    ]


def assess_means(
    items: Mapping[str, ItemStatistics],
    standard: str | Standard = "GB 3838-2002",
    *,
    water_body: WaterBody | str | None = None,
    target_class: str | None = None,
    start: int | None = None,
    end: int | None = None,
    below: str = "half",
    saturation_basis: Words | None = None,
    notes: Sequence[Words] = (),
) -> Verdict:
    """Assess values that are already means of a window.

    Parameters
    ----------
    items : mapping of str to ItemStatistics
        By vocabulary key, each in the unit of its item; ``oxygen_saturation`` in percent opens the saturation route.
    standard, water_body, target_class, start, end
        As `assess_series`; without start and end the period is not known and the verdict is indicative.
    below : {"half", "limit", "zero"}
        How censored values entered, for the notes.
    saturation_basis : Words, optional
        What kind of saturation was given.
    notes : sequence of Words
        What the caller has to say of the data.

    Returns
    -------
    Verdict
        With class None where nothing could be assessed.

    Raises
    ------
    StandardNotApplicable
        If the standard was not made for this water.
    ConfigError
        If the standard, the class or the kind of water is unknown.
    """
    found = find_standard(standard)
    body = _water_body(water_body)
    frame = _Frame(
        standard=found,
        water_body=body,
        target=None if target_class is None else found.class_index(target_class),
        rows=found.items_for(body),
    )
    said = (*notes, *_of_data(frame, items, below), *found.notes)
    verdict = _judge(frame, items, {key: part.value for key, part in items.items()}, start, end, said, saturation_basis)
    if not any(part.suspect for part in items.values()):
        return verdict
    trusted = {key: part.value_without_suspect for key, part in items.items()}
    without = _judge(frame, items, trusted, start, end, said, saturation_basis)
    doubt = (*verdict.notes, wording.doubtful(_count(items, "suspect")))
    return replace(verdict, without_suspect=without, notes=doubt)


def _judge(
    frame: _Frame,
    items: Mapping[str, ItemStatistics],
    values: Mapping[str, float],
    start: int | None,
    end: int | None,
    said: Sequence[Words],
    basis: Words | None,
) -> Verdict:
    standard = frame.standard
    judged = [_item(frame, row, items[row.property], values) for row in frame.rows if row.property in items]
    assessed = tuple(part for part in judged if part.item.role is Role.ASSESSED)
    classed = [part for part in assessed if part.class_index is not None]
    worst = max((part.class_index for part in classed if part.class_index is not None), default=None)
    present = {part.property for part in classed}
    required = [row.property for row in frame.rows if row.role is Role.ASSESSED]
    notes = list(said)
    notes += [
        wording.saturation_raised(str(part.class_), values["oxygen_saturation"], basis or wording.SATURATION_GIVEN)
        for part in classed
        if part.by_saturation
    ]
    if worst is None:
        notes.insert(0, wording.NOTHING_ASSESSED)
    elif len(classed) < standard.required:
        notes.insert(0, wording.partial(len(classed), standard.required))
    return Verdict(
        standard=standard,
        water_body=frame.water_body,
        target_class=None if frame.target is None else standard.classes[frame.target],
        class_=standard.class_name(worst),
        class_index=worst,
        met=None if frame.target is None or worst is None else worst <= frame.target,
        items=assessed,
        limiting=_limiting(classed, worst),
        reference_items=tuple(part for part in judged if part.item.role is Role.REFERENCE),
        missing_items=tuple(key for key in required if key not in present),
        items_assessed=len(classed),
        items_required=standard.required,
        indicative_reason=_indicative(standard, start, end),
        start=start,
        end=end,
        notes=tuple(notes),
    )


def _item(frame: _Frame, row: Item, statistics: ItemStatistics, values: Mapping[str, float]) -> ItemVerdict:
    value = values[row.property]
    alternative = None if row.alternative is None else values.get(row.alternative.property)
    index = row.class_index(value, alternative)
    target = frame.target
    return ItemVerdict(
        item=row,
        statistics=statistics,
        value=value,
        class_index=index,
        class_=frame.standard.class_name(index),
        limit=None if index is None else row.limit(index),
        target_limit=None if target is None else row.limit(target),
        multiple=None if target is None or index is None or index <= target else row.multiple(value, target),
        met=None if target is None or index is None else index <= target,
        by_saturation=index is not None and index != row.class_index(value),
    )


def _limiting(classed: Sequence[ItemVerdict], worst: int | None) -> tuple[ItemVerdict, ...]:
    if not worst:
        return ()
    found = [part for part in classed if part.class_index == worst]
    return tuple(sorted(found, key=lambda part: (-(part.multiple or 0.0), part.item.number)))


def _indicative(standard: Standard, start: int | None, end: int | None) -> Words | None:
    if start is None or end is None:
        return wording.period_unknown(standard.period)
    if end - start < standard.shortest_days * _DAY_US:
        return wording.shorter_than_the_method(standard.period, standard.shortest_days)
    return None


def _span(series: Sequence[ItemSeries]) -> tuple[int | None, int | None]:
    """Return what the data span: from the first to the last and one step more, for a value stands for its interval."""
    spans = [
        (int(part.times.min()), int(part.times.max()), len(part.times))
        for part in series
        if part.times is not None and len(part.times)
    ]
    if not spans:
        return None, None
    first = min(span[0] for span in spans)
    return first, max(last + (last - begin) // (n - 1) if n > 1 else last for begin, last, n in spans)


def _of_data(frame: _Frame, items: Mapping[str, ItemStatistics], below: str) -> list[Words]:
    """Say what of the data a reader must know."""
    relevant = {row.property: items[row.property] for row in frame.rows if row.property in items}
    notes = []
    means = {row.property: row.mean for row in frame.rows}
    if any(means[key] == "hydrogen_ion" and part.n > 1 for key, part in relevant.items()):
        notes.append(wording.HYDROGEN_MEAN)
    notes += [
        wording.few_values_decide_ph(part.value, part.arithmetic, part.minimum)
        for key, part in relevant.items()
        if means[key] == "hydrogen_ion" and part.arithmetic - part.value > 1.0
    ]
    failed, missing = _count(relevant, "failed"), _count(relevant, "missing")
    if failed or missing:
        notes.append(wording.left_out(failed, missing))
    if n := _count(relevant, "samples"):
        notes.append(wording.samples_left_out(n))
    if n := _count(relevant, "not_evaluated"):
        notes.append(wording.unjudged(n))
    if n := _count(relevant, "below"):
        notes.append(wording.below_detection(n, below))
    if n := _count(relevant, "above"):
        notes.append(wording.above_range(n))
    notes += [row.note for row in frame.rows if row.note is not None and row.property in relevant]
    return notes


def _of_others(standard: Standard, water_body: WaterBody, others: Mapping[str, ItemSeries]) -> list[Words]:
    """Say which properties are no item, and above all which could be mistaken for one."""
    terms = vocabulary()
    items = {row.property for row in standard.items_for(water_body)}
    elsewhere = {row.property for row in standard.items}
    notes = []
    plain = []
    for key in others:
        near = terms[key].not_the_same_as if key in terms and key not in elsewhere else ()
        mistaken = sorted(items.intersection(near))
        if mistaken:
            notes.append(wording.not_the_same(property_names(key), property_names(mistaken[0])))
        else:
            plain.append(key)
    if plain:
        notes.append(wording.not_an_item(names_of(plain)))
    return notes


def _count(items: Mapping[str, ItemStatistics], what: str) -> int:
    # Saturation is made of oxygen's own values: they would be counted twice.
    return sum(int(getattr(part, what)) for key, part in items.items() if key != "oxygen_saturation")


def _water_body(water_body: WaterBody | str | None) -> WaterBody:
    if water_body is None:
        return WaterBody.RIVER
    try:
        return WaterBody(water_body)
    except ValueError:
        raise ConfigError("water_body", seen=str(water_body), allowed=[kind.value for kind in WaterBody]) from None


def _below(how: str) -> str:
    if how not in {"half", "limit", "zero"}:
        raise ConfigError("below", seen=how, allowed="half, limit, zero")
    return how
