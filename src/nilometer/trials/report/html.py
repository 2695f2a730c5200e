"""A report as one page of HTML: its style and pictures inside, nothing loaded, readable in the dark and on a phone."""

from __future__ import annotations

import re
from html import escape
from importlib import resources

from nilometer.trials.report import canvas
from nilometer.trials.report.document import (
    Answers,
    Block,
    Bullets,
    Code,
    Document,
    Facts,
    Heading,
    Line,
    Picture,
    Standing,
    Table,
    Text,
)

__all__ = ["html_of"]

# Colours of pictures follow those of the page.
_COLOURS = {
    canvas.INK: "var(--ink)",
    canvas.SOFT: "var(--ink-2)",
    canvas.LINE: "var(--line)",
    canvas.GREY: "var(--grey)",
    canvas.ACCENT: "var(--accent)",
    canvas.SHADE: "var(--accent-soft)",
    canvas.AMBER: "var(--amber)",
    canvas.VERMILION: "var(--vermilion)",
}
_RING = '<circle class="open" cx="10" cy="10" r="8.2"/>'
# The shapes of outcomes, within a square of 20.
_SHAPES = {
    "non_inferior": '<circle cx="10" cy="10" r="8.5"/><path class="in" d="M5.8 10.4l2.9 2.9 5.6-6.2"/>',
    "equivalent": '<path d="M10 .8 19.2 10 10 19.2.8 10z"/><path class="in" d="M6 8.3h8M6 11.7h8"/>',
    "inferior": '<path d="M3 1l7 7 7-7 2 2-7 7 7 7-2 2-7-7-7 7-2-2 7-7-7-7z"/>',
    "inconclusive": '<path d="M10 1.2 19.6 18.4H.4z"/><path class="in" d="M10 7v5.4M10 14.4v1.8"/>',
    "not_tested": '<circle class="open" cx="10" cy="10" r="7.6"/>',
    # A ring: the limit itself is not sure.
    "met_unverified": f'{_RING}<path class="thin" d="M5.8 10.4l2.9 2.9 5.6-6.2"/>',
    "not_met_unverified": f'{_RING}<path class="thin" d="M6.6 6.6l6.8 6.8M13.4 6.6l-6.8 6.8"/>',
}


def html_of(document: Document) -> str:
    """Return a document as HTML."""
    style = (resources.files(__package__) / "page.css").read_text(encoding="utf-8")
    language = {"en": "en", "zh": "zh-CN"}[document.language]
    body, contents = _Body(), []
    for block in document.blocks:
        body.add(block)
        if isinstance(block, Heading) and block.level == 1:
            contents.append(f'<li><a href="#s{body.headings}">{escape(block.text)}</a></li>')
    title = escape(f"{document.title} – {document.kind}")
    return "\n".join(
        [
            f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            # Whatever a plan says, nothing of it runs and nothing is fetched.
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
            'img-src data:">',
            f'<meta name="generator" content="nilometer">\n<title>{title}</title>\n<style>\n{style}</style>\n</head>',
            f'<body>\n<a class="skip" href="#answer">{escape(document.labels["skip"])}</a>',
            f'<header>\n<p class="kind">{escape(document.kind)}</p>\n<h1>{escape(document.title)}</h1>',
            f'<p class="made">{escape(document.made)} · {escape(document.supporting)}</p>\n</header>',
            f'<nav aria-label="{escape(document.labels["contents"])}">',
            f"<ol>{''.join(contents)}</ol>\n</nav>\n<main>",
            *body.parts,
            f"</main>\n<footer><p>{escape(document.title)} · {escape(document.made)} · "
            f"{escape(document.supporting)}</p></footer>\n</body>\n</html>\n",
        ]
    )


class _Body:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self.headings = self.pictures = 0

    def add(self, block: Block) -> None:
        """Put a block at the end."""
        match block:
            case Heading():
                self.headings += 1
                tag = f"h{block.level + 1}"
                self.parts.append(f'<{tag} id="s{self.headings}">{escape(block.text)}</{tag}>')
            case Text():
                self.parts.append(f'<p class="{block.tone}">{_line(block.runs)}</p>')
            case Bullets():
                self.parts.append(f"<ul>{''.join(f'<li>{_line(item)}</li>' for item in block.items)}</ul>")
            case Facts():
                rows = "".join(f"<dt>{escape(name)}</dt><dd>{_line(told)}</dd>" for name, told in block.rows)
                self.parts.append(f"<dl>{rows}</dl>")
            case Table():
                self.parts.append(_table(block))
            case Picture():
                self.pictures += 1
                self.parts.append(_picture(block, f"f{self.pictures}"))
            case Answers():
                self.parts.append(_answers(block))
            case Standing():
                self.parts.append(_standing(block))
            case Code():
                self.parts.append(f"<pre><code>{escape(block.text)}</code></pre>")


def _line(runs: Line) -> str:
    return "".join(_run(style, text) for style, text in runs)


def _run(style: str, text: str) -> str:
    if style == "mark":
        return mark(text)
    safe = escape(text).replace("\n", "<br>")
    tag = {"bold": "strong", "mono": "code"}.get(style)
    if tag:
        return f"<{tag}>{safe}</{tag}>"
    return f'<span class="quiet">{safe}</span>' if style == "quiet" else safe


def mark(outcome: str) -> str:
    """Return the shape of an outcome in its colour; the word stands beside it."""
    return f'<svg class="mark {outcome}" viewBox="0 0 20 20" aria-hidden="true">{_SHAPES[outcome]}</svg>'


def _table(table: Table) -> str:
    head = "".join(
        f'<th scope="col" class="{align}">{escape(text)}</th>'
        for text, align in zip(table.head, table.align, strict=True)
    )
    rows = []
    for row in table.rows:
        cells = []
        for place, (cell, align) in enumerate(zip(row, table.align, strict=True)):
            tag, scope = ("th", ' scope="row"') if not place else ("td", "")
            cells.append(f'<{tag}{scope} class="{align}">{_line(cell)}</{tag}>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    # A table that is wider than a phone is moved under its own bar, by keys too.
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _picture(picture: Picture, name: str) -> str:
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', picture.svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    for colour, variable in _COLOURS.items():
        svg = svg.replace(colour, variable)
    svg = svg.replace(f"font-family: {canvas.FONT}", "font-family: var(--sans)")
    alt = escape(picture.alt, quote=True)
    svg = re.sub(
        r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>", rf'<svg \1 role="img" aria-label="{_safe(alt)}">', svg, count=1
    )
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>" if picture.caption else ""
    return f'<figure><div class="wide" tabindex="0">{svg}</div>{caption}</figure>'


def _safe(text: str) -> str:
    """Return text that a pattern's replacement takes as it is."""
    return text.replace("\\", "\\\\")


def _answers(block: Answers) -> str:
    cards = []
    for item in block.items:
        ranges = "".join(f"<dt>{escape(name)}</dt><dd>{escape(told)}</dd>" for name, told in item.ranges)
        holds = f"<p>{escape(item.holds)}</p>" if item.holds else ""
        listed = f"<dl>{ranges}</dl>" if ranges else ""
        notes = "".join(f'<p class="quiet">{_line(note)}</p>' for note in item.notes)
        cards.append(
            f'<section class="answer {item.outcome}"><p class="word">{mark(item.outcome)}{escape(item.word)}</p>'
            f'<p class="who">{escape(item.who)}</p><p>{escape(item.says)}</p>{holds}{listed}{notes}</section>'
        )
    many = " many" if len(block.items) > 2 else ""
    return f'<div class="answers{many}" id="answer">{"".join(cards)}</div>'


def _standing(block: Standing) -> str:
    kind = "confirmatory" if block.is_confirmatory else "exploratory"
    return (
        f'<section class="standing {kind}"><p class="label">{escape(block.label)}</p>'
        f'<p class="word">{escape(block.word)}</p><p>{escape(block.says)}</p></section>'
    )
