from __future__ import annotations

import pytest

from tests.docs.answers import difference, documents, shown

TOLD = '{"a": 1, "b": [1, 2, 3], "c": {"d": "http://x/Things(1)", "e": null}, "f": true}'


@pytest.mark.parametrize(
    "page",
    [
        TOLD,
        '{"a": 1, …}',
        '{"b": [1, …], "c": …, …}',
        '{"b": [1, …, 3], "c": {"d": "http://…(1)", "e": null}, …}',
        '{"b": […], …, "f": true}',
        "…",
    ],
)
def test_what_a_page_leaves_out_may_be_anything(page):
    assert difference(shown(page), documents(TOLD)) is None


@pytest.mark.parametrize(
    ("page", "place"),
    [
        ('{"a": 2, …}', "$[0].a"),
        ('{"a": 1}', "$[0]"),
        ('{"a": 1, "x": …, …}', "$[0]"),
        ('{"b": [1, 2], …}', "$[0].b"),
        ('{"b": [1, …, 2], …}', "$[0].b"),
        ('{"b": [1, …, 2, 3, 4], …}', "$[0].b"),
        ('{"c": {"d": "http://…(2)", …}, …}', "$[0].c.d"),
        ('{"c": {"e": 0, …}, …}', "$[0].c.e"),
        ('{"f": 1, …}', "$[0].f"),
        (f"{TOLD} {TOLD}", "$"),
        ("", "$"),
    ],
)
def test_what_a_page_shows_has_to_be_told(page, place):
    found = difference(shown(page), documents(TOLD))
    assert found is not None
    assert found.startswith(f"{place}: ")


@pytest.mark.parametrize("page", ["[1, …, 3, …, 5]", "[…, 2, 3, …]", "[…, 1, …, 5, …]"])
def test_runs_may_be_left_out_in_several_places(page):
    assert difference(shown(page), [[1, 2, 3, 4, 5]]) is None
    assert difference(shown(page), [[2, 1, 3]]) is not None


def test_lines_are_compared_as_values_are():
    assert difference(["id,name", "1,…", "…"], ["id,name", "1,pH", "2,x", "3,y"]) is None
    assert difference(["id,name", "1,…", "…", "4,z"], ["id,name", "1,pH", "2,x", "3,y"]) is not None
