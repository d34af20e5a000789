"""A question as the linker looks at it: its words, and what stands between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from retrieve.self_query.text import Word, fold, words

_QUOTED = re.compile(r"\"[^\"]+\"|“[^”]+”|«[^»]+»|„[^“”]+[“”]")
_ASKING = frozenset(
    ["what", "who", "whom", "whose", "when", "where", "why", "how", "which", "is", "are", "was", "were", "do", "does", "did", "has", "have", "had", "can", "could", "should", "would", "will", "was", "wer", "wann", "wo", "warum", "wie", "welche", "welcher", "hat", "ist", "qui", "que", "quoi", "quand", "comment", "pourquoi", "quel", "quelle", "est", "est-ce", "cual", "quien", "cuando", "donde", "como"]
)
POLITE = frozenset(["show", "me", "give", "find", "list", "get", "search", "look", "please", "hi", "hello", "hey", "dear", "all", "need", "want", "would", "like", "could", "you", "send", "i", "am", "looking", "for", "after"])  # fmt: skip


@dataclass(frozen=True)
class Question:
    """A question, ready to be linked."""

    text: str

    @cached_property
    def folded(self) -> str:
        return fold(self.text)

    @cached_property
    def words(self) -> list[Word]:
        return words(self.text)

    @cached_property
    def asks(self) -> bool:
        """Whether it is a sentence that asks, and no list of keywords or a request for documents."""
        first = next((word.norm for word in self.words if word.norm not in POLITE), "")
        return first in _ASKING

    @cached_property
    def is_cased(self) -> bool:
        """Whether its writer cares for capitals."""
        return self.text[:1].isupper()

    @cached_property
    def is_mixed(self) -> bool:
        """Whether some words, but not all, are written with capitals."""
        raw = [word.raw for word in self.words if word.raw.isalpha()]
        return any(word.islower() for word in raw)

    def is_within_quotes(self, first: int, last: int) -> bool:
        """Whether these words are some, and not all, of what stands between quotation marks."""
        start, end = self.words[first].start, self.words[last].end
        return any(
            match.start() < start and end < match.end() and match[0][1:-1].strip() != self.text[start:end]
            for match in _QUOTED.finditer(self.text)
        )

    @cached_property
    def asks_how(self) -> bool:
        """Whether it asks for a fact of the matter: how, why, when, is it so."""
        first = next((word.norm for word in self.words if word.norm not in POLITE), "")
        return self.asks and first not in (
            "which",
            "what",
            "who",
            "whose",
            "was",
            "welche",
            "welcher",
            "welches",
            "wer",
            "quels",
            "quelles",
            "que",
            "qui",
            "cuales",
            "any",
            "has",
            "have",
        )

    def gap(self, left: int, right: int) -> str:
        """The folded text between two words."""
        start = self.words[left].end if left >= 0 else 0
        end = self.words[right].start if right < len(self.words) else len(self.text)
        return self.folded[start:end]

    def before(self, first: int) -> str:
        """The folded text before a word."""
        return self.folded[: self.words[first].start]

    def is_joined(self, left: int, right: int) -> bool:
        """Whether nothing but spaces and hyphens stands between two neighbouring words."""
        return 0 <= left < right < len(self.words) and not self.gap(left, right).strip(" -_/\"'“”’s")
