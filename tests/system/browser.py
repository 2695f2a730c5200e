"""A real browser on a page of ours, and a witness of all that must not happen in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from playwright.sync_api import BrowserContext, Page, Request, expect, sync_playwright

CHROMIUM = Path(os.environ.get("NILOMETER_CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PATIENCE_MS = 60_000
T = TypeVar("T")
PIXELS = """(colour) => {
  const [r, g, b] = colour.match(/[0-9a-f]{2}/gi).map((part) => parseInt(part, 16));
  let found = 0, drawn = 0;
  for (const canvas of document.querySelectorAll('[data-testid=chart] canvas')) {
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] === 0) continue;
      drawn += 1;
      if (Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) < 24) found += 1;
    }
  }
  return [found, drawn];
}"""


@contextmanager
def browser(
    profile: Path, *, width: int = 1280, height: int = 800, language: str = "en-GB"
) -> Iterator[BrowserContext]:
    """Run Chromium with a profile of its own; light, in English unless told otherwise."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            args=list(ARGUMENTS),
            viewport={"width": width, "height": height},
            locale=language,
            color_scheme="light",
        )
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        try:
            yield context
        finally:
            context.close()


class Witness:
    """Notes console errors, page errors, failed requests, refused ones, and requests to any other host."""

    def __init__(self, page: Page, address: str) -> None:
        self._address = address
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._under_way: set[Request] = set()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._note("page error", error))
        page.on("request", self._request)
        page.on("requestfailed", self._failed)
        page.on("requestfinished", self._finished)
        page.on("response", lambda answer: answer.status >= 400 and self._note(f"status {answer.status}", answer.url))

    def _note(self, kind: str, what: object) -> None:
        self.complaints.append(f"{kind}: {what}")

    def _console(self, message) -> None:
        if message.type in {"error", "warning"}:
            self._note(f"console {message.type}", f"{message.text} ({message.location})")

    @property
    def has_all(self) -> bool:
        """Say whether every answer has come, but for the stream that never ends."""
        return all("/live" in request.url for request in self._under_way)

    def _request(self, request) -> None:
        self._under_way.add(request)
        self.requests.append(request.url)
        if not request.url.startswith((self._address + "/", "data:", "blob:")):
            self._note("another host", request.url)

    def _finished(self, request) -> None:
        self._under_way.discard(request)

    def _failed(self, request) -> None:
        self._under_way.discard(request)
        # Aborted is what a page does itself, when it leaves a stream or no longer wants an answer.
        if request.failure != "net::ERR_ABORTED":
            self._note("request failed", f"{request.url} {request.failure}")


def colour(page: Page, name: str) -> str:
    """Return a colour of the style sheet, such as ``amber``."""
    return page.evaluate(
        "(name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()", f"--{name}"
    )


def pixels(page: Page, name: str) -> int:
    """Return how many pixels of the charts are of a colour of the style sheet."""
    return page.evaluate(PIXELS, colour(page, name))[0]


def steady(page: Page, ask: Callable[[], T]) -> T:
    """Return an answer once it has stayed the same over some pictures, a second in all: a page draws as data come."""
    answer, times = ask(), 0
    while times < 4:
        page.wait_for_timeout(250)
        page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        now = ask()
        answer, times = now, times + 1 if now == answer else 0
    return answer


def drawn(page: Page) -> int:
    """Return how many pixels of the charts are drawn at all."""
    return page.evaluate(PIXELS, "#000000")[1]
