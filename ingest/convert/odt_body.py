"""The blocks of an OpenDocument text as a tree of HTML's elements."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from lxml import etree, html

from ingest.convert.build import (
    Copies,
    Form,
    Line,
    add_preformatted,
    add_quoted,
    described_image,
    is_code,
    make,
    plain_text,
)
from ingest.convert.html.mathml import to_tex

MAX_COLUMNS = 200
MAX_ROWS = 50_000
_OASIS = "{urn:oasis:names:tc:opendocument:xmlns:"
T, TABLE, DRAW = f"{_OASIS}text:1.0}}", f"{_OASIS}table:1.0}}", f"{_OASIS}drawing:1.0}}"
STYLE, FO, SVG = f"{_OASIS}style:1.0}}", f"{_OASIS}xsl-fo-compatible:1.0}}", f"{_OASIS}svg-compatible:1.0}}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_DEEPEST = 20
_UNSEEN = re.compile(
    r".*\}(?:tracked-changes|table-of-content|(?:illustration|table|object|user|alphabetical)-index|bibliography"
    r"|(?:sequence|variable|user-field)-decls|note-citation|annotation)"
)
_MONOSPACED = re.compile(r"courier|consolas|\bmono(?:space)?\b|menlo|monaco", re.IGNORECASE)
_CODE = re.compile(r"preformatted text|source ?(?:code|text)|code(?: block)?|html preformatted")


class Body:
    """Walks blocks; what is left out is counted."""

    def __init__(self, trees: list[Any], part: Callable[[str], Any | None]) -> None:
        """Learn the styles.

        Args:
            part: gives the root of another part of the file, or None.
        """
        self.skipped: dict[str, int] = {}
        self.title = ""
        """What the paragraph in the style of titles says, else the first heading."""
        self.notes: list[Any] = []
        self._part = part
        self._styles = {s.get(STYLE + "name", ""): s for tree in trees for s in tree.iter(STYLE + "style")}
        self._numbered = {
            (style.get(STYLE + "name", ""), int(level.get(T + "level", "1")))
            for tree in trees
            for style in tree.iter(T + "list-style")
            for level in style.iter(T + "list-level-style-number")
            if level.get(T + "level", "1").isdecimal() and level.get(STYLE + "num-format", "1")
        }
        self._copies = Copies()

    def read(self, content: Any) -> Any:
        root = html.Element("div")
        for text in content.iterfind(".//{*}body/{*}text"):
            self.fill(root, text)
        return root

    def fill(self, parent: Any, content: Any) -> None:
        """Append the blocks of a container to an element."""
        for block in content:
            if block.tag in (T + "p", T + "h"):
                self.paragraph(parent, block)
            elif block.tag == T + "list":
                self.list(parent, block, "", 1)
            elif block.tag == TABLE + "table":
                parent.append(self.table(block))
            elif block.tag in (T + "section", T + "numbered-paragraph") or block.tag == DRAW + "text-box":
                self.fill(parent, block)
            elif block.tag == DRAW + "frame":
                self.paragraph(parent, block)

    def paragraph(self, parent: Any, block: Any) -> None:
        style = block.get(T + "style-name")
        names = self._names(style)
        element = html.Element("p")
        line = Line(element)
        boxes = self._text(block, line, bold=block.tag != T + "h")
        line.finish()
        if "".join(element.itertext()).strip() or element.find(".//x-math") is not None:
            level = block.get(T + "outline-level", "1")
            if names[:1] == ["title"] or block.tag == T + "h":
                self._heading(
                    element, 0 if names[:1] == ["title"] else int(level) if level.isdecimal() else 1
                )
                parent.append(element)
            elif self._is_code(style, names) or is_code(element):
                add_preformatted(parent, plain_text(element))
            elif any(name in ("quotations", "quote") for name in names):
                add_quoted(parent, element)
            else:
                parent.append(element)
        for box in boxes:
            self.fill(parent, box)

    def _is_code(self, style: str | None, names: list[str]) -> bool:
        return any(_CODE.fullmatch(name) for name in names) or self._form(style, bold=False) == ("code",)

    def _heading(self, element: Any, level: int) -> None:
        if level == 0 or not self.title:
            self.title = " ".join("".join(element.itertext()).split())
        element.tag = f"h{max(1, min(level, 6))}"

    def _names(self, identity: str | None) -> list[str]:
        """Names of a style and of those it inherits from, as people see them, in lower case."""
        found = []
        for style in self._chain(identity):
            shown = style.get(STYLE + "display-name") or style.get(STYLE + "name", "").replace("_20_", " ")
            if style.getparent().tag.rpartition("}")[2] != "automatic-styles":
                found.append(shown.lower())
        return found

    def _chain(self, identity: str | None) -> Iterator[Any]:
        for _ in range(_DEEPEST):
            style = self._styles.get(identity or "")
            if style is None:
                return
            yield style
            identity = style.get(STYLE + "parent-style-name")

    def _form(self, identity: str | None, *, bold: bool) -> Form:
        """The form that a style of words gives."""
        said: dict[str, str] = {}
        for style in self._chain(identity):
            for properties in style.iterfind(STYLE + "text-properties"):
                for key, text in properties.attrib.items():
                    said.setdefault(key, text)
        names = self._names(identity)
        font = said.get(STYLE + "font-name") or said.get(FO + "font-family", "")
        if _MONOSPACED.search(font) or "source text" in names or "teletype" in names:
            return ("code",)
        form = []
        if bold and said.get(FO + "font-weight") in ("bold", "600", "700", "800", "900"):
            form.append("strong")
        if bold and said.get(FO + "font-style") in ("italic", "oblique"):
            form.append("em")
        if said.get(STYLE + "text-line-through-style", "none") != "none":
            form.append("del")
        position = said.get(STYLE + "text-position", "")
        if position.startswith(("super", "sub")):
            form.append(position[:3])
        return tuple(form)

    def _text(self, element: Any, line: Line, *, bold: bool, form: Form = ()) -> list[Any]:
        """Put a paragraph's text into a line; returns the boxes that hang on it."""
        boxes: list[Any] = []
        line.text(_spaced(element.text), form)
        for child in element:
            tag = child.tag
            if not isinstance(tag, str) or _UNSEEN.fullmatch(tag):
                pass
            elif tag == T + "s":
                count = child.get(T + "c", "1")
                line.text(" " * min(int(count) if count.isdecimal() else 1, 200), form)
            elif tag == T + "tab":
                line.text("\t", form)
            elif tag == T + "line-break":
                line.line_break()
            elif tag == T + "note":
                line.put(make("x-ref", n=str(self._note(child))))
            elif tag == DRAW + "frame":
                boxes += self._frame(child, line)
            elif tag == T + "a":
                outer, line.href = line.href, child.get(_HREF, "")
                boxes += self._text(child, line, bold=bold, form=form)
                line.href = outer
            else:
                inner = self._form(child.get(T + "style-name"), bold=bold) if tag == T + "span" else ()
                boxes += self._text(child, line, bold=bold, form=inner or form)
            line.text(_spaced(child.tail), form)
        return boxes

    def _note(self, note: Any) -> int:
        element = html.Element("div")
        self.notes.append(element)
        number = len(self.notes)
        for body in note.iterfind(T + "note-body"):
            self.fill(element, body)
        return number

    def _frame(self, frame: Any, line: Line) -> list[Any]:
        """A frame's text boxes; a formula or a picture goes into the line."""
        boxes = list(frame.iterfind(DRAW + "text-box"))
        for formula in frame.iterfind(DRAW + "object"):
            name = formula.get(_HREF, "").removeprefix("./").rstrip("/")
            root = next(iter(formula), None)
            root = self._part(f"{name}/content.xml") if root is None else root
            if root is not None and str(root.tag).endswith("}math"):
                line.put(make("x-math", tex=to_tex(root)))
                return boxes
        described = " ".join((frame.findtext(SVG + "desc") or frame.findtext(SVG + "title") or "").split())
        if described:
            line.text(described_image(described), ("em",))
        elif not boxes:
            what = (
                "embedded objects"
                if frame.find(DRAW + "object") is not None
                else "pictures without a description"
            )
            self.skipped[what] = self.skipped.get(what, 0) + 1
        return boxes

    def list(self, parent: Any, source: Any, style: str, level: int) -> None:
        style = source.get(T + "style-name") or style
        element = etree.SubElement(parent, "ol" if (style, min(level, 10)) in self._numbered else "ul")
        for item in source:
            if item.tag not in (T + "list-item", T + "list-header"):
                continue
            line = etree.SubElement(element, "li")
            start = item.get(T + "start-value", "")
            if start.isdecimal():
                line.set("value", start)
            for child in item:
                if child.tag == T + "list":
                    self.list(line, child, style, level + 1)
                else:
                    self.fill(line, [child])
        if (
            len(element) == 1
            and len(element[0])
            and element[0][0].tag in ("h1", "h2", "h3", "h4", "h5", "h6")
        ):
            parent.replace(element, element[0][0])  # a numbered heading

    def table(self, source: Any) -> Any:
        """A table; merged cells say the same in every row and column that they cover."""
        table = html.Element("table")
        below: dict[int, tuple[Any, int]] = {}
        for row, heads in islice(_rows(source), MAX_ROWS):
            line = etree.SubElement(table, "tr")
            for cell in row:
                if cell.tag == TABLE + "table-cell":
                    self._cell(line, cell, "th" if heads else "td", below)
                elif cell.tag == TABLE + "covered-table-cell":
                    for _ in range(_number(cell, "number-columns-repeated")):
                        self._covered(line, below)
        return table

    def _cell(self, line: Any, cell: Any, tag: str, below: dict[int, tuple[Any, int]]) -> None:
        element = html.Element(tag)
        self.fill(element, cell)
        span, deep = _number(cell, "number-columns-spanned"), _number(cell, "number-rows-spanned")
        whole = cell.getnext() is None or all(n.tag != TABLE + "table-cell" for n in cell.itersiblings())
        for index in range(_number(cell, "number-columns-repeated")):
            line.append(element if index == 0 else self._copies.of(element, tag))
        alone = span > 1 and len(line) == 1 and whole and deep == 1
        for column in range(len(line) - 1, min(len(line) - 1 + span, MAX_COLUMNS)):
            below[column] = (html.Element(tag) if alone else element, deep)

    def _covered(self, line: Any, below: dict[int, tuple[Any, int]]) -> None:
        source, _ = below.get(len(line), (html.Element("td"), 0))
        line.append(self._copies.of(source, source.tag))


def _rows(table: Any) -> Iterator[tuple[Any, bool]]:
    """Rows, and whether each is one of the header."""
    for child in table:
        if child.tag == TABLE + "table-row":
            yield child, False
        elif child.tag == TABLE + "table-header-rows":
            for row in child.iterfind(TABLE + "table-row"):
                yield row, True
        elif child.tag in (TABLE + "table-rows", TABLE + "table-row-group"):
            yield from _rows(child)


def _number(cell: Any, name: str) -> int:
    text = cell.get(TABLE + name, "1")
    return min(int(text), MAX_COLUMNS) if text.isdecimal() and 0 < len(text) < 7 else 1


def _spaced(text: str | None) -> str:
    """White space collapses; more of it is written as elements."""
    return re.sub(r"[ \t\r\n]+", " ", text or "")
