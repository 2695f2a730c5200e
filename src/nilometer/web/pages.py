"""Files: the built interface with its history fallback, and the API's pages; all of them from installed packages."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from nilometer.errors import NotFound
from nilometer.web.exchange import Exchange

__all__ = ["Pages", "docs_page"]

_FOR_EVER = "public, max-age=31536000, immutable"
_HASHED = re.compile(r"[-.][A-Za-z0-9_-]{8,}\.\w+$")
# The interface draws on canvases and talks to this server alone; Svelte sets styles on elements.
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
)
_SWAGGER = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
_DOCS_PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>nilometer API</title>
<link rel="icon" href="/docs/favicon.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"""
_START = b"""window.ui = SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null,
});
"""
_NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>nilometer</title>
<p>The web interface is not built into this installation. The data are served:
<a href="/v1.1">SensorThings</a>, <a href="/docs">the API</a>.
<p lang="zh">此安装未包含网页界面。数据接口可用：<a href="/v1.1">SensorThings</a>、<a href="/docs">API</a>。
"""


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    media_type: str
    tag: str


class Pages:
    """The built interface below ``/``.

    Parameters
    ----------
    folder : path, optional
        Where it was built to; None: in this package.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(str(resources.files("nilometer.web"))) / "static"
        self._files: Mapping[str, _File] | None = None

    async def handle(self, exchange: Exchange) -> None:
        """Send a file, or the one page there is for every path of the interface.

        Raises
        ------
        NotFound
            For a file that is not there.
        """
        name = exchange.path.strip("/") or "index.html"
        files = self._files
        if files is None:
            files = self._files = _load(self._folder)
        if name in files:
            await _send(exchange, files[name], for_ever=name.startswith("assets/") or bool(_HASHED.search(name)))
        elif name.startswith("assets/") or "." in name.rsplit("/", 1)[-1].replace(".html", ""):
            await self._page_or_missing(exchange, name, files)
        else:
            await _send(exchange, files.get("index.html") or _page_without_interface(), for_ever=False)

    @staticmethod
    async def _page_or_missing(exchange: Exchange, name: str, files: Mapping[str, _File]) -> None:
        """Send the page below ``things/`` and ``datastreams/``, where a key may hold a dot; else refuse."""
        if not name.startswith(("things/", "datastreams/")):
            raise NotFound(f"there is no file {name[:200]!r}")
        await _send(exchange, files.get("index.html") or _page_without_interface(), for_ever=False)


def _load(folder: Path) -> dict[str, _File]:
    if not folder.is_dir():
        return {}
    return {
        path.relative_to(folder).as_posix(): _file(path.read_bytes(), path.name)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def _file(body: bytes, name: str) -> _File:
    media_type = _SWAGGER.get(name) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    if media_type.startswith("text/") or media_type in {"application/javascript", "application/json"}:
        media_type += "; charset=utf-8"
    return _File(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


@cache
def _page_without_interface() -> _File:
    return _file(_NOT_BUILT.encode(), "index.html")


async def _send(exchange: Exchange, file: _File, *, for_ever: bool) -> None:
    headers = [
        ("etag", file.tag),
        ("cache-control", _FOR_EVER if for_ever else "no-cache"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", _POLICY),
    ]
    if exchange.header(b"if-none-match") == file.tag:
        await exchange.answer(HTTPStatus.NOT_MODIFIED, headers=headers)
    else:
        await exchange.answer(HTTPStatus.OK, file.body, file.media_type, headers)


@cache
def _swagger() -> Mapping[str, _File]:
    folder: Traversable = resources.files("fastapi_offline") / "static"
    files = {name: _file((folder / name).read_bytes(), name) for name in _SWAGGER}
    return files | {"": _file(_DOCS_PAGE, "index.html"), "start.js": _file(_START, "start.js")}


async def docs_page(exchange: Exchange) -> None:
    """Send ``/docs``, Swagger UI, from an installed package: nothing is loaded from elsewhere.

    Raises
    ------
    NotFound
        For a file that is not there.
    """
    name = exchange.path.removeprefix("/docs").strip("/")
    file = _swagger().get(name)
    if file is None:
        raise NotFound(f"there is no file {exchange.path[:200]!r}")
    await _send(exchange, file, for_ever=False)
