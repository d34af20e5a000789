"""Small steps on a page's tree that every pass takes, and what HTML's elements are."""

from __future__ import annotations

import re
from collections.abc import Iterable

import lxml.html
from lxml import etree
from lxml.html import HtmlElement as Element

__all__ = ["Element"]


def words(text: str) -> list[str]:
    """A list of words, written as text."""
    return text.split()


def word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


GONE, BARE = "x-gone", "x-bare"
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
LISTS = ("ul", "ol", "menu")
TABLE_PARTS = word_set("caption colgroup col thead tbody tfoot tr td th")
BLOCKS = TABLE_PARTS | word_set(
    "address article aside blockquote body center dd details dialog dir div dl dt fieldset figcaption "
    "figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol "
    "optgroup option p pre search section summary table ul x-callout x-block"
)
PHRASES = word_set(
    "a abbr acronym b bdi bdo big br cite code data del dfn em font i img ins kbd label mark math nobr q "
    "rp rt ruby s samp small span strike strong sub sup time tt u var wbr x-math x-ref"
)
_WORD_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_HIDDEN_STYLE = re.compile(
    r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))", re.IGNORECASE
)
_LONGEST_NAME = 300


def drop(element: Element) -> None:
    """Empty an element and mark it for `sweep`; the text behind it stays.

    Taking it out at once would join the texts around it, over and over in a row of such elements.
    """
    element.clear(keep_tail=True)
    element.tag = GONE


def drop_all(found: Iterable[Element]) -> None:
    for element in list(found):
        drop(element)


def sweep(root: Element) -> None:
    """Take out what was dropped."""
    etree.strip_elements(root, GONE, with_tail=False)


def take(element: Element) -> Element:
    """Take an element out, the text behind it stays, and give it back."""
    swap(element, make(GONE))
    element.tail = None
    return element


def unwrap(root: Element, elements: Iterable[Element]) -> None:
    """Leave the content of elements where they stood."""
    for element in elements:
        element.tag = BARE
    etree.strip_tags(root, BARE)


def make(tag: str, text: str | None = None, **attributes: str) -> Element:
    element = lxml.html.Element(tag)
    element.text = text
    for name, value in attributes.items():
        element.set(name, value)
    return element


def swap(old: Element, new: Element) -> None:
    """Put one element in another's place, before the text behind it."""
    parent = old.getparent()
    if parent is not None:
        new.tail = old.tail
        parent.replace(old, new)


def text_of(element: Element) -> str:
    """All text below, white space collapsed."""
    return " ".join("".join(element.itertext()).split())


def start_of(element: Element, length: int) -> str:
    """The first characters of `text_of`, without reading the rest."""
    pieces: list[str] = []
    found = 0
    for text in element.itertext():
        words = " ".join(text.split())
        found += len(words)
        pieces.append(text)
        if found > length + 1:
            break
    return " ".join("".join(pieces).split())[:length]


def has_text(element: Element) -> bool:
    """Whether anything is read in an element; a formula is."""
    return element.tag == "x-math" or any(not text.isspace() for text in element.itertext())


def alone(element: Element, beside: str = "") -> bool:
    """Whether the parent has no other text than the element's, but for the characters of ``beside``."""
    parent = element.getparent()
    if parent is None or (parent.text or "").strip().strip(beside):
        return False
    if (element.tail or "").strip().strip(beside):
        return False
    for preceding in (True, False):
        for sibling in element.itersiblings(preceding=preceding):
            if (sibling.tail or "").strip().strip(beside) or has_text(sibling):
                return False
    return True


def tag_of(element: Element) -> str:
    """The element's name; empty for what is not an element."""
    return element.tag if isinstance(element.tag, str) else ""


def name_words(element: Element, *, ids: bool = True) -> set[str]:
    """Lower-case words that the class names and the id are made of: ``postBody-related`` gives three."""
    names = element.get("class", "")[:_LONGEST_NAME]
    if ids:
        names += " " + element.get("id", "")[:_LONGEST_NAME]
    return {part.lower() for part in _WORD_PARTS.findall(names)}


def class_list(element: Element) -> list[str]:
    return str(element.get("class", "")).lower().split()


def styled_away(element: Element) -> bool:
    """Whether the element's own attributes hide it."""
    return element.get("hidden") is not None or bool(_HIDDEN_STYLE.search(element.get("style", "")))


def within(element: Element, *tags: str) -> bool:
    return next(element.iterancestors(*tags), None) is not None


def elements(root: Element, *tags: str) -> list[Element]:
    """Elements below a root in document order, as a list that may be changed while it is walked."""
    return [element for element in root.iter(*tags) if isinstance(element.tag, str)]


def has_words(element: Element) -> bool:
    return (
        any(character.isalnum() for text in element.itertext() for character in text)
        or next(element.iter("x-math"), None) is not None
    )
