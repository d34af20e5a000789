"""The blocks of a Word document as a tree of HTML's elements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree, html

from ingest.convert.build import Copies, Lists, add_preformatted, add_quoted, is_code, plain_text
from ingest.convert.docx.names import M, W, integer, is_on, transitional, value
from ingest.convert.docx.runs import Runs
from ingest.convert.docx.styles import Item, Styles

MAX_COLUMNS = 200
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_WRAPPERS = frozenset((W + "ins", W + "moveTo", W + "customXml", W + "smartTag", W + "sdtContent"))


class Body:
    """Walks blocks; what is left out is counted."""

    def __init__(self, styles: Styles, links: dict[str, str]) -> None:
        self.styles = styles
        self.skipped: dict[str, int] = {}
        self.title = ""
        """What the paragraph in the style of titles says, else the first heading."""
        self.notes: list[Any] = []
        """Footnotes and endnotes in the order of their marks."""
        self._runs = Runs(styles, links, self.skip, self.boxed, self.note)
        self._sources: dict[tuple[str, str], tuple[Any, dict[str, str]]] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._lists = Lists()
        self._copies = Copies()

    def add_notes(self, kind: str, root: Any | None, links: dict[str, str]) -> None:
        """Make the notes of a part known, which marks in the text lead to."""
        for note in transitional(root) if root is not None else ():
            if note.get(W + "type") in (None, "normal"):
                self._sources[kind, note.get(W + "id", "")] = (note, links)

    def read(self, document: Any) -> Any:
        """The document's body as one element."""
        content = transitional(document).find(W + "body")
        root = html.Element("div")
        if content is not None:
            self.fill(root, content)
        return root

    def skip(self, what: str) -> None:
        self.skipped[what] = self.skipped.get(what, 0) + 1

    def note(self, kind: str, identity: str) -> int | None:
        """The number of a note, from 1; None for a mark that leads nowhere."""
        key = (kind, identity)
        if key not in self._numbers and key in self._sources:
            source, links = self._sources[key]
            element = html.Element("div")
            self._numbers[key] = len(self.notes) + 1
            self.notes.append(element)
            outer, self._runs.links = self._runs.links, links
            self._nested(element, source)
            self._runs.links = outer
        return self._numbers.get(key)

    def boxed(self, content: Any) -> Any:
        """The content of a text box, apart from the paragraph that it hangs on."""
        element = html.Element("div")
        self._nested(element, content)
        return element

    def _nested(self, element: Any, content: Any) -> None:
        outer, self._lists = self._lists, Lists()
        self.fill(element, content)
        self._lists = outer

    def fill(self, parent: Any, content: Any) -> None:
        """Append the blocks of a container to an element."""
        for block in _blocks(content):
            if block.tag == W + "p":
                self.paragraph(parent, block)
            elif block.tag == W + "tbl":
                self._lists.close()
                parent.append(self.table(block))
            elif block.tag == M + "oMathPara":
                self._runs.formulas(parent, block)

    def paragraph(self, parent: Any, block: Any) -> None:
        properties = block.find(W + "pPr")
        style = value(properties, "pStyle") or self.styles._default
        if self.styles.is_contents(style):
            return
        level = self.styles.heading(properties, style)
        item = self.styles.item(properties, style) if level is None else None
        element = html.Element("p")
        boxes = self._runs.fill(element, block, bold=level is None)
        said = "".join(element.itertext()).strip() or element.find(".//x-math") is not None
        if said or len(element):
            if level is not None:
                self._heading(parent, element, level, self.styles.label(properties, style))
            elif item is not None:
                self._item(parent, element, item)
            else:
                self._plain(parent, element, properties, style)
        for box in boxes:
            parent.append(box)

    def _heading(self, parent: Any, element: Any, level: int, label: str) -> None:
        self._lists.close()
        text = " ".join("".join(element.itertext()).split())
        if level == 0 or not self.title:
            self.title = text
        element.tag = f"h{max(1, min(level, 6))}"
        if label:
            element.text = f"{label} {element.text or ''}"
        parent.append(element)

    def _plain(self, parent: Any, element: Any, properties: Any, style: str) -> None:
        indent, open_indent = _indent(properties), self._lists.indent
        if self.styles.is_code(style) or is_code(element):
            add_preformatted(parent, plain_text(element))
        elif self.styles.is_quote(style):
            add_quoted(parent, element)
        elif open_indent is not None and indent and indent >= open_indent:
            self._lists.last_item.append(element)  # a paragraph more of the item above
            return
        else:
            parent.append(element)
        self._lists.close()

    def _item(self, parent: Any, element: Any, item: Item) -> None:
        self._lists.add(parent, element, item.indent, self.styles.count(item) if item.ordered else None)

    def table(self, source: Any) -> Any:
        """A table; merged cells say the same in every row and column that they cover."""
        table = html.Element("table")
        above: dict[int, Any] = {}
        for row in _parts(source, W + "tr"):
            properties = row.find(W + "trPr")
            if properties is not None and properties.find(W + "del") is not None:
                continue
            heads = bool(is_on(properties, "tblHeader"))
            line = etree.SubElement(table, "tr")
            column = integer(value(properties, "gridBefore")) or 0
            for _ in range(min(column, MAX_COLUMNS)):
                etree.SubElement(line, "td")
            for cell in _parts(row, W + "tc"):
                column = self._cell(line, cell, column, "th" if heads else "td", above)
        return table

    def _cell(self, line: Any, cell: Any, column: int, tag: str, above: dict[int, Any]) -> int:
        """Append a cell and its copies; returns the column behind them."""
        properties = cell.find(W + "tcPr")
        span = max(1, min(integer(value(properties, "gridSpan")) or 1, MAX_COLUMNS))
        merged = properties.find(W + "vMerge") if properties is not None else None
        if merged is not None and merged.get(W + "val", "continue") == "continue" and column in above:
            element = self._copies.of(above[column], tag)
        else:
            element = html.Element(tag)
            self._nested(element, cell)
        above[column] = element
        # A cell as wide as its table is a caption within it: said once.
        alone = not len(line) and _is_last(cell)
        line.append(element)
        for _ in range(1, min(span, MAX_COLUMNS - column)):
            line.append(html.Element(tag) if alone else self._copies.of(element, tag))
        return column + span


def _blocks(content: Any) -> Iterator[Any]:
    """Paragraphs and tables, out of whatever wraps them."""
    for child in content:
        if child.tag in (W + "p", W + "tbl", M + "oMathPara"):
            yield child
        elif child.tag == W + "sdt":
            if (
                next(
                    child.iterfind(f"{W}sdtPr/{W}docPartObj/{W}docPartGallery[@{W}val='Table of Contents']"),
                    None,
                )
                is None
            ):
                for inner in child.iterfind(W + "sdtContent"):
                    yield from _blocks(inner)
        elif child.tag in _WRAPPERS:
            yield from _blocks(child)
        elif child.tag == _MC + "AlternateContent":
            choice = child.find(_MC + "Choice")
            yield from _blocks(choice if choice is not None else ())


def _parts(parent: Any, tag: str) -> Iterator[Any]:
    """Rows of a table or cells of a row, out of whatever wraps them."""
    for child in parent:
        if child.tag == tag:
            yield child
        elif child.tag in _WRAPPERS or child.tag == W + "sdt":
            yield from _parts(child, tag)


def _is_last(cell: Any) -> bool:
    return cell.getnext() is None


def _indent(properties: Any) -> int | None:
    return integer(value(properties, "ind", "left") or value(properties, "ind", "start"))
