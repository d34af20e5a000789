"""The part of a long text that a model is shown: its beginning, and paragraphs that speak of the matter."""

from __future__ import annotations

import re
from collections.abc import Iterable

from retrieve.self_query.text import is_common, words

HEAD = 0.6
"""Share of the characters that the beginning gets."""
REACH = 200_000
"""Characters of a text that are looked at."""
GAP = "\n[...]\n"

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
_PARAGRAPH = re.compile(r"\n\s*\n")


def excerpt(text: str, about: Iterable[str], size: int) -> str:
    """At most ``size`` characters of a text.

    Args:
        about: what is asked of the text; paragraphs with its words are taken, those with most of them first.
    """
    if len(text) <= size:
        return text
    head = _cut(text[: int(size * HEAD)])
    wanted = {word.stem for told in about for word in words(told) if not is_common([word])}
    ranked = []
    for start, paragraph in _paragraphs(text[len(head) : REACH]):
        found = len(wanted & {word.stem for word in words(paragraph)})
        if found:
            ranked.append((-found, start, paragraph))
    room, chosen = size - len(head), []
    for _, start, paragraph in sorted(ranked):
        part = paragraph[: room - len(GAP)]
        if room <= len(GAP):
            break
        chosen.append((start, part))
        room -= len(part) + len(GAP)
    return GAP.join([head, *(part for _, part in sorted(chosen))])


def sentences(text: str, longest: int) -> list[str]:
    """The different sentences of a text, each on one line and cut at ``longest`` characters."""
    found: dict[str, None] = {}
    for line in text.split("\n"):
        for sentence in _SENTENCE_END.split(line):
            plain = _cut_at(" ".join(sentence.split()), longest)
            if any(map(str.isalnum, plain)):
                found[plain] = None
    return list(found)


def _cut_at(text: str, longest: int) -> str:
    return text if len(text) <= longest else _cut(text[:longest])


def _paragraphs(text: str) -> list[tuple[int, str]]:
    found, start = [], 0
    for match in _PARAGRAPH.finditer(text):
        found.append((start, text[start : match.start()]))
        start = match.end()
    found.append((start, text[start:]))
    return [(start, paragraph.strip()) for start, paragraph in found if paragraph.strip()]


def _cut(text: str) -> str:
    """Cut back to the end of a word."""
    return text[: max(text.rfind(" "), text.rfind("\n"))] if " " in text or "\n" in text else text
