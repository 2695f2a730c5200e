# ruff: noqa: INP001 -- a script, not a package
"""Make the pictures of the README from a running demo: ``python docs/images/make.py`` (needs Chromium and Playwright).

A fresh demo on a free port, two weeks of modelled past, light, in English, 1280 by 800.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.system.browser import browser, drawn  # noqa: E402 -- found by the line above
from tests.system.demos import start_demo, wait_for, wait_until_live  # noqa: E402

PAGES = {"overview.png": "/", "thing.png": "/things/qingxi-bridge"}


def main() -> None:
    """Write the pictures beside this file."""
    with tempfile.TemporaryDirectory() as folder:
        demo = start_demo(Path(folder) / "data")
        try:
            wait_until_live(demo, 3)
            with browser(Path(folder) / "profile") as context:
                page = context.pages[0]
                for name, path in PAGES.items():
                    page.goto(demo.address + path)
                    expect(page.get_by_test_id("live-indicator")).to_have_attribute("data-state", "live")
                    expect(page.get_by_test_id("latest-value").first).to_be_visible()
                    if path != "/":
                        wait_for("charts that are drawn", lambda: drawn(page) > 5000)
                    page.wait_for_timeout(6000)  # some minutes of live values, at the demo's speed
                    page.screenshot(path=HERE / name)
            demo.stop()
        finally:
            demo.kill()


if __name__ == "__main__":
    main()
