"""A question as the linker looks at it: its words, and what stands before, between and after them.

Every look into the surroundings is short, so that a long text takes no more than its length.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from retrieve.self_query.lexicon import plain_words
from retrieve.self_query.text import Word, fold, words

CONTEXT = 160
"""Characters before a place in which its context is looked for."""
_QUOTED = re.compile(r"\"[^\"]{1,300}\"|“[^”]{1,300}”|«[^»]{1,300}»|„[^“”]{1,300}[“”]")


def ending_at(pattern: re.Pattern[str], text: str, end: int) -> re.Match[str] | None:
    """Where a pattern that ends in ``$`` is found right before a place of a text."""
    return pattern.search(text, max(0, end - CONTEXT), end)


_PREPOSITIONS = frozenset(
    ["about", "at", "by", "during", "for", "from", "in", "into", "of", "on", "since", "to", "under", "with"]
)
# "hey, can you find the report"
_REQUEST = re.compile(
    r"(?:[^\W\d_]+,?\s+){0,2}(?:can|could|would|will)\s+(?:you|i|we)\s+(?:please\s+)?[^\W\d_]+"
)


@dataclass(frozen=True)
class Question:
    """A question, ready to be linked."""

    text: str

    @cached_property
    def folded(self) -> str:
        """In lower case without diacritics; offsets stay."""
        return fold(self.text)

    @cached_property
    def words(self) -> list[Word]:
        """Its words, in order."""
        return words(self.text)

    @cached_property
    def _starts(self) -> list[int]:
        return [word.start for word in self.words]

    @cached_property
    def _ends(self) -> list[int]:
        return [word.end for word in self.words]

    def first_from(self, offset: int) -> int:
        """The place of the first word that begins there or later."""
        return bisect_left(self._starts, offset)

    def first_past(self, offset: int) -> int:
        """The place of the first word that ends after an offset: of the one around it, or the next."""
        return bisect_right(self._ends, offset)

    def within(self, start: int, end: int) -> range:
        """The places of the words that a part of the text touches."""
        return range(self.first_past(start), self.first_from(end))

    def at(self, first: int, last: int) -> list[Word]:
        """The words at these places, the last one included."""
        return self.words[first : last + 1]

    def norm(self, place: int) -> str:
        """A word, folded; nothing where there is none."""
        return self.words[place].norm if 0 <= place < len(self.words) else ""

    @cached_property
    def _opening_word(self) -> str:
        known = plain_words()
        first = next((at for at, word in enumerate(self.words) if word.norm not in known.polite), 0)
        behind = self.norm(first) in _PREPOSITIONS and self.norm(first + 1) in known.interrogatives
        return self.norm(first + behind)  # "in which year", "by how much"

    @cached_property
    def asks(self) -> bool:
        """Whether it is a sentence that asks, and no list of keywords or a request for documents."""
        return self._opening_word in plain_words().asking and not _REQUEST.match(self.folded)

    @cached_property
    def asks_how(self) -> bool:
        """Whether it asks for a fact of the matter: how, why, when, is it so."""
        return self.asks and self._opening_word not in plain_words().asking_for_documents

    @cached_property
    def asks_why(self) -> bool:
        """Whether it asks for the reason or the way of something: why, how does, but not how many."""
        known, opening = plain_words(), self._opening_word
        at = next((at for at, word in enumerate(self.words) if word.norm == opening), 0)
        how = opening in known.asking_how and self.norm(at + 1) in known.auxiliaries
        return self.asks and (how or opening in known.asking_why)

    @cached_property
    def opening(self) -> int:
        """How many words there are before the first one that matters."""
        known = plain_words().openings
        return next((i for i, word in enumerate(self.words) if word.norm not in known), len(self.words))

    @cached_property
    def is_cased(self) -> bool:
        """Whether its writer cares for capitals."""
        return self.text[:1].isupper()

    @cached_property
    def is_mixed(self) -> bool:
        """Whether some of its words are written without capitals."""
        return any(word.raw.isalpha() and word.raw.islower() for word in self.words)

    @cached_property
    def _quotes(self) -> list[tuple[int, int]]:
        return [match.span() for match in _QUOTED.finditer(self.text)]

    def is_within_quotes(self, first: int, last: int) -> bool:
        """Whether these words are some, and not all, of what stands between quotation marks."""
        start, end = self.words[first].start, self.words[last].end
        at = bisect_left(self._quotes, (start,)) - 1
        if at < 0 or end >= self._quotes[at][1]:
            return False
        left, right = self._quotes[at]
        return self.text[left + 1 : right - 1].strip() != self.text[start:end]

    def gap(self, left: int, right: int) -> str:
        """The folded text between two words."""
        start = self.words[left].end if left >= 0 else 0
        end = self.words[right].start if right < len(self.words) else len(self.text)
        return self.folded[start:end]

    def before(self, first: int, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Where a pattern that ends in ``$`` is found right before a word."""
        return ending_at(pattern, self.folded, self.words[first].start)

    def is_joined(self, left: int, right: int) -> bool:
        """Whether nothing but spaces and hyphens stands between two neighbouring words."""
        return 0 <= left < right < len(self.words) and not self.gap(left, right).strip(" -_/\"'“”’s")

    def backwards(self, position: int, breaks: str) -> Iterator[tuple[int, str]]:
        """The words before a place, the nearest first, up to a mark of punctuation; with their places."""
        for at in range(position - 1, -1, -1):
            if any(mark in self.gap(at, at + 1) for mark in breaks):
                return
            yield at, self.words[at].norm
