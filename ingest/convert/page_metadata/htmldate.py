"""The date of a page that marks none, by htmldate, kept away from running text.

Without that, htmldate would take the first date that a page mentions, which may be any date at all.
"""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import UTC, datetime

from lxml import etree, html

from ingest.convert.page_metadata.changes import notes_of_changes
from ingest.convert.page_metadata.header import is_dateline
from ingest.convert.page_metadata.markup import text_of
from ingest.convert.page_metadata.places import holds_data
from ingest.convert.page_metadata.texts import line
from ingest.fields.spelling import Spelling

_LATEST = "2100-01-01"
"""Not today: the same page gives the same metadata tomorrow."""
_HEADINGS = {"h2", "h3", "h4", "h5", "h6"}
_NOT_ABOUT_THE_PAGE = """//title | //script | //style | //pre | //code | //nav | //aside | //li | //dd
    | //blockquote | //table | //h2 | //h3 | //h4 | //h5 | //h6
    | //*[self::p or self::div or self::td][not(*/*)][string-length() > 80]"""
_NUMERIC = re.compile(r"(?<![\d/-])(\d{1,2})([/-])(\d{1,2})\2((?:\d{2})?\d{2})(?![\d/-])")
"""Days of which two countries may mean different ones."""


def dated_elsewhere(tree: html.HtmlElement, language: str | None) -> datetime | None:
    """The first date in a short line, an attribute or an image's address; midnight UTC, None for none.

    It may be that of the first comment: pages that are one discussion have no other.
    """
    from htmldate import find_date

    pruned = deepcopy(tree)
    for element in [*notes_of_changes(pruned)]:
        if element.getparent() is not None:
            element.drop_tree()
    for element in pruned.xpath(_NOT_ABOUT_THE_PAGE):
        if not _may_date_the_page(element, language):
            element.drop_tree()
    _settle_numeric_dates(pruned, Spelling(language).puts_day_first())
    found = find_date(pruned, original_date=True, extensive_search=False, max_date=_LATEST)
    return datetime.fromisoformat(found).replace(tzinfo=UTC) if found else None


def _may_date_the_page(element: html.HtmlElement, language: str | None) -> bool:
    if element.tag in _HEADINGS:
        return is_dateline(line(text_of(element)), language)
    return element.tag == "table" and not holds_data(element)


def _settle_numeric_dates(tree: html.HtmlElement, day_first: bool | None) -> None:
    """Write 3/09/15 as the page's language means it; htmldate would take the day to be first everywhere.

    Where the language does not say, what may be two days is left out.
    """

    def settled(match: re.Match[str]) -> str:
        first, second = int(match[1]), int(match[3])
        if first == second or max(first, second) > 12:
            return match[0]
        if day_first is None:
            return " "
        day, month = (first, second) if day_first else (second, first)
        century = "" if len(match[4]) == 4 else "19" if match[4] >= "90" else "20"
        return f"{century}{match[4]}-{month:02}-{day:02}"

    for element in tree.iter(etree.Element):
        element.text = _NUMERIC.sub(settled, element.text) if element.text else None
        element.tail = _NUMERIC.sub(settled, element.tail) if element.tail else None
