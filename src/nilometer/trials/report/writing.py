"""From a result to a report: what it says in which order, and the file it goes to."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from nilometer.errors import ConfigError
from nilometer.trials.bench.run import BenchRun
from nilometer.trials.report.bench_report import bench_document
from nilometer.trials.report.comparing import comparing
from nilometer.trials.report.document import Document
from nilometer.trials.report.evidence import compared, data, decided, plan, remaining, reproduce, terms
from nilometer.trials.report.front import front
from nilometer.trials.report.html import html_of
from nilometer.trials.report.pdf import pdf_of
from nilometer.trials.report.tables import references, units_and_lots
from nilometer.trials.report.telling import Teller
from nilometer.trials.report.words import Language, visible
from nilometer.trials.result import TrialResult

__all__ = ["document_of", "render_html", "render_pdf", "write_report"]

SUFFIXES = (".pdf", ".html")


def document_of(result: TrialResult | BenchRun, *, language: Language = "en", command: str) -> Document:
    """Return what a report says.

    Parameters
    ----------
    result : TrialResult or BenchRun
        What is reported: a trial, or the run of a bench.
    language : str
        ``en`` or ``zh``.
    command : str
        That makes the report again.

    Raises
    ------
    ConfigError
        If the language is neither, or matplotlib is not installed.
    """
    if isinstance(result, BenchRun):
        return bench_document(result, language=language, command=command)
    tell = Teller(result, language)
    words = tell.words
    document = Document(
        language=language,
        kind=words("page.kind"),
        title=visible(result.plan.trial.title),
        made=words("page.made", date=tell.dates.of_text(result.made_at)),
        made_at=round(datetime.fromisoformat(result.made_at).timestamp()),
        supporting=words("page.supporting"),
        labels={name: words(f"page.{name}") for name in ("contents", "skip")},
    )
    document.labels["page"] = words("page.page_of", page="\0", pages="\1")
    document.add(*front(tell), *decided(tell))
    for comparison in result.comparisons:
        document.add(*comparing(tell, comparison))
    document.add(*references(tell), *units_and_lots(tell))
    document.add(*compared(tell), *remaining(tell), *plan(tell), *data(tell), *reproduce(tell, command), *terms(tell))
    return document


def render_pdf(result: TrialResult | BenchRun, *, language: Language = "en", command: str) -> bytes:
    """Return a report as PDF/A-2a and PDF/UA-1: the same result gives the same bytes.

    Parameters
    ----------
    result, language, command
        As in `document_of`.

    Raises
    ------
    ConfigError
        If the extra ``report`` is not installed, or no font of this machine has the letters: with what to install.
    """
    return pdf_of(document_of(result, language=language, command=command))


def render_html(result: TrialResult | BenchRun, *, language: Language = "en", command: str) -> str:
    """Return a report as one page of HTML that loads nothing from elsewhere.

    Parameters
    ----------
    result, language, command
        As in `document_of`.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    return html_of(document_of(result, language=language, command=command))


def write_report(result: TrialResult | BenchRun, path: str | Path, *, language: Language = "en", command: str) -> None:
    """Write a report into a file, whole or not at all.

    Parameters
    ----------
    result, language, command
        As in `document_of`.
    path : path
        ``.pdf`` or ``.html``.

    Raises
    ------
    ConfigError
        If the file's name says neither, it cannot be written, or as `render_pdf` does.
    """
    file = Path(path)
    if file.suffix.lower() not in SUFFIXES:
        raise ConfigError("report", seen=str(file), allowed=f"a name that ends in {' or '.join(SUFFIXES)}")
    if file.suffix.lower() == ".pdf":
        content = render_pdf(result, language=language, command=command)
    else:
        content = render_html(result, language=language, command=command).encode()
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_bytes(content)
        part.replace(file)
    except OSError as error:
        raise ConfigError("report", seen=str(file), allowed=f"a folder that can be written ({error})") from error
