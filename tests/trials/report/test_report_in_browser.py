"""The page of a report in a real browser, as a file: nothing is loaded or complained of, and it fits a phone."""

from __future__ import annotations

import pytest
from tests.system.browser import CHROMIUM, Witness, browser
from tests.trials.report import results

from nilometer.trials.report import write_report

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM} (set NILOMETER_CHROMIUM)"),
]

TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Texts of pictures that reach out of their picture, and cards that are not of one width.
CUT = """() => [...document.querySelectorAll('figure svg')].flatMap((svg) => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter((text) => {
    const own = text.getBoundingClientRect();
    return own.width > 0 && (own.left < box.left - 1 || own.right > box.right + 1 || own.bottom > box.bottom + 1);
  }).map((text) => text.textContent);
})"""
WIDTHS = "() => [...new Set([...document.querySelectorAll('.answer')].map((one) => one.offsetWidth))]"


def test_a_page_is_whole_on_a_screen_and_on_a_phone(tmp_path):
    result = results.every_outcome()
    with browser(tmp_path / "profile") as context:
        page = context.new_page()
        witness = Witness(page, "file:")
        for language, width, scheme in (("en", 1280, "light"), ("zh", 390, "dark")):
            file = tmp_path / f"{language}.html"
            write_report(result, file, language=language, command=results.COMMAND)
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            page.goto(file.as_uri())
            assert page.evaluate(TOO_WIDE) <= 0
            assert page.evaluate(CUT) == []
            assert len(page.evaluate(WIDTHS)) == 1
            assert page.locator(".answer .mark").count() == 4
            is_dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
            assert is_dark == (scheme == "dark")
        assert witness.complaints == []
        assert len(witness.requests) == 2
