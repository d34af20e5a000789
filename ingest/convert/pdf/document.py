"""A PDF to markdown: pages are read, what they repeat is dropped, headings are found, blocks are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pypdfium2 as pdfium

from configs.errors import InputError
from ingest.convert.base import Converted, Region
from ingest.convert.pdf.blocks import Block, ColumnReader, Kind, Part, code_grid, code_text
from ingest.convert.pdf.furniture import drop_furniture
from ingest.convert.pdf.headings import Body, Bookmark, Flow, body_of, levels_of
from ingest.convert.pdf.info import bookmarks_of, metadata_of
from ingest.convert.pdf.lines import Line
from ingest.convert.pdf.markers import without_marker
from ingest.convert.pdf.page import Page, lay_out, read_page
from ingest.convert.pdf.pieces import HYPHEN, Box, Frame, Table
from ingest.convert.pdf.writer import Hyphens, Writer, table_lines

_MAX_DAMAGED = 200
_SENTENCE_END = (".", "!", "?", ":", '."', ".”", ".)", "。", "؟")
_FOOTNOTE = 0.93
"""Of the body's size: smaller text below it does not end a paragraph."""
_EDGES_APART = 6.0

Laid = list[tuple[Frame, Flow]]


def read_pages(document: Any) -> tuple[list[Page], list[str]]:
    """The text layer of every page, and notes about those that cannot be read.

    Raises:
        InputError: none can be read.
    """
    pages: list[Page] = []
    damaged: list[int] = []
    first = ""
    for index in range(len(document)):
        try:
            pages.append(read_page(document, index))
        except pdfium.PdfiumError as error:
            first = first or f"page {index + 1}: {error}"
            damaged.append(index + 1)
            pages.append(Page())
            # A damaged file may claim any number of pages.
            if len(damaged) > _MAX_DAMAGED and 2 * len(damaged) > len(pages):
                break
    if damaged and len(damaged) == len(pages):
        raise InputError(f"damaged PDF: {first}")
    return pages, [f"damaged and left out: page {numbers(damaged)}"] if damaged else []


def numbers(pages: Sequence[int]) -> str:
    """Pages for a note: the first ten of them."""
    return ", ".join(map(str, pages[:10])) + ("..." if len(pages) > 10 else "")


def convert_pages(document: Any, data: bytes, pages: list[Page], notes: Sequence[str]) -> Converted:
    """A document whose pages are read, as markdown."""
    body, regions = markdown_of(pages, bookmarks_of(document))
    metadata = metadata_of(document, data)
    return Converted(body, metadata, tuple(notes), dict.fromkeys(metadata, "pdf"), regions)


def markdown_of(pages: Sequence[Page], bookmarks: Sequence[Bookmark] = ()) -> tuple[str, tuple[Region, ...]]:
    """The text of pages as markdown, and where each stretch of it stands; the pages are used up."""
    drop_furniture([page.frames[0] if page.frames else None for page in pages])
    laid = [lay_out(page) for page in pages]
    flows = [[flow for _, flow in page] for page in laid]
    lines = [item for page in flows for flow in page for item in flow if isinstance(item, Line)]
    body = body_of(lines)
    levels = levels_of(flows, body, bookmarks)
    blocks = _blocks(laid, levels, body)
    return Writer(Hyphens([line.text for line in lines])).write(blocks)


def _blocks(pages: Sequence[Laid], levels: dict[int, tuple[int, int]], body: Body) -> list[Block]:
    blocks: list[Block] = []
    for number, laid in enumerate(pages, 1):
        for frame, flow in laid:
            first = True
            for kind, content, level, marker in ColumnReader(flow, levels, body).blocks():
                if isinstance(content, Table):
                    block = _table(content, frame, number)
                else:
                    block = _block(kind, content, level, marker, frame, number)
                block.aside = frame is not laid[0][0]
                goes_on = first and blocks and not block.aside
                if not (goes_on and _continued(blocks, block, content, body)):
                    blocks.append(block)
                first = False
    return blocks


def _block(kind: Kind, lines: list[Line], level: int, marker: str, frame: Frame, page: int) -> Block:
    edges: tuple[float, ...] = ()
    if kind == "code":
        edges = code_grid(lines)
        texts = code_text(lines, edges)
    else:
        texts = [line.text for line in lines]
        if kind == "item":
            texts[0] = without_marker(texts[0])
    part = Part(page, frame.share(_around(lines)), texts)
    return Block(kind, [part], level, marker, lines[0].style.size, edges)


def _continued(blocks: list[Block], block: Block, content: list[Line] | Table, body: Body) -> bool:
    """Whether a column's first block went to the end of an earlier one, which it continues."""
    last, part = blocks[-1], block.parts[0]
    if isinstance(content, Table):
        if not _goes_on_below(last, block):
            return False
        rows = content.rows[tuple(content.rows[0]) == last.header :]
        part.lines = table_lines(rows, header=False)
        last.parts += block.parts if rows else []
        return True
    if block.kind == "code":
        below = last.kind == "code" and last.parts[-1].page + 1 == part.page
        if not below or block.edges[0] < last.edges[0] - 1:
            return False
        part.lines = code_text(content, last.edges)
        last.parts.append(part)
        return True
    earlier = _open(blocks, block, body)
    if earlier is not None:
        earlier.parts.append(part)
    return earlier is not None


def _around(lines: Sequence[Line]) -> Box:
    return (
        min(line.x0 for line in lines),
        min(line.y0 for line in lines),
        max(line.x1 for line in lines),
        max(line.y1 for line in lines),
    )


def _table(table: Table, frame: Frame, page: int) -> Block:
    part = Part(page, frame.share(table.box), table_lines(table.rows, header=True))
    return Block("table", [part], edges=table.edges, header=tuple(table.rows[0]))


def _goes_on_below(above: Block, below: Block) -> bool:
    """Whether a table is the rest of the one at the end of the page before."""
    return (
        above.kind == "table"
        and above.parts[-1].page + 1 == below.parts[0].page
        and len(above.header) == len(below.header)
        and len(above.edges) == len(below.edges)
        and all(abs(a - b) < _EDGES_APART for a, b in zip(above.edges, below.edges, strict=True))
    )


def _open(blocks: Sequence[Block], block: Block, body: Body) -> Block | None:
    """The paragraph that a column's first lines continue, if it was left in mid-sentence."""
    if block.kind != "paragraph":
        return None
    for earlier in reversed(blocks[-4:]):
        if earlier.kind not in ("paragraph", "item"):
            return None
        is_note = earlier.size < _FOOTNOTE * body.size <= _FOOTNOTE * block.size + 1e-6
        if is_note or earlier.aside:
            continue
        if abs(earlier.size - block.size) > 0.08 * block.size:
            return None
        end, start = earlier.parts[-1].lines[-1], block.parts[0].lines[0]
        torn = end.endswith((HYPHEN, "-")) or not end.endswith(_SENTENCE_END)
        return earlier if torn and start[:1].islower() else None
    return None
