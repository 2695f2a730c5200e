"""A trial whose answer is known: water, a reference, and candidates that are made worse by a stated amount."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nilometer.trials.planning.plan import Plan, load_plan

__all__ = ["STEP_US", "made_plan", "write_series"]

STEP_US = 600_000_000
START_US = 1_772_323_200_000_000  # 2026-03-01 in UTC


def write_series(folder: Path, *, days: int = 40, biases: Mapping[str, float] | None = None, seed: int = 1) -> None:
    """Write a file of oxygen every ten minutes: temperature, the reference, candidates whose errors last some hours."""
    rng = np.random.default_rng(seed)
    n = days * 144
    place = np.arange(n)
    temperature = 12.0 + 6.0 * np.sin(2 * np.pi * place / n) + 2.0 * np.sin(2 * np.pi * place / 144)
    water = 14.6 - 0.35 * temperature + 0.3 * wandering(rng, n, 0.95)
    columns = {"T (degC)": temperature, "old (mg/L)": water + 0.02 * rng.normal(size=n)}
    for name, bias in (biases or {"new": 0.02}).items():
        columns[f"{name} (mg/L)"] = water + bias + 0.05 * wandering(rng, n, 0.9)
    times = (START_US + place * STEP_US).astype("datetime64[us]").astype("datetime64[s]")
    lines = [",".join(["Time", *columns])]
    lines += [
        ",".join([f"{time}Z", *(f"{value:.3f}" for value in row)])
        for time, row in zip(times, np.stack(list(columns.values()), axis=1), strict=True)
    ]
    (folder / "series.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def wandering(rng: np.random.Generator, n: int, memory: float) -> np.ndarray:
    """Return a series of unit variance that knows its past."""
    found = rng.normal(size=n)
    for place in range(1, n):
        found[place] = memory * found[place - 1] + np.sqrt(1 - memory**2) * found[place]
    return found


TEXT = """
[trial]
title = "Made trial"
question = "May the new one stand in for the old one?"
property = "dissolved_oxygen"
unit = "mg L-1"
range_edges = [9, 11]
{trial}

{candidates}

[[reference]]
name = "imported"
file = "series.csv"
column = "old"
uncertainty = 0.02

[condition.temperature]
file = "series.csv"
column = "T"
edges = [8, 14, 30]

[[endpoint]]
name = "mean difference"
statistic = "bias"
margin = {margin}
kind = "equivalence"
origin = "class_width"
source = "a tenth of the width of class II of GB 3838-2002"

[[endpoint]]
name = "scatter"
statistic = "mean_absolute_difference"
margin = 300
unit = "ug L-1"
{more}
"""


def made_plan(folder: Path, *names: str, margin: Any = 0.1, trial: str = "", more: str = "") -> Plan:
    """Write and return the plan of candidates in the file of `write_series`."""
    arms = "\n".join(
        f'[[candidate]]\nname = "{name}"\nlot = "{name[0]}"\nfile = "series.csv"\ncolumn = "{name}"\nevery = "10 min"\n'
        for name in names or ("new",)
    )
    file = folder / "plan.toml"
    file.write_text(TEXT.format(candidates=arms, margin=margin, trial=trial, more=more), encoding="utf-8")
    return load_plan(file)
