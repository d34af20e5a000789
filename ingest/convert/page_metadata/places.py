"""Which parts of a page are about something else: navigation, asides, comments, lists of other pages."""

from __future__ import annotations

import re
from itertools import islice

from lxml import html

_MAX_ANCESTORS = 40
_MAX_PARTS = 500
_OUTERMOST = ("html", "body", "head")
_ELSEWHERE_TAGS = {
    "nav",
    "aside",
    "footer",
    "template",
    "noscript",
    "script",
    "style",
    "select",
    "blockquote",
}
_ELSEWHERE = re.compile(
    r"(?:^|[\s_-])(?:comments?(?!-meta)|respond|repl(?:y|ies)|related|recommend\w*|sidebar|widget\w*|footer|nav|"
    r"menu|more-(?:posts|stories|news)|trending|popular|promo\w*|teasers?|cards?|suggest\w*|latest|newsletter|"
    r"(?:web)?mentions?|likes|infobox|references|reflist|author-?bio|about-?author|author-?box)(?=$|[\s_-])",
    re.IGNORECASE,
)


class Places:
    """Knows the parts of one page, by their elements, their names, and where the main heading stands."""

    def __init__(self, heading: html.HtmlElement | None) -> None:
        self._around_heading = set() if heading is None else {heading, *heading.iterancestors()}
        self._known: dict[html.HtmlElement, bool] = {}

    def is_elsewhere(self, element: html.HtmlElement) -> bool:
        """Whether an element stands in a part of the page that is about something else.

        The foot of an article belongs to it, as does an aside in which its properties stand as microdata.
        """
        apart = False
        for parent in islice(element.iterancestors(), _MAX_ANCESTORS):
            if parent.tag == "article":
                apart = False
            if parent.tag in _OUTERMOST or parent in self._around_heading:
                break
            if parent.tag == "footer" or (parent.tag == "aside" and element.get("itemprop")):
                apart = True
            elif parent.tag in _ELSEWHERE_TAGS or self.is_about_another(parent):
                return True
        return apart

    def is_about_another(self, element: html.HtmlElement) -> bool:
        """Whether an element's names say so, or it is a table of data."""
        if element not in self._known:
            self._known[element] = element not in self._around_heading and _is_about_another(element)
        return self._known[element]


def holds_data(element: html.HtmlElement) -> bool:
    """Whether an element is a table of data: old pages are laid out with tables that head no columns."""
    if element.tag != "table":
        return False
    parts = {part.tag for part in islice(element.iterdescendants(), _MAX_PARTS)}
    return "table" not in parts and not parts.isdisjoint(("th", "caption"))


def _is_about_another(element: html.HtmlElement) -> bool:
    if element.tag == "main":
        return False
    called = f"{element.get('class', '')} {element.get('id', '')}"[:500]
    return (
        bool(_ELSEWHERE.search(called))
        or "Comment" in element.get("itemtype", "")[:200]
        or holds_data(element)
    )
