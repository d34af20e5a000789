"""A page's links to the web."""

from __future__ import annotations

import ctypes
import re
from typing import Any

import numpy as np
import pypdfium2.raw as raw

from ingest.convert.pdf.native import PageShape
from ingest.convert.pdf.pieces import Link

_MAX_LINKS = 500
_MAX_URL = 2_000
_URL = re.compile(r"(?:https?://|mailto:)[^\s<>\"\\^`{|}]+", re.I)
_UNSAFE = str.maketrans({"(": "%28", ")": "%29", "[": "%5B", "]": "%5D"})


def read_links(document: Any, page: Any, shape: PageShape) -> list[Link]:
    """The addresses that a page links to, and the boxes that one can click."""
    place, link = ctypes.c_int(0), raw.FPDF_LINK()
    found, boxes = [], []
    for _ in range(_MAX_LINKS):
        if not raw.FPDFLink_Enumerate(page.raw, place, link):
            break
        box = raw.FS_RECTF()
        url = _address(document, link)
        if url and raw.FPDFLink_GetAnnotRect(link, box):
            found.append(url)
            boxes.append((box.left, box.top, box.right, box.bottom))
    if not found:
        return []
    seen = shape.seen(np.array(boxes, dtype=np.float64))
    return [(url, (x0, y0, x1, y1)) for url, (x0, y0, x1, y1) in zip(found, seen.tolist(), strict=True)]


def _address(document: Any, link: Any) -> str:
    """Where a link leads; empty for places in the document and for what is no plain web address."""
    action = raw.FPDFLink_GetAction(link)
    if not action or raw.FPDFAction_GetType(action) != raw.PDFACTION_URI:
        return ""
    buffer = ctypes.create_string_buffer(_MAX_URL)
    length = raw.FPDFAction_GetURIPath(document.raw, action, buffer, _MAX_URL)
    if not 1 < length <= _MAX_URL:
        return ""
    url = buffer.value.decode("utf-8", "replace").strip()
    return url.translate(_UNSAFE) if _URL.fullmatch(url) else ""
