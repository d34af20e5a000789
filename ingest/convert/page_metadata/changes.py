"""When a page says that it was last changed: "Last updated on March 5, 2024", wherever that stands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from lxml import html

from ingest.convert.page_metadata.markup import text_of
from ingest.convert.page_metadata.texts import NOTE_OF_CHANGE, date_in, line, moment

_MAX_ELEMENTS = 50_000
_MAX_NOTES = 20
_LONGEST_NOTE = 200


def last_change(tree: html.HtmlElement, language: str | None) -> datetime | None:
    """The date in the first note of a change that has one."""
    for element in notes_of_changes(tree):
        for part in islice(element.iter("time"), 1):
            if found := moment(part.get("datetime"), language):
                return found
        text = line(text_of(element))
        if (match := NOTE_OF_CHANGE.search(text)) and (found := date_in(text[match.end() :], language)):
            return found
    return None


def notes_of_changes(tree: html.HtmlElement) -> Iterator[html.HtmlElement]:
    """Short elements that speak of the page's last change."""
    found = (element for element in islice(tree.iter(), _MAX_ELEMENTS) if _has_note(element))
    for element in islice(found, _MAX_NOTES):
        if len(line(text_of(element), 2 * _LONGEST_NOTE)) <= _LONGEST_NOTE:
            yield element


def _has_note(element: html.HtmlElement) -> bool:
    if not isinstance(element.tag, str) or element.tag in ("script", "style", "pre", "code"):
        return False
    texts = (element.text, *(child.tail for child in islice(element, _MAX_NOTES)))
    return any(NOTE_OF_CHANGE.search(text[: 2 * _LONGEST_NOTE]) for text in texts if text)
