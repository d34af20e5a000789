"""A page's text as the lines that a reader sees, and the heading among them that is the page's own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Literal

from lxml import html

from ingest.convert.page_metadata.markup import text_of
from ingest.convert.page_metadata.places import Places
from ingest.convert.page_metadata.texts import letters, line

Kind = Literal["main", "heading", "text"]
"""Of a line: the page's own heading, another one, or anything else."""

_MAX_ELEMENTS = 50_000
_MAX_HEADINGS, _MAX_ANCESTORS = 50, 40
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
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
    repeated = [
        element for element, text in found if len(text) > 3 and (text in wanted or wanted in text) and wanted
    ]
    named = [element for element in repeated if element.tag != "h3"]
    # The head of every page of a book or site may say its name, as titles do. Blogs begin with an h3.
    first = (element for element, text in found if text and element.tag == "h1")
    return next(chain(filter(_is_in_content, named), named, repeated, first), None)


def _is_in_content(element: html.HtmlElement) -> bool:
    return any(
        parent.tag in ("main", "article") for parent in islice(element.iterancestors(), _MAX_ANCESTORS)
    )


def _headings(tree: html.HtmlElement) -> Iterator[html.HtmlElement]:
    return islice(tree.iter("h1", "h2", "h3"), _MAX_HEADINGS)


def lines(
    tree: html.HtmlElement, heading: html.HtmlElement | None, places: Places
) -> Iterator[tuple[str, Kind]]:
    """The texts of the body's blocks in their order, and what each is.

    Left out are navigation and asides, and after the heading what else is about something else.
    """
    body = tree.find("body")
    if body is None:
        return
    stack: list[tuple[str, html.HtmlElement]] = [("open", body)]
    pieces: list[str] = []
    kind: Kind = "text"
    passed = False
    for _ in range(3 * _MAX_ELEMENTS):
        if not stack:
            return
        step, element = stack.pop()
        if step == "tail":
            pieces.append(element.tail or "")
            continue
        ends = element.tag not in _INLINE or element is heading
        if ends and (text := line(" ".join(pieces))):
            yield text, kind
        if ends:
            pieces = []
        passed = passed or element is heading
        if passed and step == "open" and places.is_about_another(element):
            continue
        if element is heading or element.tag in _HEADINGS:
            kind = "text" if step == "close" else "main" if element is heading else "heading"
        if step == "open":
            pieces.append(element.text or "")
            stack.extend(_within(element, ends))


def _within(element: html.HtmlElement, ends: bool) -> Iterator[tuple[str, html.HtmlElement]]:
    """What is to be done for an element, last things first."""
    if ends:
        yield "close", element
    for child in reversed(element):
        yield "tail", child
        if isinstance(child.tag, str) and child.tag not in _SKIPPED:
            yield "open", child
