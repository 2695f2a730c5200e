"""What all pictures of a report have in common: paper, colours that a writer may exchange, points by the ten thousand.

Pictures are SVG with text as text, measured with a wide font, so that the fonts of a PDF or a browser fit into it.
"""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import ConfigError
from nilometer.trials.report.words import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "ACCENT",
    "AMBER",
    "FONT",
    "GREY",
    "INK",
    "LINE",
    "MARKS",
    "SHADE",
    "SOFT",
    "VERMILION",
    "clean",
    "label",
    "paper",
    "points",
    "sheet",
    "svg_of",
]

Floats = NDArray[np.float64]

INK, SOFT, LINE, GREY = "#15202a", "#465461", "#d3dae0", "#76828d"
ACCENT, SHADE, AMBER, VERMILION = "#0b5d7a", "#dcecf2", "#9d5b00", "#c2330f"
FONT = "REPORT-FONT"
"""Stands in a picture for the family that the writer uses."""
WIDTH_IN = 6.69  # what margins of 20 mm leave of A4

# One meaning, one colour, one shape.
MARKS = {
    "non_inferior": (ACCENT, "o"),
    "equivalent": (ACCENT, "D"),
    "inferior": (VERMILION, "X"),
    "inconclusive": (AMBER, "^"),
    "not_tested": (GREY, "o"),
}

_SINGLE = 1500  # more points than this are drawn as occupied cells
_FEW = 200  # up to so many points are drawn larger
_CELLS = (240, 130)
_LEVELS = ((1, 0.45), (4, 0.65), (16, 0.85), (64, 1.0))

_FAMILY = re.compile(r"font-family: [^;\"]*")
_SHORTHAND = re.compile(r"font: ([\d.]+px) [^;\"]*")  # as matplotlib before 3.11 writes it
_LONG = re.compile(r"(\d+\.\d\d)\d+")
_TAG = re.compile(r"<[^>]*>")
_STYLE: Any = {  # matplotlib names its keys as literals
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "nilometer",
    # A name such as $x$ is a name.
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": INK,
    "axes.labelsize": 8.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "path.simplify": False,
}


@contextmanager
def paper(height_in: float) -> Iterator[tuple[Figure, Axes]]:
    """Give a figure of the report's width with one pair of axes, within the style of a report.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    with sheet(height_in, 1, 1) as (figure, axes):
        yield figure, axes[0]


@contextmanager
def sheet(
    height_in: float, rows: int, columns: int, *, heights: Sequence[float] | None = None
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Give a figure with rows and columns of axes, row by row; `heights` are those of the rows to each other.

    Raises
    ------
    ConfigError
        As `paper` does.
    """
    try:
        from matplotlib import rc_context  # noqa: PLC0415 -- an optional dependency
        from matplotlib.figure import Figure  # noqa: PLC0415 -- the same
    except ImportError as error:
        raise ConfigError(
            "report", reason="matplotlib is not installed", allowed="pip install nilometer[report]"
        ) from error
    with rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        figure.set_facecolor("none")
        made = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
        for axes in made.flat:
            axes.set_facecolor("none")
        yield figure, list(made.flat)


def svg_of(figure: Figure) -> str:
    """Return a figure as SVG: the same figure gives the same text."""
    target = io.StringIO()
    with warnings.catch_warnings():
        # The font it is measured with has no Chinese; the font it is set in has, or the report is refused.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    text = target.getvalue()
    text = text[text.index("<svg") :]
    text = _SHORTHAND.sub(r"font-size: \1; font-family: any", text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # Digits are cut in the places of lines alone, never in a text.
    return _TAG.sub(lambda tag: _LONG.sub(r"\1", tag[0]).replace("\n", ""), _FAMILY.sub(f"font-family: {FONT}", text))


def clean(text: str) -> str:
    """Return a name for a picture, on one line."""
    return " ".join(visible(text).split())


def label(text: str, width: int, lines: int = 3) -> str:
    """Return a name broken to a width in letters; Chinese counts double."""
    text = clean(text)
    wide = sum(ord(letter) > 0x2E80 for letter in text) * 2 > len(text)
    return "\n".join(textwrap.wrap(text, width // 2 if wide else width, max_lines=lines, placeholder="…"))


def points(axes: Axes, x: Floats, y: Floats, colour: str = ACCENT) -> bool:
    """Draw points in few paths; return whether they had to be gathered into cells.

    Of each cell one of its own points is drawn, darker where there are more, and the extremes of both coordinates are
    always drawn: nothing that stands apart is lost.
    """
    if len(x) <= _SINGLE:
        _dots(axes, x, y, colour, 4.0 if len(x) <= _FEW else 2.6, 0.75)
        return False
    column, row = (_cell(values, count) for values, count in zip((x, y), _CELLS, strict=True))
    _, first, count = np.unique(column * _CELLS[1] + row, return_index=True, return_counts=True)
    for place, (least, opacity) in enumerate(_LEVELS):
        most = _LEVELS[place + 1][0] if place + 1 < len(_LEVELS) else np.inf
        chosen = first[(count >= least) & (count < most)]
        if len(chosen):
            _dots(axes, x[chosen], y[chosen], colour, 1.9, opacity)
    ends = np.unique([np.argmin(x), np.argmax(x), np.argmin(y), np.argmax(y)])
    _dots(axes, x[ends], y[ends], colour, 2.6, 0.75)
    return True


def _cell(values: Floats, count: int) -> NDArray[np.int64]:
    low, high = float(values.min()), float(values.max())
    span = (high - low) or 1.0
    return np.minimum(((values - low) / span * count).astype(np.int64), count - 1)


def _dots(axes: Axes, x: Floats, y: Floats, colour: str, size: float, opacity: float) -> None:
    """Draw all points as one path: steps of no length with round ends."""
    from matplotlib.patches import PathPatch  # noqa: PLC0415 -- an optional dependency
    from matplotlib.path import Path  # noqa: PLC0415 -- the same

    vertices = np.repeat(np.column_stack([x, y]), 2, axis=0)
    codes = np.tile(np.array([Path.MOVETO, Path.LINETO], np.uint8), len(x))
    patch: Any = PathPatch(
        Path(vertices, codes), fill=False, edgecolor=colour, linewidth=size, capstyle="round", alpha=opacity
    )
    axes.add_patch(patch)
    axes.update_datalim(vertices)
    axes.autoscale_view()
