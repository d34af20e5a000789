"""The paragraphs and tables of an RTF file as a tree of HTML's elements."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from lxml import etree, html

from ingest.convert.build import (
    Copies,
    Form,
    Line,
    Lists,
    add_preformatted,
    add_quoted,
    is_code,
    make,
    plain_text,
)

MAX_COLUMNS = 200
_HEADING = re.compile(r"heading (\d)")
_NUMBER = re.compile(r"\(?(\d{1,6})[.)]?|\(?[a-zA-Z]{1,4}[.)]")
_LEVEL = 360
"""Twips that a level of a list is indented at least."""


@dataclass(frozen=True)
class Paragraph:
    """What is said of a paragraph; ``pard`` takes it all back."""

    style: int = 0
    outline: int | None = None
    indent: int = 0
    level: int = 0
    in_table: bool = False


@dataclass
class _Place:
    """Where blocks go: the text, or a note in it."""

    root: Any
    depth: int = 0
    line: Line | None = None
    lists: Lists = field(default_factory=Lists)
    paragraph: Paragraph = Paragraph()


@dataclass
class _Row:
    """The row that is being written."""

    cells: list[Any] = field(default_factory=list)
    merges: list[str] = field(default_factory=list)
    """By column: ``across`` or ``down`` where a cell goes on another one."""
    merge: str = ""
    heads: bool = False


class Blocks:
    """Takes text and the words that end, shape and arrange it."""

    def __init__(self) -> None:
        self.styles: dict[int, str] = {}
        """Names of paragraph styles in lower case."""
        self.notes: list[Any] = []
        self.href = ""
        """Where text that is written now links to."""
        self.marker = ""
        """The bullet or number that stands before the paragraph."""
        self._places = [_Place(html.Element("div"))]
        self._table: Any = None
        self._row = _Row()
        self._copies = Copies()
        self._above: list[Any] = []
        self._cell = html.Element("td")

    @property
    def _place(self) -> _Place:
        return self._places[-1]

    def text(self, text: str, form: Form) -> None:
        place = self._place
        if place.line is None:
            place.line = Line(html.Element("p"))
        place.line.href = self.href
        place.line.text(text, form)

    def close(self) -> Any:
        """End what is open; returns the whole text."""
        while len(self._places) > 1:
            self.end_note(self._place.depth)
        self._end_paragraph()
        if self._row.cells or len(self._cell):
            self._end_row()
        return self._place.root

    def begin_note(self, depth: int) -> None:
        """A footnote's text begins in the group of this depth; its mark stands here."""
        note = html.Element("div")
        self.notes.append(note)
        self.text("", ())
        line = self._place.line
        if line is not None:
            line.put(make("x-ref", n=str(len(self.notes))))
        self._places.append(_Place(note, depth))

    def end_note(self, depth: int) -> None:
        if len(self._places) > 1 and self._place.depth == depth:
            self._end_paragraph()
            self._places.pop()

    def word(self, word: str, number: int | None) -> None:
        place, paragraph = self._place, self._place.paragraph
        if word in ("par", "sect", "nestcell"):
            self._end_paragraph()
        elif word == "line":
            self.text("", ())
            if place.line is not None:
                place.line.line_break()
        elif word == "pard":
            place.paragraph = Paragraph()
        elif word == "s":
            place.paragraph = replace(paragraph, style=number or 0)
        elif word == "outlinelevel":
            place.paragraph = replace(paragraph, outline=number)
        elif word in ("li", "lin"):
            place.paragraph = replace(paragraph, indent=number or 0)
        elif word == "ilvl":
            place.paragraph = replace(paragraph, level=number or 0)
        elif word == "intbl":
            place.paragraph = replace(paragraph, in_table=True)
        elif len(self._places) == 1:
            self._table_word(word)

    def _table_word(self, word: str) -> None:
        if word == "trowd":
            self._row.merges, self._row.merge, self._row.heads = [], "", False
        elif word == "trhdr":
            self._row.heads = True
        elif word in ("clmrg", "clvmrg"):
            self._row.merge = "across" if word == "clmrg" else "down"
        elif word == "cellx":
            if len(self._row.merges) < MAX_COLUMNS:
                self._row.merges.append(self._row.merge)
            self._row.merge = ""
        elif word == "cell":
            self._place.paragraph = replace(self._place.paragraph, in_table=True)
            self._end_paragraph()
            if len(self._row.cells) < MAX_COLUMNS:
                self._row.cells.append(self._cell)
            self._cell = html.Element("td")
        elif word == "row":
            self._end_row()

    def _end_row(self) -> None:
        if len(self._cell):
            self._row.cells.append(self._cell)
        if self._table is None:
            self._table = etree.SubElement(self._place.root, "table")
            self._above = []
        line = etree.SubElement(self._table, "tr")
        for column, cell in enumerate(self._row.cells):
            merge = self._row.merges[column] if column < len(self._row.merges) else ""
            source = cell
            if merge == "across" and len(line):
                source = self._copies.of(line[-1], "td")
            elif merge == "down" and column < len(self._above):
                source = self._copies.of(self._above[column], "td")
            source.tag = "th" if self._row.heads else "td"
            line.append(source)
        self._above = list(line)
        self._row = replace(self._row, cells=[])
        self._cell = html.Element("td")
        self._place.lists.close()

    def _end_paragraph(self) -> None:
        place = self._place
        line, place.line = place.line, None
        marker, self.marker = self.marker, ""
        in_table = place.paragraph.in_table and len(self._places) == 1
        if line is None:
            return
        line.finish()
        element = line.element
        if not "".join(element.itertext()).strip() and element.find("x-ref") is None:
            return
        if in_table:
            self._cell.append(element)
            return
        if len(self._places) == 1:
            self._table = None
        self._add(place, element, marker)

    def _add(self, place: _Place, element: Any, marker: str) -> None:
        name, paragraph = self.styles.get(place.paragraph.style, ""), place.paragraph
        heading = _HEADING.fullmatch(name)
        if marker and not heading:
            indent = max(paragraph.indent, _LEVEL * (paragraph.level + 1))
            found = _NUMBER.fullmatch(marker)
            number = (int(found[1]) if found[1] else _next(place.lists)) if found else None
            place.lists.add(place.root, element, indent, number)
            return
        place.lists.close()
        if heading or name == "title" or (paragraph.outline is not None and paragraph.outline < 9):
            level = int(heading[1]) if heading else 1 if name == "title" else (paragraph.outline or 0) + 1
            element.tag = f"h{max(1, min(level, 6))}"
            for marked in list(element.iter("strong", "em")):
                marked.drop_tag()
            if marker:
                element.text = f"{marker} {element.text or ''}"
            place.root.append(element)
        elif is_code(element) or name in ("html preformatted", "source code", "plain text"):
            add_preformatted(place.root, plain_text(element))
        elif name in ("quote", "intense quote"):
            add_quoted(place.root, element)
        else:
            place.root.append(element)


def _next(lists: Lists) -> int:
    """The number after the last item's, for lists that count in letters."""
    last = lists.last_item.get("value", "") if lists.indent is not None else ""
    return int(last) + 1 if last.isdecimal() else 1
