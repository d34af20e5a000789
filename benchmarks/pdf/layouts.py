"""A text set in several ways: what people's PDFs look like, with the words known."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.enums import TA_JUSTIFY
from reportlab.lib.pagesizes import A4, A5, landscape, letter
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import (
    BaseDocTemplate,
    Frame,
    ListFlowable,
    ListItem,
    PageTemplate,
    Paragraph,
    Preformatted,
    Table,
    TableStyle,
)

from benchmarks.pdf.source import Piece, Text


@dataclass(frozen=True)
class Layout:
    """How a text is set."""

    name: str
    size: tuple[float, float] = A4
    columns: int = 1
    font: str = "Helvetica"
    points: float = 10
    justified: bool = False
    grid: bool = True
    furniture: bool = False
    rotation: int = 0


LAYOUTS = (
    Layout("plain"),
    Layout("book", A5, 1, "Times-Roman", 9, justified=True, furniture=True),
    Layout("paper", letter, 2, "Times-Roman", 9, justified=True, grid=False),
    Layout("magazine", A4, 3, "Helvetica", 8, furniture=True),
    Layout("report", letter, 1, "Times-Roman", 11, grid=False, furniture=True),
    Layout("turned", landscape(A4), 2, "Helvetica", 10, rotation=90),
)


def typeset(text: Text, layout: Layout) -> bytes:
    """The PDF of a text; the same bytes each time."""
    out = io.BytesIO()
    wide, high = layout.size
    template = BaseDocTemplate(out, pagesize=layout.size, invariant=1, title=text.name)
    margin, gap = 0.1 * min(wide, high), 16.0
    each = (wide - 2 * margin - gap * (layout.columns - 1)) / layout.columns
    frames = [
        Frame(margin + number * (each + gap), margin, each, high - 2 * margin, 0, 0, 0, 0)
        for number in range(layout.columns)
    ]

    def decorate(canvas: Any, document: Any) -> None:
        if layout.rotation:
            canvas._pagesize = (wide, high)
            canvas.setPageRotation(0)
        if layout.furniture:
            canvas.setFont(layout.font, layout.points - 1)
            canvas.drawString(margin, high - 0.6 * margin, f"Handbook: {text.name}, second edition")
            canvas.drawCentredString(wide / 2, 0.5 * margin, str(canvas.getPageNumber()))

    template.addPageTemplates(PageTemplate("page", frames, onPage=decorate, pagesize=layout.size))
    template.build([item for piece in text.pieces for item in _flowables(piece, layout, each)])
    return out.getvalue()


def _flowables(piece: Piece, layout: Layout, width: float) -> Iterator[Any]:
    body = _body(layout)
    if piece.kind == "heading":
        yield Paragraph(escape(piece.text), _heading(layout, piece.level))
    elif piece.kind == "paragraph":
        yield Paragraph(escape(piece.text), body)
    elif piece.kind == "code":
        # Small enough for the longest line: beyond the column nobody could read it.
        longest = max(map(len, piece.text.split("\n")))
        points = min(layout.points - 1, width / (0.6 * max(longest, 1)))
        style = ParagraphStyle(
            "code", fontName="Courier", fontSize=points, leading=1.2 * points, spaceAfter=8
        )
        yield Preformatted(piece.text, style)
    elif piece.kind == "list":
        items = [ListItem(Paragraph(escape(item), body)) for item in piece.items]
        yield (
            ListFlowable(items, bulletType="1", bulletFormat="%s.")
            if piece.numbered
            else ListFlowable(items, bulletType="bullet")
        )
    else:
        yield _table(piece, layout, width)


def _body(layout: Layout) -> ParagraphStyle:
    return ParagraphStyle(
        "body",
        fontName=layout.font,
        fontSize=layout.points,
        leading=1.2 * layout.points,
        spaceAfter=0.6 * layout.points,
        alignment=TA_JUSTIFY if layout.justified else 0,
    )


def _heading(layout: Layout, level: int) -> ParagraphStyle:
    bold = {"Helvetica": "Helvetica-Bold", "Times-Roman": "Times-Bold"}[layout.font]
    points = layout.points * {1: 2.0, 2: 1.5, 3: 1.25}.get(level, 1.0)
    return ParagraphStyle(
        f"h{level}", fontName=bold, fontSize=points, leading=1.2 * points, spaceBefore=points, spaceAfter=6
    )


def _table(piece: Piece, layout: Layout, width: float) -> Table:
    style: list[tuple[Any, ...]] = [("VALIGN", (0, 0), (-1, -1), "TOP")]
    if layout.grid:
        style.append(("GRID", (0, 0), (-1, -1), 0.5, colors.black))
    cells = [[Paragraph(escape(cell), _body(layout)) for cell in row] for row in piece.rows]
    longest = [max(len(row[column]) for row in piece.rows) + 2 for column in range(len(piece.rows[0]))]
    share = [max(min(count, 40), 6) for count in longest]
    return Table(cells, colWidths=[width * part / sum(share) for part in share], style=TableStyle(style))
