"""XML of logger files as a tree: namespaces taken off, nothing fetched, nothing expanded.

A document that declares its own entities is refused: a logger writes none, and a short one can stand for gigabytes.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from nilometer.errors import ReadError

__all__ = ["attribute", "local", "parsed", "root_name", "said", "within"]


DEEPEST = 200


def parsed(data: bytes, path: Path, format_name: str) -> ET.Element:
    """Return the root of a document.

    Raises
    ------
    ReadError
        If it is not well formed, or declares a document type.
    """
    # Without its NULs, UTF-16 shows the same letters.
    plain = data.replace(b"\0", b"") if b"\0" in data[:200] else data
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        raise ReadError("it declares a document type or entities: such XML is not read", path=path, format=format_name)
    try:
        parser = ET.XMLParser(target=_Bounded())  # noqa: S314 -- entities are refused above
        parser.feed(data)
        root: ET.Element = parser.close()
    except _TooDeepError as error:
        raise ReadError(
            f"elements are nested more than {DEEPEST} deep: no logger writes so", path=path, format=format_name
        ) from error
    except ET.ParseError as error:
        raise ReadError(
            f"the XML is not well formed: {error}", path=path, line=error.position[0], format=format_name
        ) from error
    except (ValueError, LookupError) as error:  # an encoding that does not exist, or is not of its bytes
        raise ReadError(f"the XML cannot be decoded: {error}", path=path, line=1, format=format_name) from error
    return root


class _TooDeepError(Exception):
    pass


class _Bounded(ET.TreeBuilder):
    """Builds the tree of a document that is nested no deeper than documents are."""

    depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        self.depth += 1
        if self.depth > DEEPEST:
            raise _TooDeepError
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ET.Element:
        self.depth -= 1
        return super().end(tag)


def local(name: str) -> str:
    """Return a tag or attribute without its namespace."""
    return name.rpartition("}")[2]


def within(element: ET.Element, name: str) -> Iterator[ET.Element]:
    """Yield the elements below one, at any depth, that bear a name."""
    return (part for part in element.iter() if part is not element and local(part.tag) == name)


def said(element: ET.Element | None, name: str) -> str:
    """Return the text of the first element of a name below one; empty where there is none."""
    found = None if element is None else next(within(element, name), None)
    return "" if found is None or found.text is None else found.text.strip()


def attribute(element: ET.Element | None, name: str) -> str:
    """Return an attribute, whatever its namespace; empty where there is none."""
    if element is None:
        return ""
    return next((text for key, text in element.attrib.items() if local(key) == name), "")


def root_name(head: bytes) -> str:
    """Return the name of the root element that the first bytes of a file show; empty where it is no XML."""
    text = head[:8192]
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = text.decode("utf-16", "replace").encode()
    match = re.match(
        rb"\s*(?:<\?[^>]*\?>\s*|<!--.*?-->\s*)*<(?:[\w.-]+:)?([\w.-]+)", text.removeprefix(b"\xef\xbb\xbf"), re.DOTALL
    )
    return match[1].decode("ascii", "replace") if match else ""
