"""The names that WordprocessingML's elements and attributes have (ECMA-376 Part 1; strict ones as well)."""

from __future__ import annotations

from typing import Any

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
REL = "{http://schemas.openxmlformats.org/package/2006/relationships}"
RELATION = "/hyperlink"

_STRICT = {
    "http://purl.oclc.org/ooxml/wordprocessingml/main": W[1:-1],
    "http://purl.oclc.org/ooxml/officeDocument/math": M[1:-1],
    "http://purl.oclc.org/ooxml/officeDocument/relationships": R[1:-1],
}


def transitional(root: Any) -> Any:
    """The tree with the names of the strict form changed to those of the usual one, in place."""
    if not str(root.tag).startswith("{http://purl.oclc.org/ooxml/"):
        return root
    for element in root.iter("*"):
        element.tag = _renamed(element.tag)
        for name in [key for key in element.attrib if key.startswith("{http://purl.oclc.org/")]:
            element.set(_renamed(name), element.attrib.pop(name))
    return root


def _renamed(name: str) -> str:
    space, _, local = name[1:].partition("}")
    return f"{{{_STRICT[space]}}}{local}" if name.startswith("{") and space in _STRICT else name


def value(parent: Any, child: str, attribute: str = "val") -> str | None:
    """An attribute of a child element, both in Word's name space; None where either is missing."""
    found = parent.find(W + child) if parent is not None else None
    result: str | None = found.get(W + attribute) if found is not None else None
    return result


def is_on(parent: Any, child: str) -> bool | None:
    """A switch such as bold: on, off, or not said."""
    found = parent.find(W + child) if parent is not None else None
    if found is None:
        return None
    return found.get(W + "val", "true") not in ("0", "false", "off", "none")


def integer(text: str | None) -> int | None:
    try:
        return int(float(text)) if text is not None and len(text) < 12 else None
    except (ValueError, OverflowError):
        return None
