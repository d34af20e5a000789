"""A page's tree to the markdown of its content: settle, choose, clear, write."""

from __future__ import annotations

from copy import deepcopy

from ingest.convert.html import boilerplate, clean
from ingest.convert.html.callouts import settle_callouts
from ingest.convert.html.code import settle_code
from ingest.convert.html.content import main_content
from ingest.convert.html.edges import trim
from ingest.convert.html.images import settle_images
from ingest.convert.html.links import page_address
from ingest.convert.html.markdown import Writer, write_notes
from ingest.convert.html.math import settle_math
from ingest.convert.html.notes import Notes, settle_footnotes
from ingest.convert.html.shape import settle_shape
from ingest.convert.html.tree import Element, has_words, tag_of, text_of

_SHORT, _SCANT = 200, 40
"""A content shorter than this many letters is doubted: less is taken for clutter then, or nothing at all."""


def page_body(tree: Element) -> str:
    """The main content as markdown; a page that seems to have none gives all text that a reader would see."""
    base = page_address(tree)
    body = tree.find("body")
    if body is None:
        return ""
    clean.place_streamed(tree)
    clean.reveal_noscript_images(body)
    notes = settle(body)
    everything = deepcopy(body)
    parts = _content(body)
    found = _letters(parts)
    if found < _SHORT:
        framed = deepcopy(everything)
        boilerplate.drop_frame(framed)
        larger = [framed] if found < _SCANT else main_content(framed)
        if _letters(larger) < _SCANT:
            larger = [everything]
        if _letters(larger) > 2 * found:
            parts = larger
    return _write(parts, notes, Writer(base))


def settle(body: Element) -> Notes:
    """Bring a body to the elements that `Writer` knows, in place; its footnotes are set aside."""
    clean.disown(body)
    settle_math(body)
    clean.drop_never_text(body)
    settle_code(body)
    notes = settle_footnotes(body)
    settle_callouts(body)
    clean.drop_hidden(body)
    settle_images(body)
    settle_shape(body)
    return notes


def _content(body: Element) -> list[Element]:
    boilerplate.drop_frame(body)
    boilerplate.drop_named(body)
    parts = main_content(body)
    for part in parts:
        boilerplate.drop_clutter(part)
    trim(parts)
    return [part for part in parts if has_words(part) or part.find(".//img") is not None]


def _letters(parts: list[Element]) -> int:
    return sum(len(text_of(part)) for part in parts)


def _write(parts: list[Element], notes: Notes, writer: Writer) -> str:
    blocks = [block for part in parts for block in _blocks(part, writer)]
    numbers = _renumber(parts, notes)
    if numbers:
        blocks = [block for part in parts for block in _blocks(part, writer)]
    found = write_notes([(new, notes.definitions[old - 1]) for old, new in numbers.items()], writer)
    return "\n\n".join([*blocks, found] if found else blocks)


def _blocks(part: Element, writer: Writer) -> list[str]:
    return writer.blocks(part) if tag_of(part) == "body" else writer.block(part, tag_of(part))


def _renumber(parts: list[Element], notes: Notes) -> dict[int, int]:
    """Notes that the content refers to, or that refer to each other, numbered from 1 in their order."""
    used: set[int] = set()
    waiting = list(parts)
    while waiting:
        for mark in waiting.pop().iter("x-ref"):
            number = int(mark.get("n", "0"))
            if number not in used:
                used.add(number)
                waiting.append(notes.definitions[number - 1])
    numbers = {old: new for new, old in enumerate(sorted(used), 1)}
    for root in [*parts, *(notes.definitions[old - 1] for old in numbers)]:
        for mark in root.iter("x-ref"):
            if "done" not in mark.attrib:
                mark.set("n", str(numbers[int(mark.get("n", "0"))]))
                mark.set("done", "1")
    return numbers
