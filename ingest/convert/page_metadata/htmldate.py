"""The date of a page that marks none, by htmldate, kept away from running text.

Without that, htmldate would take the first date that a page mentions, which may be any date at all.
"""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import UTC, datetime

from lxml import html

from ingest.convert.page_metadata.header import lone_date
from ingest.convert.page_metadata.markup import holds_data, text_of
from ingest.convert.page_metadata.texts import line, without_date

_HEADINGS = {"h2", "h3", "h4", "h5", "h6"}
_NOT_ABOUT_THE_PAGE = """//script | //style | //pre | //code | //nav | //aside | //li | //dd | //blockquote
    | //table | //h2 | //h3 | //h4 | //h5 | //h6
    | //*[self::p or self::div or self::td][not(*/*)][string-length() > 80]"""


def dated_elsewhere(tree: html.HtmlElement, language: str | None) -> datetime | None:
    """A date in a short line, an attribute or an image's address; midnight UTC, None where there is none."""
    from htmldate import find_date

    pruned = deepcopy(tree)
    for element in pruned.xpath(_NOT_ABOUT_THE_PAGE):
        if element.tag in _HEADINGS:
            kept = _is_dateline(line(text_of(element)), language)
        else:
            kept = element.tag == "table" and not holds_data(element)
        if not kept:
            element.drop_tree()
    found = find_date(pruned, original_date=True, extensive_search=False)
    return datetime.fromisoformat(found).replace(tzinfo=UTC) if found else None


def _is_dateline(text: str, language: str | None) -> bool:
    """Whether a heading is a date and no version, chapter or event that has one."""
    return lone_date(text, language, 3) is not None and not re.search(r"\d", without_date(text))
