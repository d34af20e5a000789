"""PDFs by the layout model of unstructured, for those who installed the extra ``pdf`` and asked for it.

It looks at pictures of the pages: slow, and better where the text layer says little about the layout.
What its elements are becomes blocks like those of the text layer.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

from lxml import etree, html

from configs.errors import InputError, install
from ingest.convert.pdf.blocks import Block, Kind, Part
from ingest.convert.pdf.markers import without_marker
from ingest.convert.pdf.pieces import Box
from ingest.convert.pdf.writer import Hyphens, Writer, table_lines
from retrieve.schema import Region

_LEFT_OUT = {"Header", "Footer", "PageNumber", "PageBreak", "Image"}
_MAX_CELLS = 20_000
_QUIET = {
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
    "UNSTRUCTURED_DISABLE_NOTICE": "1",
    # The model is taken from the local cache; a conversion fetches nothing.
    "HF_HUB_OFFLINE": "1",
}


def read_hi_res(data: bytes) -> tuple[str, tuple[Region, ...]]:
    """Markdown and regions of a PDF.

    Raises:
        InputError: unstructured or its model is not there, or it cannot read the file.
    """
    if find_spec("unstructured") is None or find_spec("unstructured_inference") is None:
        raise InputError(
            "ingest.pdf is 'hi_res', but unstructured is not installed: "
            f"{install('pdf')}, or set it to 'text'"
        )
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    from unstructured.partition.pdf import partition_pdf

    try:
        elements = partition_pdf(file=io.BytesIO(data), strategy="hi_res", infer_table_structure=True)
    except Exception as error:  # whatever its many libraries throw
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"hi_res could not read it: {type(error).__name__}: {reason}") from error
    return markdown_of_elements(elements)


def markdown_of_elements(elements: Sequence[Any]) -> tuple[str, tuple[Region, ...]]:
    """unstructured's elements, in their order, as markdown."""
    blocks = list(_blocks(elements))
    texts = [line for block in blocks for part in block.parts for line in part.lines]
    return Writer(Hyphens(texts)).write(blocks)


def _blocks(elements: Sequence[Any]) -> Iterator[Block]:
    for element in elements:
        text = " ".join((element.text or "").split())
        if element.category in _LEFT_OUT or not text:
            continue
        about = element.metadata
        kind, lines, level, marker = _content(element, text)
        page = about.page_number or 1
        yield Block(kind, [Part(page, _box(about), lines)], level, marker)


def _content(element: Any, text: str) -> tuple[Kind, list[str], int, str]:
    depth = element.metadata.category_depth or 0
    if element.category == "Title":
        return "heading", [text], min(depth + 1, 6), ""
    if element.category == "ListItem":
        return "item", [without_marker(text)], 0, "-"
    if element.category == "CodeSnippet":
        return "code", (element.text or "").rstrip().split("\n"), 0, ""
    rows = _rows(element.metadata.text_as_html) if element.category == "Table" else []
    if len(rows) > 1:
        return "table", table_lines(rows, header=True), 0, ""
    return "paragraph", [text], 0, ""


def _rows(markup: str | None) -> list[list[str]]:
    """The cells of a table that a model wrote: untrusted, so only their text is taken."""
    if not markup:
        return []
    try:
        root = html.fromstring(markup)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return []
    rows = [
        [" ".join(cell.text_content().split()) for cell in row.iter("td", "th")] for row in root.iter("tr")
    ]
    width = max(map(len, rows), default=0)
    if not width or width * len(rows) > _MAX_CELLS:
        return []
    return [row + [""] * (width - len(row)) for row in rows]


def _box(about: Any) -> Box:
    """Where an element stands, as shares of its page; the whole page where that is not known."""
    place = about.coordinates
    if place is None or not place.points or place.system is None:
        return 0.0, 0.0, 1.0, 1.0
    xs = [min(max(x / place.system.width, 0.0), 1.0) for x, _ in place.points]
    ys = [min(max(y / place.system.height, 0.0), 1.0) for _, y in place.points]
    return round(min(xs), 4), round(min(ys), 4), round(max(xs), 4), round(max(ys), 4)
