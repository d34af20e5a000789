"""The edges of a content: what stands around its title, and what trails behind its text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from ingest.convert.html.phrases import ANNOUNCES_OTHERS, OTHER_PAGES, SERVICE_LINE, is_meta
from ingest.convert.html.tree import (
    BLOCKS,
    GONE,
    HEADINGS,
    Element,
    alone,
    drop,
    drop_all,
    elements,
    has_text,
    name_words,
    start_of,
    sweep,
    tag_of,
    text_of,
    within,
    word_set,
)

_META_NAMES = word_set(
    "author authors byline bylines date dates datetime timestamp published pubdate meta metadata "
    "category categories "
    "tag tags readtime reading eyebrow kicker breadcrumb breadcrumbs credits avatar contributors"
)
_END_NAMES = word_set(
    "author authors byline bio writer contributor contributors share sharing social tags tag meta "
    "newsletter subscribe "
    "signup cta contact copyright disclaimer promo"
)
_NOT_LINES = ("pre", "td", "th", "caption", "dd", "dt", "figcaption")
_LEAD, _TRAIL = 25, 15  # lines looked at
_SHORT = 250  # letters
_BOX = 600
_MOST_OTHERS = 3000


def trim(parts: list[Element]) -> None:
    """Drop dates, bylines and labels around the title; author boxes, tags and other pages at the end."""
    for root in parts:
        _announced(root)
        sweep(root)
    _lead([line for root in parts for line in _lines(root)][: 2 * _LEAD], parts)
    _trail([line for root in parts for line in _lines(root)][-_TRAIL:], parts)
    for root in parts:
        sweep(root)
    _rules(parts)


def _lines(root: Element) -> list[Element]:
    """The blocks with text that hold no further blocks."""
    return [
        element
        for element in [root, *elements(root, *BLOCKS)]
        if tag_of(element) not in ("hr", "br")
        and not any(tag_of(child) in BLOCKS for child in element)
        and text_of(element)
        and not within(element, "table", "x-callout", "blockquote", "figure")
    ]


def _is_prose(line: Element) -> bool:
    text = text_of(line)
    return len(text) > 120 or (len(text.split()) >= 12 and text[-1] in '.!?:"”…)')


def _lead(lines: list[Element], parts: list[Element]) -> None:
    title = next((i for i, line in enumerate(lines[:_LEAD]) if line.tag == "h1"), None)
    if title is not None:
        _loose_before(lines[title], parts)
        before = lines[:title]
        if sum(len(text_of(line)) for line in before) <= _SHORT and not any(map(_is_prose, before)):
            for line in before:
                if line.tag not in _NOT_LINES:
                    drop(line)
    else:
        _breadcrumb(lines)
    for line in lines[0 if title is None else title + 1 :][:12]:
        if line.tag in _NOT_LINES or _is_prose(line):
            break
        text = text_of(line)
        if is_meta(text) or SERVICE_LINE.fullmatch(text):
            drop(line)
        elif line.tag in HEADINGS:
            break
        elif len(text) < 100 and (
            _named(line, _META_NAMES, parts) or (title is not None and _only_links(line))
        ):
            drop(line)


def _loose_before(title: Element, parts: list[Element]) -> None:
    """Short links and labels that stand before the title without a block of their own."""
    element: Element | None = title
    while element is not None and element not in parts:
        parent = element.getparent()
        before = list(element.itersiblings(preceding=True))
        if parent is not None and sum(len(text_of(sibling)) for sibling in before) <= _SHORT:
            for sibling in before:
                if tag_of(sibling) not in BLOCKS and tag_of(sibling) != "img" and text_of(sibling):
                    drop(sibling)
                elif tag_of(sibling) in ("div", "section", "header"):
                    drop_all(child for child in sibling.iterchildren("a", "span", "time") if text_of(child))
        element = parent


def _breadcrumb(lines: list[Element]) -> None:
    """A short list of links at the very top leads to the page."""
    first = next(iter(lines), None)
    holder = first.getparent() if first is not None and first.tag == "li" else None
    if holder is None:
        return
    items = list(holder)
    linked = sum(item.find(".//a") is not None for item in items)
    if len(items) <= 6 and linked >= len(items) - 1 and len(text_of(holder)) < 150:
        drop(holder)


def _only_links(line: Element) -> bool:
    linked = sum(len(text_of(link)) for link in line.iter("a"))
    return line.tag != "li" and linked > 0.8 * len(text_of(line)) and len(text_of(line)) < 60


def _named(line: Element, names: frozenset[str], parts: list[Element]) -> bool:
    """Whether a line, or a small box around it, is named as something else than text."""
    element: Element | None = line
    for _ in range(4):
        if element is None or element in parts or len(text_of(element)) > _BOX:
            return False
        if names & name_words(element, ids=False):
            return True
        element = element.getparent()
    return False


def _trail(lines: list[Element], parts: list[Element]) -> None:
    for line in reversed(lines):
        if line in parts:
            return
        text = text_of(line)
        if line.tag in HEADINGS[1:] and _is_last(line, parts):
            drop(line)  # nothing is left under it
            continue
        named = line.tag not in _NOT_LINES and _named(line, _END_NAMES, parts)
        if named or SERVICE_LINE.fullmatch(text) or (is_meta(text) and line.tag not in _NOT_LINES):
            drop(line)
        elif _is_prose(line) or line.tag in _NOT_LINES or line.tag == "li":
            return


def _is_last(element: Element, parts: list[Element]) -> bool:
    """Whether neither text nor a picture stands behind an element in the content."""
    while True:
        if (element.tail or "").strip() and element not in parts:
            return False
        for sibling in element.itersiblings() if element not in parts else ():
            if (
                has_text(sibling)
                or (sibling.tail or "").strip()
                or next(sibling.iter("img"), None) is not None
            ):
                return False
        if element in parts:
            return element is parts[-1]
        element = element.getparent()


def _announced(root: Element) -> None:
    """Headings that announce other pages, with what is under them where that is short or made of links."""
    headings = elements(root, *HEADINGS)
    for place, heading in enumerate(headings):
        text = start_of(heading, 120)
        late = place >= len(headings) - 6 and ANNOUNCES_OTHERS.fullmatch(text)
        if heading.tag == GONE or not (late or SERVICE_LINE.fullmatch(text)):
            continue
        top = heading
        while (parent := top.getparent()) is not None and parent is not root and alone(top):
            top = parent
        rest = list(islice(_under(top, heading.tag), 40))
        letters = sum(len(text_of(part)) for part in rest)
        linked = sum(len(text_of(link)) for part in rest for link in part.iter("a"))
        if any(next(part.iter("x-ref", "pre"), None) is not None for part in rest):
            continue
        surely = late and OTHER_PAGES.match(text) and linked and letters < _MOST_OTHERS
        if not letters or surely or (late and (linked > 0.4 * letters or letters < 150)):
            drop_all([top, *rest])


def _under(top: Element, level: str) -> Iterator[Element]:
    """What stands behind a heading up to the next one of its level."""
    for part in top.itersiblings():
        if any(inner.tag <= level for inner in part.iter(*HEADINGS)):
            return
        yield part


def _rules(parts: list[Element]) -> None:
    """Rules at the edges, and one behind another, divide nothing."""
    text_before = False
    last: Element | None = None
    for root in parts:
        for element in [root, *elements(root, *BLOCKS, "img")]:
            if element.tag == "hr":
                if not text_before or last is not None:
                    drop(element)
                else:
                    last = element
            elif element.tag == "img" or ((element.text or "").strip() or _tails(element)):
                text_before, last = True, None
    if last is not None:
        drop(last)
    for root in parts:
        sweep(root)


def _tails(element: Element) -> bool:
    return any(
        (child.tail or "").strip() or (tag_of(child) not in BLOCKS and text_of(child)) for child in element
    )
