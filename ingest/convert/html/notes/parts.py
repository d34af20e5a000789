"""What all ways of setting footnotes share: marks, places of notes, and notes without their own numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from ingest.convert.html.tree import (
    HEADINGS,
    Element,
    alone,
    drop,
    elements,
    has_text,
    make,
    name_words,
    start_of,
    swap,
    sweep,
    tag_of,
    take,
    word_set,
)

MARK = re.compile(
    r"[\[(]?\s*(?:note\s*|n\.?\s*)?(\d{1,4}|[a-z]|[ivx]{1,5}|[*†‡§¶#]{1,3})\s*[\])]?[.:]?", re.IGNORECASE
)
_BACK = re.compile(r"[\s↩↵⏎↑⤴︎️^⇑⬆«]*|jump up|back|return", re.IGNORECASE)
NOTE_WORDS = word_set(
    "footnote footnotes endnote endnotes fn ftn ftnt fnote footdef footpara noteref reflist references "
    "citation cite bib bibliography biblioentry sidenote sidenotes sdfootnote footnotetext reference"
)
HEADINGS_OF_NOTES = re.compile(
    r"(?:foot|end|side)?-?\s?notes?|references?|citations|sources|notes and references|fußnoten|"
    r"notes de bas de page",
    re.IGNORECASE,
)
_AROUND_MARKS = ("sup", "span", "a", "small", "strong", "b", "i", "em")


@dataclass
class Notes:
    """What was found: the notes in the order of their numbers."""

    definitions: list[Element] = field(default_factory=list)

    def add(self, parts: Iterable[Element]) -> int:
        """Set parts of a page aside as a note of its own, and give its number from 1."""
        note = make("div")
        for part in parts:
            note.append(take(part) if part.getparent() is not None else part)
        _strip_marks(note)
        self.definitions.append(note)
        return len(self.definitions)


def refer(mark: Element, number: int) -> None:
    """Put an ``x-ref`` in the place of a mark and of what holds nothing else."""
    while (
        (parent := mark.getparent()) is not None and tag_of(parent) in _AROUND_MARKS and alone(mark, "[]()")
    ):
        mark = parent
    spaced = "".join(islice(mark.itertext(), 100))[-1:].isspace()
    new = make("x-ref", None, n=str(number))
    swap(mark, new)
    if spaced:
        new.tail = " " + (new.tail or "")


def is_notes_place(block: Element) -> bool:
    """Whether an element, or one of three around it, is named as a place of notes."""
    for element in [block, *islice(block.iterancestors(), 3)]:
        if tag_of(element) in ("body", "article", "main"):
            return False
        words = name_words(element)
        kinds = element.get("role", "") + element.get("data-type", "") + element.get("epub:type", "")
        if (
            (NOTE_WORDS & words and "has" not in words)
            or "note" in kinds
            or "data-footnotes" in element.attrib
        ):
            return True
    return False


def heading_before(block: Element) -> Element | None:
    """The heading, or the line, of notes that a block stands under, up to three levels above it."""
    for element in [block, *islice(block.iterancestors(), 3)]:
        for sibling in element.itersiblings(preceding=True):
            if not has_text(sibling):
                continue
            line = tag_of(sibling) in (*HEADINGS, "p", "div", "strong")
            if line and HEADINGS_OF_NOTES.fullmatch(start_of(sibling, 60)):
                return sibling
            if tag_of(sibling) in HEADINGS:
                return None
            break
    return None


def drop_if_idle(mark: Element | None) -> None:
    """Drop a heading or rule when nothing but notes stood between it and the next heading."""
    if mark is None or mark.getparent() is None:
        return
    for sibling in mark.itersiblings():
        if tag_of(sibling) in HEADINGS:
            break
        if has_text(sibling):
            return
    drop(mark)


def show(element: Element) -> Element:
    """A hidden note as a plain block."""
    element.attrib.pop("style", None)
    element.attrib.pop("hidden", None)
    element.tag = "div"
    return element


def _strip_marks(note: Element) -> None:
    """Drop a note's own number and its links back."""
    for link in elements(note, "a"):
        href = link.get("href", "")
        named = "backref" in link.get("class", "") or link.get("role") == "doc-backlink"
        if ("#" in href or not href) and (named or _BACK.fullmatch(start_of(link, 20))):
            drop(link)
    for wrapper in elements(note, "span", "sup", "b", "strong", "label"):
        if {"backlink", "number", "label", "footnum"} & name_words(wrapper) and len(
            start_of(wrapper, 6)
        ) <= 5:
            drop(wrapper)
    sweep(note)
    _strip_leading(note)


def _strip_leading(note: Element) -> None:
    """The number that a note begins with, in an element of its own or as plain text."""
    for element in list(islice(note.iter("sup", "a", "strong", "b", "span"), 3)):
        text = start_of(element, 12)
        if text and MARK.fullmatch(text) and _is_first(element, note):
            tail = element.tail
            drop(element)
            element.tail = (tail or "").lstrip(" .:])\xa0\t\n")
            sweep(note)
            return
    holder = next((element for element in note.iter() if (element.text or "").strip()), None)
    if holder is not None and _is_first(holder, note):
        match = re.match(r"\s*(?:\[\d{1,3}\]|\^?\d{1,3}[.:)](?!\d))\s*", holder.text or "")
        if match:
            holder.text = (holder.text or "")[match.end() :]


def _is_first(element: Element, note: Element) -> bool:
    """Whether no text but brackets stands before an element in a note."""
    while element is not note:
        parent = element.getparent()
        if parent is None or (parent.text or "").strip().strip("[(^"):
            return False
        for sibling in element.itersiblings(preceding=True):
            if has_text(sibling) or (sibling.tail or "").strip().strip("[(^"):
                return False
        element = parent
    return True
