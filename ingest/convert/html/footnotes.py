"""Footnotes: marks become ``x-ref``, what they lead to is set aside under the same number.

Pages link a mark to its note, number both, hide the note behind the mark, or set it in the margin. A mark is
only one if a note is found for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ingest.convert.html.tree import (
    HEADINGS,
    Element,
    class_list,
    drop,
    elements,
    make,
    name_words,
    swap,
    sweep,
    tag_of,
    take,
    text_of,
    within,
    word_set,
)

_MARK = re.compile(
    r"[\[(]?\s*(?:note\s*|n\.?\s*)?(\d{1,4}|[a-z]|[ivx]{1,5}|[*†‡§¶#]{1,3})\s*[\])]?[.:]?", re.IGNORECASE
)
_NUMBER = re.compile(r"[\[(]?\s*(\d{1,3})\s*[\])]?[.:]?")
_BACK = re.compile(r"[\s↩↵⏎↑⤴︎️^⇑⬆«]*|jump up|back|return", re.IGNORECASE)
_NOTE_WORDS = word_set(
    "footnote footnotes endnote endnotes fn ftn ftnt fnote footdef footpara noteref reflist references "
    "citation "
    "cite bib bibliography biblioentry sidenote sidenotes sdfootnote footnotetext reference"
)
_REF_WORDS = word_set(
    "footnote footnotes footref fnref ref reference noteref fn ftnref ftn sidenote footnoteref cite "
    "citation aside"
)
_HEADINGS_OF_NOTES = re.compile(
    r"(?:foot|end|side)?-?\s?notes?|references?|citations|sources|notes and references|fußnoten|"
    r"notes de bas de page",
    re.IGNORECASE,
)
_BLOCK_NOTES = ("li", "p", "dd", "div", "td", "tr", "section", "aside", "blockquote")
_MARGIN = word_set(
    "sidenote marginnote margin-note side-note footnotecontent footnote-content footnote__content"
)


@dataclass
class Notes:
    """What was found: the notes in the order of their numbers."""

    definitions: list[Element] = field(default_factory=list)

    def add(self, parts: list[Element]) -> int:
        """Set parts of a page aside as a note of its own, and give its number from 1."""
        note = make("div")
        for part in parts:
            note.append(take(part) if part.getparent() is not None else part)
        self.definitions.append(note)
        return len(self.definitions)


def settle_footnotes(root: Element) -> Notes:
    """Replace marks by ``x-ref`` elements whose attribute ``n`` is the number of their note."""
    notes = Notes()
    _inline(root, notes)
    _linked(root, notes)
    _loose(root, notes)
    _margins(root)
    sweep(root)
    return notes


def _ref(mark: Element, number: int) -> None:
    swap(mark, make("x-ref", None, n=str(number)))


def _inline(root: Element, notes: Notes) -> None:
    """Notes that hide inside or right behind their mark, or that a mark names by their id."""
    by_id = {name: element for element in root.iter() if tag_of(element) and (name := element.get("id"))}
    for mark in elements(root, "span", "sup", "a"):
        named = by_id.get(mark.get("data-definition", ""))
        if named is not None and len(text_of(mark)) <= 4:
            _show(named)
            _ref(mark, notes.add([_strip_marks(_as_div(take(named)))]))
            continue
        if mark.tag != "span" or not {"footnote", "sidenote", "note"} & name_words(mark):
            continue
        for inner in mark.iterchildren("span"):
            if "content" in name_words(inner, ids=False) and (text_of(inner)):
                rest = text_of(mark).replace(text_of(inner), "")
                if _MARK.fullmatch(rest.strip()):
                    _show(inner)
                    _ref(mark, notes.add([_as_div(take(inner))]))
                    break


def _linked(root: Element, notes: Notes) -> None:
    """Marks that link to an element of the page which is a note by its place, its name or its way back."""
    targets: dict[str, Element] = {}
    for element in root.iter():
        if tag_of(element):
            for name in (element.get("id"), element.get("name")):
                if name:
                    targets.setdefault(name, element)
    marks = []
    for link in elements(root, "a", "label"):
        fragment = link.get("for", "") if link.tag == "label" else link.get("href", "").rpartition("#")[2]
        if (
            fragment
            and (link.tag == "label" or "#" in link.get("href", ""))
            and _MARK.fullmatch(text_of(link))
        ):
            marks.append((link, fragment))
    _word_notes(root, marks, targets)
    found: dict[int, list[Element]] = {}
    blocks: dict[int, Element] = {}
    order = {element: place for place, element in enumerate(root.iter())}
    for link, fragment in marks:
        target = targets.get(fragment)
        note = None if target is None else _note_block(link, target, order)
        if note is not None:
            found.setdefault(order[note], []).append(link)
            blocks[order[note]] = note
    places = sorted(found)
    holders = [blocks[place] for place in places]
    spans = [_span(note, holders, targets, root) for note in holders]
    for place, parts in zip(places, spans, strict=True):
        container = parts[0].getparent()
        heading = _heading_before(parts[0])
        number = notes.add([_strip_marks(part) for part in parts])
        for link in found[place]:
            _ref(_outermost(link), number)
        if heading is not None and container is not None and not _left_after(heading):
            drop(heading)


def _word_notes(root: Element, marks: list[tuple[Element, str]], targets: dict[str, Element]) -> None:
    """Word gives notes no ids: the way back of ``_ftn1`` is a link to ``_ftnref1``."""
    for link, fragment in marks:
        match = re.fullmatch(r"_(ftn|edn)ref(\d+)", fragment)
        if match:
            targets.setdefault(f"_{match[1]}{match[2]}", link)


def _outermost(mark: Element) -> Element:
    """The mark with the elements around it that hold nothing else."""
    while (parent := mark.getparent()) is not None and tag_of(parent) in (
        "sup",
        "span",
        "a",
        "small",
        "strong",
        "b",
        "i",
        "em",
        "x-bare",
    ):
        if text_of(parent).strip("[]() ") != text_of(mark).strip("[]() ") or parent.get("id", "").startswith(
            "x-"
        ):
            break
        mark = parent
    return mark


def _note_block(link: Element, target: Element, order: dict[Element, int]) -> Element | None:
    """The block of a note that a mark leads to; None where the target is something else."""
    if target is link or order.get(target, -1) < 0:
        return None
    block = target
    heading = next(target.iterancestors(*HEADINGS), None)
    if heading is not None:
        return _after_heading(heading, text_of(link), order)
    while tag_of(block) not in _BLOCK_NOTES:
        parent = block.getparent()
        if parent is None or tag_of(parent) in ("body", "article", "main", *HEADINGS):
            return None
        block = parent
    if block in link.iterancestors() or (order[block] < order[link] and not _is_notes_place(block)):
        return None
    if tag_of(block) == "div" and len(text_of(block)) > 5000:
        return None
    if tag_of(block) == "li" and tag_of(block.getparent()) == "ol":
        return block
    parent = block.getparent()
    if text_of(block) and parent is not None and _is_wrap(parent, block):
        block = parent
    if _is_notes_place(block) or _starts_with_mark(block, text_of(link)) or _leads_back(block, link):
        return block
    return None


def _after_heading(heading: Element, mark: str, order: dict[Element, int]) -> Element | None:
    """The note under a heading that is only its number, with what follows up to the next heading."""
    following = heading.getnext()
    number = text_of(heading).strip("[]().: ")
    if number != mark.strip("[]().: ") or following is None or tag_of(following) in HEADINGS:
        return None
    note = make("div")
    for part in list(heading.itersiblings())[:20]:
        if tag_of(part) in HEADINGS:
            break
        note.append(part)
    swap(heading, note)
    order[note] = order[heading]
    return note


def _is_wrap(parent: Element, block: Element) -> bool:
    """Whether the target was the label inside a note: the rest of the note stands beside it."""
    if tag_of(parent) not in ("div", "li", "section", "aside", "tr", "dl"):
        return False
    alone = _MARK.fullmatch(text_of(block)) is not None
    return alone and len(text_of(parent)) < 3000


def _is_notes_place(block: Element) -> bool:
    for depth, element in enumerate([block, *block.iterancestors()]):
        if depth > 3 or tag_of(element) in ("body", "article", "main"):
            return False
        words = name_words(element)
        if (
            (_NOTE_WORDS & words and "has" not in words)
            or "note" in element.get("role", "")
            or "note" in element.get("data-type", "")
        ):
            return True
        if "data-footnotes" in element.attrib or "footnote" in element.get("epub:type", ""):
            return True
    return False


def _starts_with_mark(block: Element, mark: str) -> bool:
    mark = mark.strip("[]().: ")
    return bool(re.match(rf"[\[(^\s]*{re.escape(mark)}(?!\d)", text_of(block)[:20]))


def _leads_back(block: Element, link: Element) -> bool:
    names = {
        link.get("id"),
        link.get("name"),
        *(element.get("id") for element in list(link.iterancestors())[:2]),
    } - {None}
    return any(back.get("href", "").rpartition("#")[2] in names for back in list(block.iter("a"))[:50])


def _span(note: Element, holders: list[Element], targets: dict[str, Element], root: Element) -> list[Element]:
    """The block of a note and, in a part of the page that holds only notes, what follows up to the next."""
    if tag_of(note) in ("li", "dd", "tr", "td") or not _is_notes_place(note):
        return [note]
    parts, held = [note], set(holders)
    for sibling in note.itersiblings():
        if (
            sibling in held
            or tag_of(sibling) in (*HEADINGS, "hr")
            or any(inner in held for inner in sibling.iter())
        ):
            break
        if _NOTE_WORDS & name_words(sibling) or _starts_numbered(sibling) or len(parts) > 20:
            break
        parts.append(sibling)
    return parts if sum(holder.getparent() is note.getparent() for holder in holders) > 1 else [note]


def _strip_marks(note: Element) -> Element:
    """A note without its own number and without its links back."""
    for link in elements(note, "a"):
        text = text_of(link)
        href = link.get("href", "")
        back = "#" in href or not href
        if back and (
            _BACK.fullmatch(text) or "backref" in link.get("class", "") or link.get("role") == "doc-backlink"
        ):
            drop(link)
    for wrapper in elements(note, "span", "sup", "b", "strong", "label"):
        if (
            {"backlink", "number", "label", "footnum"} & name_words(wrapper)
            and len(text_of(wrapper)) <= 5
            and not within(wrapper, "x-math")
        ):
            drop(wrapper)
    sweep(note)
    _strip_leading(note)
    return note


def _strip_leading(note: Element) -> None:
    """The number that a note begins with, in an element of its own or as plain text."""
    for element in list(note.iter("sup", "a", "strong", "b", "span"))[:3]:
        before = text_of(note).partition(text_of(element) or "\0")[0] if text_of(element) else "x"
        if (
            before.strip("[]( ^") == ""
            and _MARK.fullmatch(text_of(element))
            and tag_of(element) in ("sup", "a", "strong", "b", "span")
        ):
            tail = element.tail
            drop(element)
            if tail:
                element.tail = tail.lstrip(" .:])\xa0\t\n")
            sweep(note)
            return
    holder = next((element for element in note.iter() if (element.text or "").strip()), None)
    if holder is not None and not text_of(note).partition((holder.text or "").strip())[0]:
        match = re.match(r"\s*(?:\[\d{1,3}\]|\^?\d{1,3}[.:)](?!\d))\s*", holder.text or "")
        if match:
            holder.text = (holder.text or "")[match.end() :]


def _loose(root: Element, notes: Notes) -> None:
    """Numbers without links, with notes that begin with the same numbers behind a rule or a heading."""
    marks: dict[str, list[Element]] = {}
    for sup in elements(root, "sup"):
        match = _NUMBER.fullmatch(text_of(sup))
        if match and sup.find(".//x-ref") is None:
            marks.setdefault(match[1], []).append(sup)
    if not marks:
        return
    starts = _numbered_blocks(marks) or _numbered_list(root, marks)
    for number, parts in starts:
        heading = _heading_before(parts[0])
        rule = parts[0].getprevious()
        made = notes.add([_strip_marks(part) for part in parts])
        for sup in marks[number]:
            if sup.getparent() is not None and not any(
                part in sup.iterancestors() for part in notes.definitions
            ):
                _ref(_outermost(sup), made)
        if heading is not None and not _left_after(heading):
            drop(heading)
        if rule is not None and tag_of(rule) == "hr" and not _left_after(rule):
            drop(rule)


def _numbered_blocks(marks: dict[str, list[Element]]) -> list[tuple[str, list[Element]]]:
    """Notes as blocks that begin with a raised number which an earlier raised number repeats."""
    found: list[tuple[str, list[Element]]] = []
    used: set[str] = set()
    heads: list[tuple[str, Element, Element]] = []
    for number, sups in marks.items():
        for sup in sups[1:] if len(sups) > 1 else []:
            block = next((a for a in sup.iterancestors("p", "li", "div", "dd", "aside")), None)
            if (
                block is not None
                and number not in used
                and text_of(block).lstrip("[(").startswith(number)
                and text_of(block) != number
            ):
                heads.append((number, sup, block))
                used.add(number)
    if not heads:
        heads = _strong_heads(marks)
    blocks = {block for _, _, block in heads}
    for number, _, block in heads:
        parts = [block]
        apart = "footnote" in " ".join(class_list(block)) or (
            "footnotes" not in _place_words(block) and not _behind_rule(block)
        )
        if not apart:
            for sibling in block.itersiblings():
                if sibling in blocks or tag_of(sibling) in (*HEADINGS, "hr"):
                    break
                parts.append(sibling)
        found.append((number, parts))
    return found


def _place_words(block: Element) -> set[str]:
    parent = block.getparent()
    return set() if parent is None else name_words(parent)


def _behind_rule(block: Element) -> bool:
    """Whether a rule or a heading of notes stands before the block among its siblings."""
    for sibling in block.itersiblings(preceding=True):
        if tag_of(sibling) == "hr":
            return True
        if tag_of(sibling) in HEADINGS:
            return bool(_HEADINGS_OF_NOTES.fullmatch(text_of(sibling)))
    return False


def _strong_heads(marks: dict[str, list[Element]]) -> list[tuple[str, Element, Element]]:
    heads = []
    for number, sups in marks.items():
        top = sups[0].getroottree().getroot()
        for bold in top.iter("strong", "b"):
            block = bold.getparent()
            if (
                text_of(bold) == number
                and tag_of(block) == "p"
                and not (block.text or "").strip()
                and block[0] is bold
                and _behind_rule(block)
            ):
                heads.append((number, bold, block))
                break
    return heads


def _numbered_list(root: Element, marks: dict[str, list[Element]]) -> list[tuple[str, list[Element]]]:
    """Notes as the items of an ordered list that is named as one, or that stands aside."""
    found = []
    for items in elements(root, "ol"):
        heading = _heading_before(items)
        named = _is_notes_place(items) or (
            heading is not None and _HEADINGS_OF_NOTES.fullmatch(text_of(heading))
        )
        if not (named or tag_of(items.getparent()) == "aside"):
            continue
        start = items.get("start", "1")
        for place, item in enumerate(
            items.iterchildren("li"), int(start) if start.isdecimal() and len(start) < 5 else 1
        ):
            if str(place) in marks:
                found.append((str(place), [item]))
    return found


def _margins(root: Element) -> None:
    """Margin notes repeat a note that is set elsewhere."""
    for element in elements(root, "span", "aside", "small"):
        if not _MARGIN.isdisjoint(class_list(element)):
            before = element.getprevious()
            while (
                before is not None
                and tag_of(before) in ("input", "label", "x-gone")
                and not (before.tail or "").strip()
            ):
                before = before.getprevious()
            if before is not None and tag_of(before) == "x-ref":
                drop(element)


def _starts_numbered(block: Element) -> bool:
    return bool(re.match(r"\[?\d{1,3}[\].:]", text_of(block)[:8]))


def _heading_before(block: Element) -> Element | None:
    """The heading of notes that a block stands under, up to two levels above it."""
    for element in [block, *list(block.iterancestors())[:3]]:
        for sibling in element.itersiblings(preceding=True):
            if tag_of(sibling) in HEADINGS:
                return sibling if _HEADINGS_OF_NOTES.fullmatch(text_of(sibling)) else None
            inner = sibling.find("h2") if tag_of(sibling) == "div" else None
            if inner is not None and _HEADINGS_OF_NOTES.fullmatch(text_of(inner)):
                return inner
            if text_of(sibling):
                break
    return None


def _left_after(mark: Element) -> bool:
    """Whether anything but notes is left between an element and the next heading."""
    for sibling in mark.itersiblings():
        if tag_of(sibling) in HEADINGS:
            return False
        if text_of(sibling):
            return True
    return False


def _show(element: Element) -> None:
    element.attrib.pop("style", None)
    element.attrib.pop("hidden", None)


def _as_div(element: Element) -> Element:
    element.tag = "div"
    return element
