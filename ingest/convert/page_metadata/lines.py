"""A page's text as the lines that a reader sees, and the heading among them that is the page's own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from lxml import html

from ingest.convert.page_metadata.markup import holds_data, text_of
from ingest.convert.page_metadata.texts import letters, line

_MAX_ELEMENTS = 50_000
_MAX_HEADINGS = 50
_INLINE = {
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "dfn", "em", "font", "i", "img", "kbd", "label",
    "mark", "picture", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "svg", "time", "u", "var",
    "wbr"
}  # fmt: skip
_SKIPPED = {
    "script", "style", "noscript", "template", "nav", "footer", "aside", "form", "button", "select",
    "figure", "pre", "blockquote", "svg", "video", "audio", "iframe", "head", "title"
}  # fmt: skip


def main_heading(tree: html.HtmlElement, title: str) -> html.HtmlElement | None:
    """The heading that the page's title repeats, else the first of the highest level."""
    wanted = letters(title)
    found = [(element, letters(line(text_of(element)))) for element in _headings(tree)]
    for element, text in found:
        if len(text) > 3 and (text in wanted or (wanted and wanted in text)):
            return element
    return next((element for element, text in found if text and element.tag == "h1"), None)


def _headings(tree: html.HtmlElement) -> Iterator[html.HtmlElement]:
    return islice(tree.iter("h1", "h2"), _MAX_HEADINGS)


def lines(tree: html.HtmlElement, heading: html.HtmlElement | None) -> Iterator[tuple[str, bool]]:
    """The texts of the body's blocks in their order, and whether it is the heading's.

    What is no part of the page's own text is left out: navigation, asides, forms, tables of data.
    """
    body = tree.find("body")
    if body is None:
        return
    stack: list[tuple[str, html.HtmlElement]] = [("open", body)]
    pieces: list[str] = []
    inside = False
    for _ in range(3 * _MAX_ELEMENTS):
        if not stack:
            return
        step, element = stack.pop()
        if step == "tail":
            pieces.append(element.tail or "")
            continue
        ends = element.tag not in _INLINE or element is heading
        if ends and (text := line(" ".join(pieces))):
            yield text, inside
        if ends:
            pieces = []
        if element is heading:
            inside = step == "open"
        if step == "open":
            pieces.append(element.text or "")
            stack.extend(_within(element, ends))


def _within(element: html.HtmlElement, ends: bool) -> Iterator[tuple[str, html.HtmlElement]]:
    """What is to be done for an element, last things first."""
    if ends:
        yield "close", element
    for child in reversed(element):
        yield "tail", child
        if isinstance(child.tag, str) and child.tag not in _SKIPPED and not holds_data(child):
            yield "open", child
