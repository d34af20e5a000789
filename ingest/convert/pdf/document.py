"""A PDF to markdown: pages are read, what they repeat is dropped, headings are found, blocks are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pypdfium2 as pdfium

from configs.errors import InputError
from ingest.convert.base import Converted, Region
from ingest.convert.pdf.blocks import Block, ColumnReader, Part, code_text, without_marker
from ingest.convert.pdf.furniture import drop_furniture
from ingest.convert.pdf.headings import Body, Bookmark, Flow, body_of, levels_of
from ingest.convert.pdf.info import bookmarks_of, metadata_of
from ingest.convert.pdf.lines import Line
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
            reader = ColumnReader(flow, levels, body)
            for position, (kind, content, level, marker) in enumerate(reader.blocks()):
                if isinstance(content, Table):
                    block = _table(content, frame, number)
                    open_block = blocks[-1] if blocks and not position else None
                    if open_block is not None and _goes_on_below(open_block, block):
                        rows = content.rows[tuple(content.rows[0]) == open_block.header :]
                        block.parts[0].lines = table_lines(rows, header=False)
                        open_block.parts += block.parts if rows else []
                        continue
                else:
                    lines = code_text(content) if kind == "code" else [line.text for line in content]
                    if kind == "item":
                        lines[0] = without_marker(lines[0])
                    part = Part(number, frame.share(_around(content)), lines)
                    block = Block(kind, [part], level, marker, content[0].style.size)
                    if not position and (open_block := _open(blocks, block, body)) is not None:
                        open_block.parts.append(part)
                        continue
                blocks.append(block)
    return blocks


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
        if is_note:
            continue
        if abs(earlier.size - block.size) > 0.08 * block.size:
            return None
        end, start = earlier.parts[-1].lines[-1], block.parts[0].lines[0]
        torn = end.endswith((HYPHEN, "-")) or not end.endswith(_SENTENCE_END)
        return earlier if torn and start[:1].islower() else None
    return None
