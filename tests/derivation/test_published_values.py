"""Every published value that we know, to the digits that were printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from nilometer.derivation.function import functions

VECTORS = Path(__file__).parents[1] / "vectors" / "derivation"
PUBLISHED: list[dict[str, Any]] = yaml.safe_load((VECTORS / "published.yaml").read_text(encoding="utf-8"))
T68 = 1.00024


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda published: published["id"])
def test_equals_what_was_printed(published: dict[str, Any]) -> None:
    function = functions().items[published["function"]]
    rows = np.array(published["rows"], np.float64)
    inputs = {
        name.removesuffix("_68"): column / T68 if name.endswith("_68") else column
        for name, column in zip(published["inputs"], rows.T[:-1], strict=True)
    }
    found = function(**inputs) * (T68 if published.get("result_68") else 1.0)
    assert found == pytest.approx(rows.T[-1], abs=published["tolerance"], rel=published.get("relative", 0.0))


def test_every_set_says_where_it_is_from() -> None:
    sources = (VECTORS / "SOURCES.md").read_text(encoding="utf-8")
    named = [
        word.strip() for line in sources.splitlines() if line.startswith("|") for word in line.split("|")[1].split(",")
    ]
    for published in PUBLISHED:
        assert any(
            published["id"] == name or (name.endswith("*") and published["id"].startswith(name[:-1])) for name in named
        )


def test_the_page_of_functions_is_whole_for_the_modules_that_it_lists() -> None:
    page = (Path(__file__).parents[2] / "docs" / "derivation.md").read_text(encoding="utf-8")
    listed = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    modules = {name.partition(".")[0] for name in listed}
    known = [name for name in functions().items if name.partition(".")[0] in modules]
    assert sorted(listed) == sorted(known)
