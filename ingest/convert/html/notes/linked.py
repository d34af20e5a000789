"""Marks that link to their notes, that name them, or that hold them."""

from __future__ import annotations

import re
from itertools import islice

from ingest.convert.html.notes.parts import (
    HEADINGS_OF_NOTES,
    MARK,
    NOTE_WORDS,
    Notes,
    drop_if_idle,
    heading_before,
    is_notes_place,
    refer,
    show,
)
from ingest.convert.html.tree import (
    HEADINGS,
    Element,
    drop,
    drop_all,
    elements,
    make,
    name_words,
    start_of,
    swap,
    tag_of,
    text_of,
)

_BLOCK_NOTES = ("li", "p", "dd", "div", "td", "tr", "section", "aside", "blockquote")
_LONGEST = 5000
"""Letters: a longer ``div`` that a mark leads to is a part of the page and no note."""
_MOST_PARTS = 20


def settle_inline(root: Element, notes: Notes) -> None:
    """Notes that hide inside or right behind their mark, or that a mark names by their id."""
    by_id = {name: element for element in root.iter() if tag_of(element) and (name := element.get("id"))}
    for mark in elements(root, "span", "sup", "a"):
        named = by_id.get(mark.get("data-definition", ""))
        if named is not None and len(start_of(mark, 5)) <= 4:
            refer(mark, notes.add([show(named)]))
            continue
        words = name_words(mark)
        if mark.tag != "span" or not {"footnote", "sidenote", "note"} & words:
            continue
        if "footnotemark" in words:  # LaTeXML: a mark whose note is elsewhere repeats itself
            drop_all(mark.iterchildren("span"))
            continue
        for inner in list(islice(mark.iterdescendants("span"), 8)):
            text = text_of(inner)
            rest = text_of(mark).replace(text, "", 1).strip()
            if "content" in name_words(inner, ids=False) and text and (not rest or MARK.fullmatch(rest)):
                refer(mark, notes.add([show(inner)]))
                break


def settle_linked(root: Element, notes: Notes) -> None:
    """Marks that link to an element which is a note by its place, its name or its way back."""
    targets: dict[str, Element] = {}
    for element in root.iter():
        for name in (element.get("id"), element.get("name")) if tag_of(element) else ():
            if name:
                targets.setdefault(name, element)
    marks = _marks(root, targets)
    _part_shared(marks, targets)
    order = {element: place for place, element in enumerate(root.iter())}
    found: dict[Element, list[Element]] = {}
    for link, fragment in marks:
        target = targets.get(fragment)
        note = None if target is None else _note_block(link, target, order)
        if note is not None:
            found.setdefault(note, []).append(link)
    blocks = sorted(found, key=lambda note: order[note])
    parents = {note: note.getparent() for note in blocks}
    headings = {
        parent: heading_before(note) for note in reversed(blocks) if (parent := parents[note]) is not None
    }
    spans = _spans(blocks)
    for note in blocks:
        number = notes.add(spans[note])
        for link in found[note]:
            refer(link, number)
    for heading in headings.values():
        drop_if_idle(heading)


def _marks(root: Element, targets: dict[str, Element]) -> list[tuple[Element, str]]:
    """Links and labels that read like marks, with the id that they lead to."""
    marks = []
    for link in elements(root, "a", "label"):
        href = link.get("href", "")
        fragment = (
            link.get("for", "") if link.tag == "label" else href.rpartition("#")[2] if "#" in href else ""
        )
        if fragment and MARK.fullmatch(start_of(link, 20)):
            marks.append((link, fragment))
            # Word gives notes no ids: the way back of ``_ftn1`` is a link to ``_ftnref1``.
            if match := re.fullmatch(r"_(ftn|edn)ref(\d+)", fragment):
                targets.setdefault(f"_{match[1]}{match[2]}", link)
    return marks


def _part_shared(marks: list[tuple[Element, str]], targets: dict[str, Element]) -> None:
    """A paragraph that holds several notes, each behind its own anchor, becomes one for each."""
    shared: dict[Element, list[Element]] = {}
    for link, fragment in marks:
        target = targets.get(fragment)
        holder = None if target is None else target.getparent()
        inline = target is not None and target is not link and tag_of(target) in ("a", "sup", "span")
        if (
            target is not None
            and inline
            and tag_of(holder) in ("p", "div")
            and MARK.fullmatch(start_of(target, 20))
        ):
            shared.setdefault(holder, []).append(target)
    for holder, anchors in shared.items():
        starts = set(anchors)
        first = next(iter(holder), None)
        if len(starts) > 1 and first in starts and not (holder.text or "").strip():
            _part(holder, starts)


def _part(holder: Element, starts: set[Element]) -> None:
    note = make(holder.tag)
    for child in list(holder):
        if child in starts:
            note = make(holder.tag)
            holder.addprevious(note)
        if tag_of(child) == "br":
            child.tag = "span"
        note.append(child)
    drop(holder)


def _note_block(link: Element, target: Element, order: dict[Element, int]) -> Element | None:
    """The block of a note that a mark leads to; None where the target is something else."""
    if target is link or target not in order:
        return None
    mark = start_of(link, 20)
    heading = next(target.iterancestors(*HEADINGS), None)
    if heading is not None:
        return _after_heading(heading, mark, order)
    block = target
    while tag_of(block) not in _BLOCK_NOTES:
        parent = block.getparent()
        if parent is None or tag_of(parent) in ("body", "article", "main", *HEADINGS):
            return None
        block = parent
    before = order[block] < order[link]
    if block in link.iterancestors() or (before and not is_notes_place(block)):
        return None
    if tag_of(block) == "div" and len(start_of(block, _LONGEST + 1)) > _LONGEST:
        return None
    parent = block.getparent()
    if tag_of(block) == "li" and tag_of(parent) == "ol":
        return block
    if parent is not None and parent in order and _is_label(block, parent):
        block = parent
    return block if is_notes_place(block) or _starts_with(block, mark) or _leads_back(block, link) else None


def _after_heading(heading: Element, mark: str, order: dict[Element, int]) -> Element | None:
    """The note under a heading that is only its number, with what follows up to the next heading."""
    following = heading.getnext()
    if start_of(heading, 20).strip("[]().: ") != mark.strip("[]().: ") or following is None:
        return None
    if tag_of(following) in HEADINGS:
        return None
    note = make("div")
    for part in list(islice(heading.itersiblings(), _MOST_PARTS)):
        if tag_of(part) in HEADINGS:
            break
        note.append(part)
    swap(heading, note)
    order[note] = order[heading]
    return note


def _is_label(block: Element, parent: Element) -> bool:
    """Whether the target was only the number inside a note: the rest of the note stands beside it."""
    if tag_of(parent) not in ("div", "li", "section", "aside", "tr", "dl"):
        return False
    return bool(MARK.fullmatch(start_of(block, 20))) and len(start_of(parent, _LONGEST + 1)) <= _LONGEST


def _starts_with(block: Element, mark: str) -> bool:
    number = mark.strip("[]().: ")
    return bool(re.match(rf"[\[(^\s]*{re.escape(number)}(?!\d)", start_of(block, 20)))


def _leads_back(block: Element, link: Element) -> bool:
    around = (element.get("id") for element in islice(link.iterancestors(), 2))
    names = {link.get("id"), link.get("name"), *around} - {None}
    return any(back.get("href", "").rpartition("#")[2] in names for back in islice(block.iter("a"), 50))


def _spans(blocks: list[Element]) -> dict[Element, list[Element]]:
    """For every note its block; where notes have a part to themselves, what follows up to the next."""
    held = set(blocks)
    first: dict[Element, bool] = {}
    spans = {}
    for note in blocks:
        parent = note.getparent()
        spans[note] = [note]
        if parent is None or tag_of(note) in ("li", "dd", "tr", "td"):
            continue
        if parent not in first:
            first[parent] = _begins_notes(note)
        if first[parent]:
            spans[note] = _followed(note, held, tag_of(parent) == "article")
    return spans


def _begins_notes(first: Element) -> bool:
    """Whether notes begin a part of their own: nothing but a label, a heading or a rule is before them."""
    before = first.getprevious()
    if before is None or tag_of(before) == "hr":
        return True
    label = start_of(before, 60)
    return not label or bool(HEADINGS_OF_NOTES.fullmatch(label))


def _followed(note: Element, held: set[Element], in_text: bool) -> list[Element]:
    parts = [note]
    for sibling in note.itersiblings():
        if sibling in held:
            return parts
        if tag_of(sibling) in (*HEADINGS, "hr", "table") or len(parts) > _MOST_PARTS:
            break
        if NOTE_WORDS & name_words(sibling) or any(inner in held for inner in sibling.iter()):
            break
        parts.append(sibling)
    return [note] if in_text else parts
