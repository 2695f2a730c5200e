"""Pictures: nothing that was flagged is lost in them, and whatever the series, there is one."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from nilometer.errors import ConfigError
from nilometer.qc import check, load
from nilometer.qc.plot import Panel, draw

image = pytest.importorskip("matplotlib.image")
MINUTE = 60_000_000


def panel(values, profile="river/ph", step=15 * MINUTE, **settings):
    values = np.asarray(values, float)
    times = 1_700_000_000_000_000 + step * np.arange(len(values), dtype=np.int64)
    result = check(values, profile, times)
    tests = {name: np.asarray(outcome) for name, outcome in result.tests.items()}
    flags = np.asarray(result.flags)
    return Panel(title="pH", times=times, values=values, flags=flags, tests=tests, profile=result.profile, **settings)


def test_one_flagged_value_in_a_hundred_thousand_is_seen(tmp_path):
    values = 8 + 0.01 * (np.arange(100_000) % 5)
    plain = tmp_path / "plain.png"
    draw([panel(values)], plain)
    values[54_321] = 13
    one = tmp_path / "one.png"
    draw([panel(values)], one)
    vermilion = np.array([0xC2, 0x33, 0x0F]) / 255
    counts = []
    for path in (plain, one):
        pixels = image.imread(path)[:, :, :3]
        rows = slice(int(0.6 * len(pixels)), None)  # the strips, below the series
        counts.append(int((np.abs(pixels[rows] - vermilion).max(axis=2) < 0.02).sum()))
    assert counts[0] == 0
    assert counts[1] > 20


def test_words_of_an_svg_are_words(tmp_path):
    values = np.r_[8 + 0.01 * (np.arange(400) % 5), 11]
    draw([panel(values, season="month", unit="1"), panel(values)], tmp_path / "p.svg", title="Two panels")
    text = (tmp_path / "p.svg").read_text(encoding="utf-8")
    for word in ("Two panels", "gross_range", "1 suspect", "rate_of_change"):
        assert f">{word}</text>" in text


def test_spans_within_the_axis_are_drawn_and_named(tmp_path):
    profile = {"tests": {"gross_range": {"fail": [0, 14], "suspect": [7.5, 8.5]}}}
    draw([panel(8 + np.sin(np.arange(500) / 30), profile)], tmp_path / "p.svg")
    text = (tmp_path / "p.svg").read_text(encoding="utf-8")
    assert "suspect span" in text
    assert "fail span" not in text


@pytest.mark.parametrize("values", [[7.0], [np.nan] * 20, [7.0] * 300, [np.inf, 7, 8], np.full(9000, np.nan)])
def test_any_series_can_be_drawn(tmp_path, values):
    draw([panel(values)], tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 5000


def test_a_file_of_another_kind_and_a_missing_extra_are_said(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"\.png, \.svg, \.pdf"):
        draw([panel([7.0])], tmp_path / "p.bmp")
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as where the extra is not installed
    with pytest.raises(ConfigError, match=r"matplotlib is not installed \(allowed: pip install nilometer\[plot\]\)"):
        draw([panel([7.0])], tmp_path / "p.png")


def test_the_profile_that_drew_is_the_one_that_judged():
    assert panel([7.0, 7.1]).profile == load("river/ph")
