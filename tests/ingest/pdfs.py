"""PDFs that tests read, written by reportlab, and how they are read."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfgen.canvas import Canvas
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

from ingest.convert.base import Converted
from ingest.convert.ocr import Wish
from ingest.convert.pdf import PdfConverter

BODY = ParagraphStyle("body", fontName="Helvetica", fontSize=10, leading=13, spaceAfter=8)
H1 = ParagraphStyle("h1", parent=BODY, fontName="Helvetica-Bold", fontSize=20, leading=26)
H2 = ParagraphStyle("h2", parent=BODY, fontName="Helvetica-Bold", fontSize=14, leading=20, spaceBefore=10)
H3 = ParagraphStyle("h3", parent=BODY, fontName="Helvetica-Bold", fontSize=10, leading=14, spaceBefore=10)
CODE = ParagraphStyle("code", parent=BODY, fontName="Courier", fontSize=9, leading=11)

Draw = Callable[[Canvas, Any], None]


def story(
    flowables: Sequence[Any],
    columns: int = 1,
    decorate: Draw | None = None,
    size: tuple[float, float] = A4,
    **information: str | int,
) -> bytes:
    """Flowables on pages with so many columns."""
    out = io.BytesIO()
    template = BaseDocTemplate(out, pagesize=size, invariant=1, **information)
    gap, margin, width = 18.0, 72.0, size[0] - 144
    each = (width - gap * (columns - 1)) / columns
    frames = [
        Frame(margin + number * (each + gap), 72, each, size[1] - 144, 0, 0, 0, 0)
        for number in range(columns)
    ]
    template.addPageTemplates(
        PageTemplate("page", frames, pagesize=size, onPage=decorate or (lambda *_: None))
    )
    template.build(list(flowables))
    return out.getvalue()


def drawn(
    *pages: Draw, size: tuple[float, float] = A4, encryption: StandardEncryption | None = None
) -> bytes:
    """Pages drawn by hand; each function gets the canvas and the page's size."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=size, invariant=1, encrypt=encryption)
    for page in pages:
        page(canvas, size)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def lines(*texts: str, x: float = 72, y: float = 720, pitch: float = 14) -> Draw:
    """Lines of text below each other."""

    def draw(canvas: Canvas, size: Any) -> None:
        canvas.setFont("Helvetica", 11)
        for number, text in enumerate(texts):
            canvas.drawString(x, y - number * pitch, text)

    return draw


def paragraph(text: str) -> Paragraph:
    return Paragraph(text, BODY)


def bullets(*texts: str, kind: str = "bullet") -> ListFlowable:
    return ListFlowable([ListItem(Paragraph(text, BODY)) for text in texts], bulletType=kind)


def code(text: str) -> Preformatted:
    return Preformatted(text, CODE)


def table(rows: Sequence[Sequence[str]], *, grid: bool, width: float = 110) -> Table:
    style = [("FONTSIZE", (0, 0), (-1, -1), 9)]
    if grid:
        style.append(("GRID", (0, 0), (-1, -1), 0.5, colors.black))
    cells = [[Paragraph(cell, BODY) for cell in row] for row in rows] if grid else rows
    return Table(cells, colWidths=[width] * len(rows[0]), style=TableStyle(style), spaceAfter=10)


PROSE = (
    "The pump runs at noon and stops when the valve of brass is closed by hand, which takes the "
    "keeper of the house less than a minute on most days of the year. "
)


def read_pdf(data: bytes, ocr: Wish = "off") -> Converted:
    """A PDF as markdown; its regions are sound."""
    found = PdfConverter(ocr).convert(data, ".pdf")
    check_regions(found)
    return found


def check_regions(found: Converted) -> None:
    """Raise where a region is outside of the body or of its page, or out of order."""
    last = 0
    for region in found.regions:
        assert last <= region.start < region.end <= len(found.body)
        assert found.body[region.start : region.end].strip()
        assert region.box is not None
        x0, y0, x1, y1 = region.box
        assert 0 <= x0 <= x1 <= 1
        assert 0 <= y0 <= y1 <= 1
        last = region.end
