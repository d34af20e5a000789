"""Whether what a reader model wrote can be believed: small models repeat themselves, invent and run on.

Everything is compared with the page itself, letter by letter and word by word, whatever the markup: a
page that says the same thing forty times may be copied, a model that says it forty times may not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import lxml.html
import numpy as np
from numpy.typing import NDArray

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORDS = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
_WRITTEN = ("href", "src", "alt", "title", "start", "value", "datetime")
_TARGETS = re.compile(r"\]\([^()\s]*\)")
LONGEST_PERIOD = 64
"""Words or characters; a longer loop runs into the limit of length."""
MIN_REPEATS = 4
MIN_LOOP_WORDS = 24
MIN_LOOP_SIGNS = 1000
"""A line of a table's rule or of hyphens is shorter."""
MIN_PAGE_WORDS = 20
"""A page with fewer may be nothing but a menu, and its markdown empty."""


@dataclass(frozen=True)
class Limits:
    """How far a text may stray from its page."""

    max_ratio: float
    """Letters and digits of the text, to those of the page with its addresses."""
    max_invented: float
    """Share of the text's words that the page does not have."""
    min_ratio: float = 0.02
    """The main content is at least so much of a page; below, the model gave up."""


class Evidence:
    """What a page says: its text, and the attributes that may come to stand in its markdown."""

    def __init__(self, page: lxml.html.HtmlElement) -> None:
        self.text = " ".join(page.itertext())
        spoken, hidden = words(self.text), words(" ".join(_attributes(page)))
        self.sequence = _joined(spoken)
        self.words = frozenset(spoken) | frozenset(hidden)
        self.spoken = len(spoken)
        self.letters = sum(map(len, spoken)) + sum(map(len, hidden))

    def says(self, found: list[str]) -> bool:
        """Whether the page has this run of words."""
        return _joined(found) in self.sequence


def _attributes(page: lxml.html.HtmlElement) -> Iterator[str]:
    for element in page.iter("*"):
        yield from (element.attrib[name] for name in _WRITTEN if name in element.attrib)
        if element.tag in ("pre", "code"):
            yield element.get("class", "")  # tells the language


def words(text: str) -> list[str]:
    """Runs of letters and digits in lower case; an ideograph or kana is a word."""
    return _WORDS.findall(text.lower())


def find_fault(markdown: str, page: Evidence, limits: Limits, *, finished: bool = True) -> str | None:
    """What is wrong with a page's markdown, in a few words; None: nothing.

    Args:
        finished: the model came to an end by itself.
    """
    if loops(markdown, page):
        return "it repeated itself"
    if not finished:
        return "it did not come to an end"
    written = words(markdown)
    letters = sum(map(len, written))
    if letters > limits.max_ratio * page.letters:
        return f"it wrote {letters:,} letters for the page's {page.letters:,}"
    if page.spoken >= MIN_PAGE_WORDS and len(written) < limits.min_ratio * page.spoken:
        return f"it kept {len(written)} of the page's {page.spoken:,} words"
    invented = sum(word not in page.words for word in written)
    if invented > limits.max_invented * len(written):
        return f"{invented / len(written):.0%} of its words are not on the page"
    return None


def loops(text: str, page: Evidence) -> bool:
    """Whether a stretch is repeated over and over that the page does not repeat so."""
    text = _TARGETS.sub("]", text)
    found = words(text)
    numbers = {word: number for number, word in enumerate(dict.fromkeys(found))}
    ids = np.array([numbers[word] for word in found], dtype=np.int64)
    if any(not page.says(found[start : (start + end) // 2]) for start, end in _runs(ids, MIN_LOOP_WORDS)):
        return True
    signs = np.frombuffer(text.encode("utf-32-le", "replace"), dtype=np.uint32)
    for start, end in _runs(signs, MIN_LOOP_SIGNS):
        stretch = text[start : (start + end) // 2]
        inner = words(stretch)[1:-1]  # those at the ends may be cut
        if stretch not in page.text and not (inner and page.says(inner)):
            return True
    return False


def _runs(sequence: NDArray[np.generic], least: int) -> Iterator[tuple[int, int]]:
    """Stretches that are at least so long and have their period at least four times."""
    for period in range(1, min(LONGEST_PERIOD, len(sequence) // MIN_REPEATS) + 1):
        breaks = np.flatnonzero(sequence[period:] != sequence[:-period])
        edges = np.concatenate(([-1], breaks, [len(sequence) - period]))
        lengths = np.diff(edges) - 1 + period
        for index in np.flatnonzero(lengths >= max(least, MIN_REPEATS * period)):
            start = int(edges[index]) + 1
            yield start, start + int(lengths[index])


def _joined(found: list[str]) -> str:
    return f" {' '.join(found)} "
