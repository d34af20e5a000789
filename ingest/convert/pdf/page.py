"""A page of a PDF, read and laid out: its text in columns, as lines and tables."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from ingest.convert.pdf.columns import flows_of
from ingest.convert.pdf.headings import Flow
from ingest.convert.pdf.lines import Line, line_of
from ingest.convert.pdf.links import read_links
from ingest.convert.pdf.native import Style, read_characters, shape_of
from ingest.convert.pdf.pieces import CrowdedPageError, Frame, Piece, frames_of
from ingest.convert.pdf.rulings import Rulings, read_rulings
from ingest.convert.pdf.tables import aligned_tables, rule_tables

_MAX_PLAIN = 2_000_000


@dataclass
class Page:
    """A page's text; the frame with most of it first."""

    frames: list[Frame] = field(default_factory=list)
    note: str = ""
    plain: str = ""
    """Instead of frames, where a page is too crowded to be laid out."""

    def is_empty(self) -> bool:
        return not self.plain and not any(frame.pieces for frame in self.frames)


def read_page(document: Any, index: int) -> Page:
    """A page's text layer.

    Raises:
        pypdfium2.PdfiumError: it is damaged.
    """
    with closing(document[index]) as page, closing(page.get_textpage()) as text_page:
        shape = shape_of(page)
        characters = read_characters(text_page, shape)
        if not characters.text.strip():
            return Page()
        rulings = read_rulings(page, shape)
        try:
            return Page(frames_of(characters, shape, rulings, read_links(document, page, shape)))
        except CrowdedPageError:
            return Page(plain=characters.text[:_MAX_PLAIN].replace("\r\n", "\n"))


def lay_out(page: Page) -> list[tuple[Frame, Flow]]:
    """The columns of a page in reading order; its pieces are used up."""
    if page.plain:
        frame = Frame(0, 1.0, 1.0, [], Rulings())
        return [(frame, _plain_flow(page.plain))]
    laid: list[tuple[Frame, Flow]] = []
    for frame in page.frames:
        if frame.rulings.worth_a_look():
            rule_tables(frame)
        for rows in flows_of(frame.pieces, frame.rulings.across):
            flow = _flow(rows, frame)
            if flow:
                laid.append((frame, flow))
        frame.pieces = []
    return laid


def _plain_flow(text: str) -> Flow:
    """Every line a paragraph of its own, for nothing is known about where it stands."""
    lines = filter(None, (" ".join(line.split()) for line in text.split("\n")))
    return [Line(line, 0, 30.0 * n, 1, 30.0 * n + 10, Style(10)) for n, line in enumerate(lines)]


def _flow(rows: list[list[Piece]], frame: Frame) -> Flow:
    flow: Flow = []
    start = 0
    for first, last, table in [*aligned_tables(rows, frame.rulings.across), (len(rows), len(rows), None)]:
        for row in rows[start:first]:
            flow += [piece.table for piece in row if piece.table is not None]
            if words := [piece for piece in row if not piece.filler]:
                flow.append(line_of(words))
        if table is not None:
            flow.append(table)
        start = last
    return flow
