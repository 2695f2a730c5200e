"""The report of a trial or a bench run: a PDF or one page of HTML, English or Chinese, good enough to be sent as it is.

What is said is put together once, as blocks of a `Document`; two writers set them. Nothing is computed here that would
change an answer: the report shows a `TrialResult` or a `BenchRun`.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["document_of", "render_html", "render_pdf", "write_report"]

_WHERE = {
    "document_of": "writing",
    "render_html": "writing",
    "render_pdf": "writing",
    "write_report": "writing",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- a function, by name
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
