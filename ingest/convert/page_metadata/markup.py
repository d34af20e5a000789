"""What a page's elements say of it: microdata, microformats, bylines and dates that are marked as such."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from lxml import etree, html

from ingest.convert.page_metadata.names import names
from ingest.convert.page_metadata.places import Places
from ingest.convert.page_metadata.texts import NOTE_OF_CHANGE, line

_MAX_ELEMENTS = 50_000
_MAX_PROPERTIES, _MAX_HINTED = 1_000, 300
_MAX_NAMES = 20
_LONGEST_BYLINE = 160
_LONGEST_TEXT, _LONGEST_ADDRESS = 5_000, 500
_OF_THE_PAGE = ("html", "head", "body", "meta", "link")
_MAX_STEPS = 1_000
"""Within an element, for its text; of its descendants half as many are looked at."""
_MARKED = {
    "author": re.compile(
        r"(?:^|[\s_-])(?:by-?line|p-author|(?:(?:post|entry|article|story|blog)[_-]{1,2})?authors?"
        r"(?:[_-]{1,2}(?:names?|link|info))?|h-card|writer|creator|contributors?)(?:$|[\s_-])",
        re.IGNORECASE,
    ),
    "date": re.compile(
        r"(?:^|[\s_-])(?:dt-published|published|publish(?:ed)?[_-]?(?:date|time|on)|pub-?date|date-?line|"
        r"(?:(?:post|entry|article|story|blog|news)[_-]{1,2})?(?:date|time|timestamp)|posted(?:[_-]on)?|byline)"
        r"(?:$|[\s_-])",
        re.IGNORECASE,
    ),
    "updated": re.compile(
        r"(?:^|[\s_-])(?:dt-updated|updated|modified|last-?(?:updated|modified))(?:$|[\s_-])", re.IGNORECASE
    ),
}
_NOT_A_NAME = re.compile(
    r"(?:bio|avatar|photo|image|img|pic|date|time|count|social|follow|twitter|email|role|title|job)"
)
_OF_A_PERSON = re.compile(
    r".*/(?:authors?|writers?|contributors?|by)/[^/?#]+/?(?:[?#]|$)|/@[\w.-]+/?(?:[?#]|$)"
)
"""Addresses of pages about a person; an absolute ``/@name`` is a profile elsewhere."""
_AHEAD_OF_NAME = re.compile(r"\W*(?:(?:\w+\s+){0,2}\w+\W*)?")
_PROSE = re.compile(r"\s*(?!(?:and|on|in|for|with|und|am|et|le|y|el)\b)[^\W\d_A-Z]")
_ITEMPROPS = {
    "datepublished": "date",
    "datecreated": "date",
    "datemodified": "updated",
    "author": "author",
    "headline": "title",
    "inlanguage": "language",
    "keywords": "tags",
}
_NAME = re.compile(
    r"(?:^|\s)(?:name|fn|p-name|\S*author\S*name|\S*byline\S*name|author)(?:$|\s)", re.IGNORECASE
)


def microdata(tree: html.HtmlElement, places: Places) -> Iterator[tuple[str, str]]:
    """Field and value of each property of schema.org that an element bears."""
    for element in islice(tree.iterfind(".//*[@itemprop]"), _MAX_PROPERTIES):
        for name in element.get("itemprop", "")[:200].lower().split():
            field = _ITEMPROPS.get(name)
            if field and not places.is_elsewhere(element):
                value = _names_in(element) if field == "author" else _value_of(element)
                if value:
                    yield field, value


def marked(tree: html.HtmlElement, places: Places) -> Iterator[tuple[str, str]]:
    """Field and value of each element whose class, relation or kind says what it holds.

    Authors stand side by side and alike; one further on may have written something else.
    """
    first: html.HtmlElement | None = None
    for element, hints, field in islice(_hinted(tree), _MAX_HINTED):
        if places.is_elsewhere(element):
            continue
        if field != "author":
            yield field, _short(_value_of(element))
        elif (first is None or _is_beside(element, first)) and not _NOT_A_NAME.search(hints.lower()):
            value = _names_in(element)
            if names([value]):
                first = element if first is None else first
                yield field, value


def _is_beside(element: html.HtmlElement, first: html.HtmlElement) -> bool:
    same = element.tag == first.tag and element.get("class") == first.get("class")
    return same and element.getparent() is first.getparent()


def _hinted(tree: html.HtmlElement) -> Iterator[tuple[html.HtmlElement, str, str]]:
    for element in islice(tree.iter(), _MAX_ELEMENTS):
        if isinstance(element.tag, str) and element.tag not in _OF_THE_PAGE:
            hints = _hints(element)
            for field, form in _MARKED.items():
                if form.search(hints):
                    yield element, hints, field


def _hints(element: html.HtmlElement) -> str:
    """What an element's attributes say of what it holds."""
    hints = f"{element.get('class', '')} {element.get('id', '')}"[:500]
    if element.tag == "time":
        hints += " updated" if _is_of_a_change(element) else " published"
    if "author" in element.get("rel", "")[:200].lower().split() or _leads_to_author(element):
        hints += " author"
    return hints


def _leads_to_author(element: html.HtmlElement) -> bool:
    """Whether a link that does not stand in running text leads to a page about a person."""
    if element.tag != "a" or not _OF_A_PERSON.match(element.get("href", "")[:_LONGEST_ADDRESS]):
        return False
    before, parent = element.getprevious(), element.getparent()
    ahead = before.tail if before is not None else parent.text if parent is not None else ""
    return bool(_AHEAD_OF_NAME.fullmatch(line(ahead, _LONGEST_BYLINE))) and not _PROSE.match(
        element.tail or ""
    )


def _is_of_a_change(element: html.HtmlElement) -> bool:
    """Whether words right before a time say that it is the page's last change."""
    around = [parent.text or "" for parent in islice(element.iterancestors(), 2)]
    before = element.getprevious()
    texts = [*around, "" if before is None else f"{before.text or ''} {before.tail or ''}"]
    return any(NOTE_OF_CHANGE.search(text[-_LONGEST_BYLINE:]) for text in texts)


def _names_in(element: html.HtmlElement) -> str:
    """The names in an element about people: the parts that are marked as such, else its text where short."""
    found: list[html.HtmlElement] = []
    for part in islice(element.iterdescendants(), _MAX_STEPS // 2):
        if isinstance(part.tag, str) and _NAME.search(f"{part.get('itemprop', '')} {_hints(part)}"):
            if not any(parent in found for parent in islice(part.iterancestors(), 4)):
                found.append(part)
            if len(found) == _MAX_NAMES:
                break
    if found:
        return "; ".join(filter(None, (_short(_value_of(part)) for part in found)))
    return _short(line(element.get("content")) or _text(element))


def _short(value: str) -> str:
    return value if len(value) <= _LONGEST_BYLINE else ""


def _value_of(element: html.HtmlElement) -> str:
    for attribute in ("content", "datetime"):
        if value := line(element.get(attribute)):
            return value
    return (line(element.get("title")) if element.tag == "abbr" else "") or _text(element)


def _text(element: html.HtmlElement) -> str:
    return line(text_of(element), 2 * _LONGEST_BYLINE)


def text_of(element: html.HtmlElement) -> str:
    """An element's text, a space between any two pieces; no more of it than a line can have."""
    pieces: list[str] = []
    for event, part in islice(etree.iterwalk(element, events=("start", "end")), _MAX_STEPS):
        piece = part.text if event == "start" else part.tail if part is not element else ""
        if piece and isinstance(part.tag, str):
            pieces.append(piece[:_LONGEST_TEXT])
    return " ".join(pieces)
