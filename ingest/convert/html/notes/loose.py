"""Numbers without links, and notes that begin with the same numbers somewhere behind."""

from __future__ import annotations

import re

from ingest.convert.html.notes.parts import (
    HEADINGS_OF_NOTES,
    Notes,
    drop_if_idle,
    heading_before,
    is_notes_place,
    refer,
)
from ingest.convert.html.tree import (
    HEADINGS,
    Element,
    class_list,
    drop,
    elements,
    name_words,
    start_of,
    tag_of,
    word_set,
)

_NUMBER = re.compile(r"[\[(]?\s*(\d{1,3})\s*[\])]?[.:]?")
_MARGIN = word_set(
    "sidenote marginnote margin-note side-note footnotecontent footnote-content footnote__content"
)
_MOST_PARTS = 20
_Starts = list[tuple[str, Element]]


def settle_loose(root: Element, notes: Notes) -> None:
    """Raised numbers with notes behind a rule, under a heading, in a list aside, or in named blocks."""
    marks: dict[str, list[Element]] = {}
    for sup in elements(root, "sup"):
        match = _NUMBER.fullmatch(start_of(sup, 12))
        if match:
            marks.setdefault(match[1], []).append(sup)
    if not marks:
        return
    starts = _raised(marks) or _named(root, marks) or _strong(root, marks) or _listed(root, marks)
    edges = [edge for _, block in starts[:1] for edge in (heading_before(block), _rule_before(block))]
    for number, parts in _spans(starts):
        made = notes.add(parts)
        for sup in marks[number]:
            if sup.getparent() is not None and root in sup.iterancestors():
                refer(sup, made)
    for edge in edges:
        drop_if_idle(edge)


def drop_margins(root: Element) -> None:
    """Margin notes repeat a note that is set elsewhere."""
    for element in elements(root, "span", "aside", "small"):
        if _MARGIN.isdisjoint(class_list(element)):
            continue
        before = element.getprevious()
        for _ in range(4):
            if (
                before is None
                or tag_of(before) not in ("input", "label", "x-gone")
                or (before.tail or "").strip()
            ):
                break
            before = before.getprevious()
        if before is not None and tag_of(before) == "x-ref":
            drop(element)


def _raised(marks: dict[str, list[Element]]) -> _Starts:
    """Blocks that begin with a raised number which an earlier raised number repeats."""
    found: _Starts = []
    for number, sups in marks.items():
        for sup in sups[1:]:
            block = next(sup.iterancestors("p", "li", "div", "dd", "aside"), None)
            text = "" if block is None else start_of(block, 12).lstrip("[(")
            if block is not None and text.startswith(number) and text != number:
                found.append((number, block))
                break
    return found


def _named(root: Element, marks: dict[str, list[Element]]) -> _Starts:
    """Blocks named as footnotes that begin with a number."""
    found: dict[str, Element] = {}
    for block in root.iter("div", "p", "li"):
        if "footnote" not in block.get("class", "") or "footnotes" in name_words(block):
            continue
        match = re.match(r"\[?(\d{1,3})[\].:\s]", start_of(block, 12))
        if match and match[1] in marks and len(start_of(block, 12)) > 6:
            found.setdefault(match[1], block)
    return list(found.items())


def _strong(root: Element, marks: dict[str, list[Element]]) -> _Starts:
    """Paragraphs behind a rule or a heading of notes that begin with a bold number."""
    found: dict[str, Element] = {}
    behind: dict[Element, bool] = {}
    for bold in root.iter("strong", "b"):
        number, block = start_of(bold, 4), bold.getparent()
        if (
            number not in marks
            or tag_of(block) != "p"
            or (block.text or "").strip()
            or bold.getprevious() is not None
        ):
            continue
        parent = block.getparent()
        if parent not in behind:
            behind[parent] = _rule_before(block) is not None or heading_before(block) is not None
        if behind[parent]:
            found.setdefault(number, block)
    return list(found.items())


def _listed(root: Element, marks: dict[str, list[Element]]) -> _Starts:
    """The items of ordered lists that are named as notes, or that stand aside."""
    found: dict[str, Element] = {}
    for items in elements(root, "ol"):
        heading = heading_before(items)
        titled = heading is not None and bool(HEADINGS_OF_NOTES.fullmatch(start_of(heading, 60)))
        if not (titled or is_notes_place(items) or tag_of(items.getparent()) == "aside"):
            continue
        start = items.get("start", "1")
        first = int(start) if start.isdecimal() and len(start) < 5 else 1
        for place, item in enumerate(items.iterchildren("li"), first):
            if str(place) in marks:
                found.setdefault(str(place), item)
    return list(found.items())


def _rule_before(block: Element) -> Element | None:
    """A rule before the block, with no heading between them."""
    for sibling in block.itersiblings(preceding=True):
        if tag_of(sibling) == "hr":
            return sibling
        if tag_of(sibling) in HEADINGS:
            return None
    return None


def _spans(starts: _Starts) -> list[tuple[str, list[Element]]]:
    """Every note with what follows it up to the next, where notes have a part of the page to themselves."""
    held = {block for _, block in starts}
    apart: dict[Element | None, bool] = {}
    spans = []
    for number, block in starts:
        parent = block.getparent()
        if parent not in apart:
            apart[parent] = "footnotes" in name_words(parent) if parent is not None else False
            apart[parent] |= _rule_before(block) is not None or heading_before(block) is not None
        single = tag_of(block) == "li" or "footnote" in block.get("class", "") or not apart[parent]
        spans.append((number, [block] if single else _followed(block, held)))
    return spans


def _followed(block: Element, held: set[Element]) -> list[Element]:
    parts = [block]
    for sibling in block.itersiblings():
        if sibling in held or tag_of(sibling) in (*HEADINGS, "hr") or len(parts) > _MOST_PARTS:
            break
        parts.append(sibling)
    return parts
