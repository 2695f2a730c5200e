"""A plan is checked to the last key, frozen before the first datum, and changed by amendments alone."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.errors import ConfigError
from nilometer.trials.planning.freezing import amend, freeze, frozen_file, verify
from nilometer.trials.planning.plan import Plan, load_plan, parse_plan
from nilometer.trials.report.words import Words

TEXT = """
[trial]
title = "Optode A beside the imported one"
property = "dissolved_oxygen"
unit = "mg L-1"
time_zone = "Asia/Shanghai"
start = 2026-06-01 08:00:00

[[candidate]]
name = "A-17"
file = "a.csv"
column = "DO"
t90 = "30 s"

[[reference]]
name = "imported"
datastream = "river/do"
uncertainty = 0.1

[condition.temperature]
datastream = "river/t"
edges = [5, 15, 25]

[[endpoint]]  # what a class of GB 3838 leaves
name = "agreement"
statistic = "mean_absolute_difference"
margin = 300
unit = "ug L-1"
origin = "class_width"
condition = {temperature = [5, 25]}
"""
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def written(folder: Path, text: str = TEXT) -> Path:
    file = folder / "plan.toml"
    file.write_text(text, encoding="utf-8")
    return file


def document(**more: Any) -> dict[str, Any]:
    """Return a small plan, with sections replaced."""
    arms = {"candidate": [{"name": "A", "file": "a.csv"}], "reference": [{"name": "B", "file": "b.csv"}]}
    trial = {"title": "t", "property": "ph", "unit": "1"}
    return {"trial": trial, **arms, "endpoint": [{"name": "e", "statistic": "bias", "margin": 0.1}], **more}


def test_what_a_plan_says_is_read(tmp_path: Path) -> None:
    plan = load_plan(written(tmp_path))
    assert plan.time(plan.trial.start) == int(datetime(2026, 6, 1, tzinfo=UTC).timestamp()) * 1_000_000
    assert plan.candidate[0].t90 == 30.0
    assert plan.endpoint[0].as_margin("mg L-1").unit == "ug L-1"
    assert plan.endpoint[0].condition == {"temperature": (5.0, 25.0)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"candidate": []}, "candidate"),
        ({"candidate": [{"name": "A"}]}, "either a `file` or a `datastream`"),
        ({"candidate": [{"name": "B", "file": "a.csv"}]}, "two instruments are called 'B'"),
        ({"endpoint": [{"name": "e", "statistic": "bias", "margin": -1}]}, r"endpoint\[0\].margin = -1"),
        ({"endpoint": [{"name": "e", "statistic": "bias", "margin": 1, "unit": "mg L-1"}]}, "mg L-1"),
        (
            {"endpoint": [{"name": "e", "statistic": "bias", "margin": 1, "against": "samples"}]},
            "no \\[\\[sample\\]\\]",
        ),
        ({"endpoint": [{"name": "e", "statistic": "bias", "margin": 1, "condition": {"tide": [0, 1]}}]}, "tide"),
        ({"endpoint": [{"name": "e", "statistic": "bias", "margin": 1, "origin": "guess"}]}, "hj355"),
        ({"condition": {"t": {"file": "t.csv", "edges": [5, 5]}}}, "edges rise"),
        ({"maintenance": [{"start": "2026-01-02", "end": "2026-01-01"}]}, "has no length"),
        ({"alignement": {}}, "alignment"),
        ({"sample": [{"name": "lab", "file": "l.csv", "norm": "hj355"}]}, "hj355-2019"),
        (
            {
                "trial": {"title": "t", "property": "dissolved_oxygen", "unit": "mg L-1"},
                "sample": [{"name": "lab", "file": "l.csv", "norm": "hj355-2019"}],
            },
            "sample 'lab': norm 'hj355-2019'.*codcr",
        ),
        ({"trial": {"title": "t", "property": "ph", "unit": "furlong per pint"}}, "trial.unit"),
        ({"trial": {"title": "t", "property": "ph", "unit": "1", "time_zone": "Mars"}}, "IANA"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_plan(document(**change))


def test_a_file_that_is_no_plan_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"plan\.toml"):
        load_plan(written(tmp_path, "[trial"))
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        load_plan(tmp_path / "absent.toml")


def test_layout_and_comments_do_not_change_the_hash_and_a_margin_does() -> None:
    plan = parse_plan(tomllib.loads(TEXT))
    assert (
        parse_plan(tomllib.loads("# reviewed\n" + TEXT.replace("margin = 300", "margin = 3e2"))).hash() == plan.hash()
    )
    assert parse_plan(tomllib.loads(TEXT.replace("margin = 300", "margin = 301"))).hash() != plan.hash()


def test_a_frozen_plan_changes_by_amendments_alone(tmp_path: Path) -> None:
    file = written(tmp_path)
    plan = load_plan(file)
    assert verify(plan, file).entries == ()
    frozen = freeze(plan, file, at=NOON, by="Li Na")
    first = int(NOON.timestamp() * 1e6)
    assert frozen.is_before(first + 1)
    assert not frozen.is_before(first - 1)
    with pytest.raises(ConfigError, match="frozen since 2026-05-01T12:00:00Z"):
        freeze(plan, file, at=NOON)
    with pytest.raises(ConfigError, match="is as it was frozen"):
        amend(plan, file, at=NOON, why="nothing")

    wider = changed(file, "margin = 300", "margin = 500")
    with pytest.raises(ConfigError, match=r"endpoint\[0\]\.margin was 300\.0, is 500\.0.*trial amend"):
        verify(wider, file)
    with pytest.raises(ConfigError, match="why"):
        amend(wider, file, at=NOON, why=" ")
    later = datetime(2026, 7, 1, tzinfo=UTC)
    amended = amend(wider, file, at=later, why="the permit was changed")
    assert amended.entries[1].changes == [{"key": "endpoint[0].margin", "before": 300.0, "after": 500.0}]
    assert verify(wider, file) == amended
    assert [entry.why for entry in amended.amended_after(first + 1)] == ["the permit was changed"]


def changed(file: Path, before: str, after: str) -> Plan:
    file.write_text(file.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    return load_plan(file)


@pytest.mark.parametrize("part", ["at", "plan_hash", "plan"])
def test_a_record_that_was_tampered_with_is_refused(tmp_path: Path, part: str) -> None:
    file = written(tmp_path)
    freeze(load_plan(file), file, at=NOON)
    record = json.loads(frozen_file(file).read_text(encoding="utf-8"))
    entry = record["entries"][0]
    entry[part] = {"at": "2026-04-01T12:00:00Z", "plan_hash": "0" * 64, "plan": {**entry["plan"], "sample": [1]}}[part]
    frozen_file(file).write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ConfigError, match="entry 1, of 2026-0"):
        verify(load_plan(file), file)
    frozen_file(file).write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match="as it was written"):
        verify(load_plan(file), file)
    with pytest.raises(ConfigError, match="as it was written"):
        freeze(load_plan(file), file, at=NOON)


def test_an_amendment_needs_a_frozen_plan(tmp_path: Path) -> None:
    file = written(tmp_path)
    with pytest.raises(ConfigError, match="never frozen"):
        amend(load_plan(file), file, at=NOON, why="x")


def test_a_plan_that_was_frozen_before_has_its_hash_and_new_keys_change_it() -> None:
    """Keys that came later are hashed where they are said, or records of earlier trials would no longer hold."""
    plan = parse_plan(tomllib.loads(TEXT))
    assert plan.hash() == "8a5bd3901e04227f3b6caefd9786051a3453936bd505fb969a31c1bd045d8b5d"
    assert parse_plan(tomllib.loads(TEXT + "[strata]\nshare = 0.2\n")).hash() != plan.hash()


_LENGTHS = st.one_of(
    st.none(), st.integers(0, 604_800), st.sampled_from(["30 s", "1.5 h", "7 d"]), st.floats(0, 604_800)
)


@given(
    t90=_LENGTHS,
    every=_LENGTHS,
    margin=st.floats(min_value=1e-300, max_value=1e300),
    edges=st.lists(st.floats(-1e9, 1e9), unique=True, max_size=4).map(sorted),
    start=st.none() | st.datetimes(timezones=st.just(UTC)),
    share=st.floats(0, 0.99),
    tide=st.booleans(),
    title=st.text(min_size=1, max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_a_plan_comes_back_from_what_is_written_of_it(
    t90: Any, every: Any, margin: float, edges: list[float], start: Any, share: float, tide: bool, title: str
) -> None:
    arms = {"candidate": [{"name": "A", "file": "a.csv", "t90": t90, "every": every}]}
    trial = {"title": title, "property": "ph", "unit": "1", "range_edges": edges, "start": start, "class_edges": edges}
    more = {"tide": {"file": "level.csv", "edges": [0.25, 0.5]}} if tide else {}
    claim = {"name": "e", "statistic": "bias", "margin": margin}
    plan = parse_plan(document(trial=trial, strata={"share": share}, endpoint=[claim], **arms, **more))
    for again in (plan.model_dump(), plan.model_dump(mode="json"), json.loads(plan.canonical())):
        assert parse_plan(again) == plan
        assert parse_plan(again).hash() == plan.hash()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"references": {"combine": True}}, "agree_within"),
        ({"references": {"combine": True, "agree_within": 0.1}}, r"two \[\[reference\]\]"),
        ({"references": {"uncertainty": "estimated"}}, r"two \[\[reference\]\]"),
        ({"endpoint": [{"name": "e", "statistic": "class_agreement", "margin": 0.1}]}, "trial.class_edges"),
        ({"tide": {"file": "l.csv"}, "condition": {"tide_phase": {"file": "t.csv"}}}, "take one of both out"),
        ({"tide": {"file": "l.csv", "edges": [0.5, 2]}}, "between 0 and 1"),
        ({"condition": {"t": {"file": "t.csv", "edges": [5, float("inf")]}}}, "finite"),
        ({"candidate": [{"name": "A", "file": "a.csv", "every": True}]}, "30 min"),
        ({"strata": {"share": 1}}, "strata.share"),
    ],
)
def test_what_later_keys_cannot_mean_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_plan(document(**change))


def claim(origin: str, share: float, **more: Any) -> dict[str, Any]:
    typed = {key: more.pop(key) for key in ("margin", "statistic", "unit", "relative") if key in more}
    return {"name": "e", "statistic": "bias", "origin": origin, "margin_from": {"share": share, **more}, **typed}


def of_water(
    endpoint: dict[str, Any], *, prop: str = "dissolved_oxygen", unit: str = "mg L-1", standard: str | None = None
) -> dict[str, Any]:
    trial = {"title": "t", "property": prop, "unit": unit, "standard": standard}
    stated = {"uncertainty": 0.1, "relative_uncertainty": 0.02}
    return document(
        trial=trial,
        endpoint=[endpoint],
        reference=[{"name": "B", "file": "b.csv", **stated}, {"name": "C", "file": "c.csv", "uncertainty": 0.4}],
    )


@pytest.mark.parametrize(
    ("plan", "margin", "told"),
    [
        (of_water(claim("class_width", 0.2, of_class="III"), standard="GB 3838-2002"), 0.2, "5 to 6: 0.2 × 1 = 0.2"),
        (
            of_water(claim("class_width", 0.5, of_class="II"), prop="nh3_n", unit="ug L-1", standard="GB 3838-2002"),
            175.0,
            "150 to 500",
        ),
        (of_water(claim("permit", 0.1, limit=40.0), prop="codcr"), 4.0, "permitted limit"),
        (of_water(claim("permit", 0.1, of_class="III"), prop="codcr", standard="GB 3838-2002"), 2.0, "class III"),
        (of_water(claim("hj355", 0.5, at=45.0), prop="codcr"), 6.75, "HJ 355-2019, Table 1, 0.3 of 45"),
        (of_water(claim("hj355", 0.5, at=20.0), prop="codcr"), 2.5, "0.5 × 5 = 2.5"),
        (of_water(claim("hj355", 0.5), prop="ph", unit="1"), 0.25, "0.5 × 0.5"),
        (of_water(claim("reference_uncertainty", 2.0, at=10.0)), 0.447214, "uncertainty of B"),
        (of_water(claim("hj355", 1.0, at=45.0, margin=13500, unit="ug L-1"), prop="codcr"), 13.5, "= 13.5"),
    ],
)
def test_a_margin_is_computed_from_its_origin(plan: dict[str, Any], margin: float, told: str) -> None:
    read = parse_plan(plan)
    assert read.endpoint[0].margin == pytest.approx(margin, rel=1e-6)
    assert told in read.endpoint[0].as_margin(read.trial.unit).source
    chinese, is_told = Words("zh").told(read.endpoint[0].reckoned)
    assert is_told
    assert "×" in chinese
    assert parse_plan(read.model_dump(mode="json")).hash() == read.hash()


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        (of_water(claim("hj355", 0.5, at=45.0, margin=8.0), prop="codcr"), r"typed as 8 .*0\.5 × 13\.5 = 6\.75"),
        (of_water(claim("class_width", 0.2, of_class="I"), standard="GB 3838-2002"), "is open"),
        (of_water(claim("class_width", 0.2, of_class="III")), "trial.standard"),
        (of_water(claim("class_width", 0.2, of_class="IX"), standard="GB 3838-2002"), "IX"),
        (of_water(claim("hj355", 0.5), prop="codcr"), "say by `at`"),
        (of_water(claim("hj355", 0.5)), "trial.property"),
        (of_water(claim("permit", 0.5)), "`limit`"),
        (of_water(claim("user", 0.5)), "is typed"),
        (of_water(claim("reference_uncertainty", 2.0)), "say by `at`"),
        (of_water(claim("permit", 0.1, limit=40.0, statistic="slope"), prop="codcr"), "no margin of slope"),
        ({**document(), "endpoint": [{"name": "e", "statistic": "bias"}]}, "give a `margin`"),
    ],
)
def test_a_margin_that_its_origin_does_not_give_is_refused(plan: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse_plan(plan)
