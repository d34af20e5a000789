"""The date of a page that marks none, by htmldate, kept away from running text.

Without that, htmldate would take the first date that a page mentions, which may be any date at all.
"""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime

from lxml import html

from ingest.convert.page_metadata.changes import notes_of_changes
from ingest.convert.page_metadata.header import is_dateline
from ingest.convert.page_metadata.markup import text_of
from ingest.convert.page_metadata.places import holds_data
from ingest.convert.page_metadata.texts import line

_LATEST = "2100-01-01"
"""Not today: the same page gives the same metadata tomorrow."""
_HEADINGS = {"h2", "h3", "h4", "h5", "h6"}
_NOT_ABOUT_THE_PAGE = """//script | //style | //pre | //code | //nav | //aside | //li | //dd | //blockquote
    | //table | //h2 | //h3 | //h4 | //h5 | //h6
    | //*[self::p or self::div or self::td][not(*/*)][string-length() > 80]"""


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
    found = find_date(pruned, original_date=True, extensive_search=False, max_date=_LATEST)
    return datetime.fromisoformat(found).replace(tzinfo=UTC) if found else None


def _may_date_the_page(element: html.HtmlElement, language: str | None) -> bool:
    if element.tag in _HEADINGS:
        return is_dateline(line(text_of(element)), language)
    return element.tag == "table" and not holds_data(element)
