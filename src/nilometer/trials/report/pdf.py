"""A report as PDF, set by Typst: no text of a plan is ever read as markup, and no letter is shown as an empty box.

The document goes in as JSON, so that a text is a text. The standards it is made by (PDF/A-2a, PDF/UA-1) do not allow a
letter without a glyph: that is how it is noticed.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from nilometer.errors import ConfigError
from nilometer.trials.report import canvas
from nilometer.trials.report.document import Document

if TYPE_CHECKING:
    import typst

__all__ = ["FONTS", "pdf_of"]

FONTS = (
    *("Noto Serif CJK SC", "Source Han Serif SC", "Source Han Serif CN", "Noto Serif SC", "Songti SC", "STSong"),
    *("Noto Sans CJK SC", "Source Han Sans SC", "Source Han Sans CN", "Noto Sans SC", "PingFang SC", "SimSun"),
    *("Microsoft YaHei", "AR PL UMing CN", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei"),
)
"""Families with the letters of Chinese, the first that is there is used; Latin letters are of Libertinus, in Typst."""

STANDARDS = ["a-2a", "ua-1"]
_MISSING = re.compile(r"the text `\"(.+?)\"` could not be displayed")
_NUMBER = re.compile(r"\\u\{([0-9a-f]+)\}")
_TEXT = re.compile(r"<text .*?</text>", re.DOTALL)
_CHINESE = re.compile("[\u2e80-\u9fff\uf900-\uffef\U00020000-\U0003ffff]")
# Letters in a row, with as many behind them, where no line may end by itself.
_LONG_WORD = re.compile(r"[^\s/\-\u200b\u2e80-\uffff]{12}(?=[^\s/\-\u200b\u2e80-\uffff]{12})")
_TRIES = 40


def pdf_of(document: Document) -> bytes:
    """Return a document as PDF.

    Raises
    ------
    ConfigError
        If Typst is not installed, or no font of this machine has the letters of Chinese that the text needs.
    """
    try:
        import typst  # noqa: PLC0415 -- an optional dependency
    except ImportError as error:
        raise ConfigError(
            "report", reason="typst is not installed", allowed="pip install nilometer[report]; .html needs none"
        ) from error
    fonts = _fonts()
    chinese = next((name for name in FONTS if name in fonts.families()), None)
    if chinese is None and document.language == "zh":
        raise _no_font("中文")
    family = ["Libertinus Serif", *([chinese] if chinese else [])]
    content = _content(document, family)
    source = (resources.files(__package__) / "page.typ").read_bytes()
    unknown: dict[str, str] = {}
    for _ in range(_TRIES):
        try:
            return _compiled(typst, source, _replaced(content, unknown), fonts, document.made_at)
        except typst.TypstError as error:
            found = {_letter(text) for text in _MISSING.findall(error.diagnostic)} - set(unknown)
            if not found:
                raise
            for letter in found:
                if chinese is None and _CHINESE.search(letter):
                    raise _no_font(letter) from error
                unknown |= {each: f"⟨U+{ord(each):04X}⟩" for each in letter}
    raise ConfigError(
        "report", reason=f"the fonts of this machine lack {''.join(unknown)}", allowed="a font that has them"
    )


def _compiled(typst: Any, source: bytes, content: str, fonts: typst.Fonts, made_at: int) -> bytes:  # noqa: ANN401
    pdf: bytes = typst.compile(
        source,
        format="pdf",
        font_paths=fonts,
        sys_inputs={"content": content},
        pdf_standards=STANDARDS,
        timestamp=made_at,
    )
    return pdf


@cache
def _fonts() -> typst.Fonts:
    import typst  # noqa: PLC0415 -- an optional dependency

    return typst.Fonts()


def _content(document: Document, family: list[str]) -> str:
    """Return the document as JSON, its pictures in the fonts of the page."""
    told = document.to_dict()
    for block in told["blocks"]:
        if block["kind"] == "picture":
            block["svg"] = _TEXT.sub(lambda found: _set_in(found[0], family), block["svg"])
    told["fonts"] = family
    return json.dumps(_breakable(told), ensure_ascii=False)


def _set_in(text: str, family: list[str]) -> str:
    """Return a text of a picture in the first family that has its letters: only that one is asked."""
    names = reversed(family) if _CHINESE.search(text) else family
    quoted = ", ".join(f"'{name}'" for name in names)
    return text.replace(f"font-family: {canvas.FONT}", f"font-family: {quoted}")


def _breakable(value: Any, key: str = "") -> Any:  # noqa: ANN401 -- JSON
    """Return JSON whose very long words may be broken, so that none runs over its column."""
    if isinstance(value, dict):
        if value.get("kind") == "code":
            return value  # it is copied, and has to run
        return {name: _breakable(part, name) for name, part in value.items()}
    if isinstance(value, list | tuple):
        if len(value) == 2 and isinstance(value[0], str) and value[0] in {"mono", "mark"}:
            return list(value)
        return [_breakable(part, key) for part in value]
    if isinstance(value, str) and key not in {"svg", "kind", "outcome", "fonts", "alt"}:
        return _LONG_WORD.sub(lambda found: f"{found[0]}\u200b", value)
    return value


def _replaced(content: str, unknown: dict[str, str]) -> str:
    for letter, told in unknown.items():
        content = content.replace(letter, told)
    return content


def _letter(text: str) -> str:
    return _NUMBER.sub(lambda found: chr(int(found[1], 16)), text).replace('\\"', '"')


def _no_font(letter: str) -> ConfigError:
    return ConfigError(
        "report",
        reason=f"no font of this machine has the letters of Chinese, such as {letter}",
        allowed="apt install fonts-noto-cjk, or one of these installed for your user: Noto Serif CJK SC, Source Han "
        "Serif SC, Noto Sans CJK SC; .html is shown by the fonts of the reader",
    )
