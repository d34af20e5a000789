"""How near a conversion is to its reference: each between 0 and 1, 1 where they are the same."""

from __future__ import annotations

import re
from collections import Counter

from markdown_it import MarkdownIt
from rapidfuzz.distance import Indel, LCSseq

from benchmarks.html.data import visible_text

_WORD = re.compile(r"\w+")
_READER = MarkdownIt("commonmark", {"maxNesting": 100}).enable("table")


def edit_similarity(found: str, expected: str) -> float:
    """One minus the insertions and deletions between two texts over their lengths together.

    Runs of empty lines and spaces at the ends of lines say nothing in markdown and do not count.
    """
    return Indel.normalized_similarity(_lines(found), _lines(expected))


def rouge_l(found: str, expected: str) -> float:
    """F-measure of the longest common subsequence of words (Lin, 2004, ROUGE, section 3.1)."""
    ours, theirs = words(found), words(expected)
    if not ours or not theirs:
        return float(ours == theirs)
    return 2 * LCSseq.similarity(ours, theirs) / (len(ours) + len(theirs))


def token_f1(found: str, expected: str) -> float:
    """F1 of two bags of words."""
    ours, theirs = Counter(words(found)), Counter(words(expected))
    if not ours or not theirs:
        return float(ours == theirs)
    return 2 * (ours & theirs).total() / (ours.total() + theirs.total())


def words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def plain(markdown: str) -> str:
    """The words of rendered markdown: no link targets, no marks."""
    return visible_text(_READER.render(markdown))


def _lines(text: str) -> str:
    text = "\n".join(line.rstrip() for line in text.replace("\r", "").split("\n"))
    return re.sub(r"\n{2,}", "\n\n", text).strip()
