"""PowerPoint presentations: a section a slide, with its speaker notes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from typing import Any

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, Region, tidy
from ingest.convert.build import MAX_COPIED, described_image
from ingest.convert.markup import blocks, heading, link, list_item, one_line, plain_block, table
from ingest.convert.package import Package, parse_xml
from ingest.convert.properties import core_properties, declared

MAX_SLIDES = 2_000
MAX_SHAPES = 2_000
"""Of a slide, those in groups counted."""
_MAX_DEPTH = 20
_ROW = 300_000
"""Shapes whose upper edges are this near (in EMU: about 8 mm) stand beside each other."""
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


class PptxConverter:
    """Titles, texts with their levels, tables, charts' data and notes, in the order of reading."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        package = Package(data, "a PowerPoint presentation")
        package.require("ppt/presentation.xml")
        package.refuse_entities()
        package.refuse_large_trees()
        fields = core_properties(package)
        slides, notes = _Reader().read(data)
        parts, regions, position = [], [], 0
        for number, (title, text) in slides:
            fields["title"] = fields.get("title") or title
            part = tidy(text)
            parts.append(part)
            regions.append(Region(position, position + len(part), number))
            position += len(part) + 1
        metadata, origins = declared(fields, "pptx")
        return Converted(tidy("\n".join(parts)), metadata, notes, origins, tuple(regions))


class _Reader:
    def __init__(self) -> None:
        self.skipped: dict[str, int] = {}

    def read(self, data: bytes) -> tuple[list[tuple[int, tuple[str, str]]], tuple[str, ...]]:
        """The slides that have content, by their number, and what a person should know."""
        from pptx import Presentation

        try:
            presentation = Presentation(io.BytesIO(data))
            slides = [(n, slide) for n, slide in enumerate(presentation.slides, 1) if n <= MAX_SLIDES]
            found = [(number, self.slide(number, slide)) for number, slide in slides]
        except InputError:
            raise
        except Exception as error:  # damaged parts come out as whatever they break in it
            why = one_line(str(error))[:200] or type(error).__name__
            raise InputError(f"damaged: cannot be read as a PowerPoint presentation: {why}") from None
        notes = tuple(f"left out: {what} ({count})" for what, count in sorted(self.skipped.items()))
        return [(number, slide) for number, slide in found if slide[1].strip()], notes

    def slide(self, number: int, slide: Any) -> tuple[str, str]:
        """Its title, and its markdown; a hidden slide has none."""
        if slide._element.get("show") in ("0", "false"):
            return "", self.skip("hidden slides")
        title = slide.shapes.title
        words = one_line(title.text_frame.text) if title is not None else ""
        shapes = islice(_leaves(slide.shapes), MAX_SHAPES)
        others = (shape for shape in shapes if title is None or shape.shape_id != title.shape_id)
        parts = [text for shape in others if (text := self.shape(shape))]
        if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None:
            said = plain_block(frame.text.replace("\v", "\n")).strip()
            parts += [f"Notes: {said}"] if said else []
        lead = heading(2, words or f"Slide {number}") if words or parts else ""
        return words, blocks([lead, *parts])

    def skip(self, what: str) -> str:
        """Count what is left out; nothing takes its place."""
        self.skipped[what] = self.skipped.get(what, 0) + 1
        return ""

    def shape(self, shape: Any) -> str:
        if getattr(shape, "is_placeholder", False) and _is_furniture(shape):
            return ""
        if getattr(shape, "has_table", False):
            return _table(shape.table)
        if getattr(shape, "has_chart", False):
            return self.chart(shape)
        if getattr(shape, "has_text_frame", False):
            return _text(
                shape.text_frame, bullets=getattr(shape, "is_placeholder", False) and _is_body(shape)
            )
        if shape._element.tag.endswith("}pic"):
            return self.picture(shape)
        if shape._element.tag.endswith("}graphicFrame"):
            return _diagram(shape) or self.skip("embedded objects")
        return ""

    def chart(self, shape: Any) -> str:
        try:
            return _chart(shape.chart)
        except (NotImplementedError, ValueError, KeyError, AttributeError, IndexError):
            return self.skip("charts of kinds that cannot be read")

    def picture(self, shape: Any) -> str:
        described = one_line(shape._element.nvPicPr.cNvPr.get("descr") or "")
        if not described:
            return self.skip("pictures without a description")
        return f"*{described_image(described)}*"


def _leaves(shapes: Any, depth: int = 0) -> Iterator[Any]:
    """From top to bottom, and from left to right where shapes stand beside each other; groups are one."""
    for shape in _in_order(list(shapes)[:MAX_SHAPES]):
        if not shape._element.tag.endswith("}grpSp"):
            yield shape
        elif depth < _MAX_DEPTH:
            yield from _leaves(shape.shapes, depth + 1)


def _in_order(shapes: list[Any]) -> list[Any]:
    rows: list[list[Any]] = []
    for shape in sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0)):
        if rows and (shape.top or 0) - (rows[-1][0].top or 0) < _ROW:
            rows[-1].append(shape)
        else:
            rows.append([shape])
    return [shape for row in rows for shape in sorted(row, key=lambda shape: shape.left or 0)]


def _is_furniture(shape: Any) -> bool:
    """What repeats on every slide: its number, the date, the footer and header."""
    from pptx.enum.shapes import PP_PLACEHOLDER as KIND

    return shape.placeholder_format.type in (KIND.SLIDE_NUMBER, KIND.DATE, KIND.FOOTER, KIND.HEADER)


def _is_body(shape: Any) -> bool:
    from pptx.enum.shapes import PP_PLACEHOLDER as KIND

    return shape.placeholder_format.type in (KIND.BODY, KIND.OBJECT, KIND.VERTICAL_BODY, KIND.VERTICAL_OBJECT)


def _text(frame: Any, *, bullets: bool) -> str:
    """Paragraphs; those of the body, and those that say so, as a list with their levels."""
    parts: list[str] = []
    items: list[str] = []
    count = 0
    for paragraph in frame.paragraphs:
        text = _runs(paragraph)
        if not text:
            continue
        marker = _marker(paragraph, default=bullets)
        if not marker:
            parts += [*(["\n".join(items)] if items else []), plain_block(text)]
            items, count = [], 0
            continue
        count = count + 1 if paragraph.level == 0 else count
        items.append(
            list_item(text, paragraph.level, f"{count}." if marker == "1" and not paragraph.level else "-")
        )
    parts += ["\n".join(items)] if items else []
    if len(items) == 1 and len(parts) == 1:
        return plain_block(_runs(next(p for p in frame.paragraphs if _runs(p))))
    return blocks(parts)


def _marker(paragraph: Any, *, default: bool) -> str:
    """``-`` or ``1`` for a list's item, nothing for a paragraph."""
    properties = paragraph._p.pPr
    if properties is not None:
        if properties.find(f"{_A}buNone") is not None:
            return ""
        if properties.find(f"{_A}buAutoNum") is not None:
            return "1"
        if properties.find(f"{_A}buChar") is not None:
            return "-"
    return "-" if default or paragraph.level else ""


def _runs(paragraph: Any) -> str:
    """A paragraph's text with its links and bold words; a line break in it is a space."""
    words: list[str] = []
    for child in paragraph._p:
        kind = child.tag.removeprefix(_A)
        if kind == "br":
            words.append(" ")
        elif kind in ("r", "fld"):
            words.append(child.findtext(f"{_A}t") or "")
            if kind == "r" and words[-1].strip():
                words[-1] = _linked(words[-1], child, paragraph)
        elif kind.endswith("}AlternateContent"):  # formulas: what they say without their form
            words.append("".join(t.text or "" for t in child.iter(f"{_A}t", f"{_M}t")))
    return one_line("".join(words).replace("\v", " "))


def _linked(text: str, run: Any, paragraph: Any) -> str:
    click = run.find(f"{_A}rPr/{_A}hlinkClick")
    relation = paragraph.part.rels.get(click.get(f"{_R}id")) if click is not None else None
    if relation is None or not relation.is_external:
        return text
    before, behind = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{before}{link(text, relation.target_ref)}{behind}"


def _table(grid: Any) -> str:
    """Merged cells say the same in every row and column that they cover."""
    rows = [[_cell(cell) for cell in row.cells] for row in grid.rows]
    room = MAX_COPIED
    for top, row in enumerate(grid.rows):
        for left, cell in enumerate(row.cells):
            if cell.is_merge_origin:
                room -= cell.span_height * cell.span_width * (len(rows[top][left]) + 1)
                for covered in rows[top : top + cell.span_height] if room > 0 else ():
                    width = len(covered[left : left + cell.span_width])
                    covered[left : left + width] = [rows[top][left]] * width
    return table(rows)


def _cell(cell: Any) -> str:
    return " ".join(filter(None, map(_runs, cell.text_frame.paragraphs)))


def _diagram(shape: Any) -> str:
    """The texts of a SmartArt graphic as a list."""
    ids = next(shape._element.iter(f"{_DIAGRAM}relIds"), None)
    relation = shape.part.rels.get(ids.get(f"{_R}dm")) if ids is not None else None
    if relation is None or relation.is_external:
        return ""
    points = parse_xml(relation.target_part.blob, "diagram").iter(f"{_DIAGRAM}pt")
    texts = (one_line("".join(t.text or "" for t in point.iter(f"{_A}t"))) for point in points)
    return "\n".join(list_item(text, 0) for text in texts if text)


def _chart(chart: Any) -> str:
    """The numbers that a chart shows: a row a category, a column a series."""
    plot = next(iter(chart.plots), None)
    if plot is None:
        return ""
    series = list(plot.series)[:50]
    rows = [["", *(one.name or "" for one in series)]]
    for index, category in enumerate(list(plot.categories)[:1000]):
        values = [one.values[index] if index < len(one.values) else None for one in series]
        rows.append([str(category), *("" if value is None else f"{value:g}" for value in values)])
    title = chart.chart_title.text_frame.text if chart.has_title and chart.chart_title.has_text_frame else ""
    return blocks([plain_block(one_line(title)), table(rows)])


def converter(settings: IngestSettings) -> PptxConverter:
    return PptxConverter()
