"""Trees of HTML's elements built piece by piece: runs of text with their form, and nested lists."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from lxml import etree, html

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

MAX_COPIED = 5_000_000

Form = tuple[str, ...]
"""Tags around a run, the outermost first."""


def last_child(element: Any) -> Any | None:
    """Without counting them all, as ``len`` does."""
    return next(element.iterchildren(reversed=True), None)


def xml_text(text: str) -> str:
    """Text as a tree can hold it: halves of characters joined, controls left out."""
    if not _NOT_XML.search(text):
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _NOT_XML.sub("", joined)


class Line:
    """A line of text in an element; runs of one form side by side become one element."""

    def __init__(self, element: Any) -> None:
        self.element = element
        self.href = ""
        """Where the text that is put next links to."""
        self._form: tuple[Form, str] = ((), "")
        self._pieces: list[str] = []

    def text(self, text: str, form: Form = ()) -> None:
        if text and (form, self.href) != self._form:
            self.finish()
            self._form = (form, self.href)
        self._pieces.append(text)

    def finish(self) -> None:
        """Write what is put together so far; needed once at the end."""
        text, (form, href) = "".join(self._pieces), self._form
        self._pieces = []
        if not text:
            return
        text = xml_text(text)
        inner = self.element
        for tag in (*(("a",) if href else ()), *form):
            inner = etree.SubElement(inner, tag)
            if tag == "a":
                inner.set("href", href)
        if inner is not self.element:
            inner.text = text
        elif (last := last_child(inner)) is not None:
            last.tail = (last.tail or "") + text
        else:
            inner.text = (inner.text or "") + text

    def put(self, element: Any) -> None:
        self.finish()
        self.element.append(element)

    def line_break(self) -> None:
        self.put(html.Element("br"))


@dataclass
class _Open:
    """A list that later items may belong to."""

    element: Any
    indent: int
    ordered: bool


class Lists:
    """Puts items into lists by their indent and kind, as a reader sees what belongs to what."""

    def __init__(self) -> None:
        self._open: list[_Open] = []

    def close(self) -> None:
        """What comes next belongs to no list."""
        self._open = []

    @property
    def indent(self) -> int | None:
        """Of the innermost open list."""
        return self._open[-1].indent if self._open else None

    @property
    def last_item(self) -> Any:
        return self._open[-1].element[-1]

    def add(self, parent: Any, element: Any, indent: int, number: int | None) -> None:
        """Put an element as an item at the end of a parent.

        Args:
            indent: in any unit; a larger one than the item's before begins a list in it.
            number: of an ordered list's item; None in others.
        """
        ordered = number is not None
        while len(self._open) > 1 and self._open[-1].indent > indent:
            self._open.pop()
        top = self._open[-1] if self._open else None
        if top is None or top.indent < indent:
            self._begin(parent if top is None else self.last_item, indent, ordered)
        elif top.ordered != ordered:
            self._open.pop()
            self._begin(self.last_item if self._open else parent, indent, ordered)
        element.tag = "li"
        if number is not None:
            element.set("value", str(number))
        self._open[-1].element.append(element)

    def _begin(self, parent: Any, indent: int, ordered: bool) -> None:
        self._open.append(_Open(etree.SubElement(parent, "ol" if ordered else "ul"), indent, ordered))


def make(tag: str, **attributes: str) -> Any:
    """An element of HTML without content."""
    element = html.Element(tag)
    for name, text in attributes.items():
        element.set(name, text)
    return element


_LONGEST_LISTING = 20_000
"""Characters of lines of code that are put together; so adding one line more never costs more than that."""


def add_preformatted(parent: Any, text: str) -> None:
    """Add lines of code; those right below other lines of code continue them."""
    last = last_child(parent)
    if last is not None and last.tag == "pre" and len(last.text or "") < _LONGEST_LISTING:
        last.text = f"{last.text}\n{text}"
    else:
        parent.append(html.Element("pre"))
        parent[-1].text = text


def add_quoted(parent: Any, element: Any) -> None:
    """Add a paragraph of a quotation; one right below another continues it."""
    last = last_child(parent)
    if last is None or last.tag != "blockquote":
        last = etree.SubElement(parent, "blockquote")
    last.append(element)


class Copies:
    """Copies of merged cells, up to a number of characters: few cells may cover very many."""

    def __init__(self) -> None:
        self._room = MAX_COPIED

    def of(self, cell: Any, tag: str) -> Any:
        """A cell once more, as a ``td`` or ``th``; empty where the copies became too much."""
        self._room -= 20 + sum(map(len, cell.itertext()))
        copy = deepcopy(cell) if self._room > 0 else html.Element(tag)
        copy.tag = tag
        return copy


def described_image(description: str) -> str:
    """What stands for a picture of which only the description is kept."""
    return f"Image: {' '.join(description.split())}"


def plain_text(element: Any) -> str:
    """An element's text with its line breaks."""
    pieces = [element.text or ""]
    for child in element:
        pieces += ["\n" if child.tag == "br" else plain_text(child), child.tail or ""]
    return "".join(pieces)


def is_code(element: Any) -> bool:
    """Whether all words of a paragraph are set like code."""
    inside = [child for child in element if child.tag != "br"]
    outside = (element.text or "").strip() or any((child.tail or "").strip() for child in element)
    return bool(inside) and not outside and all(child.tag == "code" for child in inside)
