"""What a reader model sees of a page: its tree without what no reader sees.

The readers' authors clean pages by patterns before the model gets them (model card of
jinaai/reader-lm-1.5b): scripts, styles, meta data, links to resources and comments go, drawings
and embedded pictures become stubs. Here a parser does it, so that no odd spelling slips through.
"""

from __future__ import annotations

import re
from copy import deepcopy

import lxml.html
from lxml import etree

DROPPED = ("script", "style", "meta", "link", "template")
STUB = "#"
"""Stands for a picture that was embedded in the page."""
_SPACE = re.compile(r"[ \t\r\n\f]+")
_VERBATIM = frozenset(("pre", "textarea", "listing", "xmp"))
_NO_ATTRIBUTES = frozenset(("style", "srcset", "sizes", "nonce", "integrity"))


def clean_page(tree: lxml.html.HtmlElement) -> lxml.html.HtmlElement:
    """A copy of the page without scripts, styles, meta data, links to resources and comments.

    Text is kept, with runs of white space outside of preformatted text as one space or line break;
    so are attributes, but for styles, event handlers and embedded data.
    """
    page = deepcopy(tree)
    etree.strip_elements(page, *DROPPED, etree.Comment, etree.ProcessingInstruction, with_tail=False)
    for drawing in page.xpath("//*[local-name() = 'svg']"):
        tail = drawing.tail
        drawing.clear()
        drawing.tail = tail
    _walk(page)
    return page


def _walk(page: lxml.html.HtmlElement) -> None:
    """Clean attributes, and white space where it means nothing."""
    verbatim = 0
    for event, element in etree.iterwalk(page, events=("start", "end")):
        keeps = element.tag in _VERBATIM
        if event == "start":
            verbatim += keeps
            _clean_attributes(element)
            if element.text and not verbatim:
                element.text = _SPACE.sub(_shortest, element.text)
        else:
            verbatim -= keeps
            if element.tail and not verbatim:
                element.tail = _SPACE.sub(_shortest, element.tail)


def _shortest(space: re.Match[str]) -> str:
    return "\n" if "\n" in space[0] else " "


def _clean_attributes(element: lxml.html.HtmlElement) -> None:
    for name, value in element.attrib.items():
        if name in _NO_ATTRIBUTES or name.startswith("on"):
            del element.attrib[name]
        elif value.lstrip()[:5].lower() == "data:" or value.lstrip()[:11].lower() == "javascript:":
            element.attrib[name] = STUB
