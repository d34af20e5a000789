"""Values of fields that a question mentions: exactly, by an alias, by a part, by initials, with a typo.

Says where a value is mentioned and how well it matches; whether the mention is a condition is decided
elsewhere (`support`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rapidfuzz.distance import DamerauLevenshtein

from retrieve.self_query.catalog import MAX_VALUE_WORDS, Catalog, Field
from retrieve.self_query.text import Word, common_words, is_common, stem, stems

How = Literal["exact", "alias", "part", "initials"]
Key = tuple[str, ...]

_SMALL_WORDS = frozenset(
    ["of", "and", "the", "for", "a", "an", "on", "in", "at", "to", "de", "la", "le", "du", "des", "und", "der", "die", "das", "and", "y", "e", "dr", "mr", "mrs", "ms", "prof", "st", "sir"]
)
_SUFFIXES = frozenset(
    ["inc", "corp", "corporation", "ltd", "llc", "gmbh", "ag", "plc", "co", "company", "sa", "se", "holding", "holdings", "group"]
)
MIN_TYPO, LONG_TYPO = 4, 8
"""Letters of a word in which one, or two, may be wrong."""
FREQUENT = 16_000
"""Names may be rarer words of the language than this and misspelt all the same."""


@dataclass(frozen=True)
class Mention:
    """Words ``first`` to ``last`` (inclusive) of a question that mean values of one field."""

    first: int
    last: int
    field: Field
    values: tuple[str, ...]
    how: How
    typo: bool = False
    common: bool = False
    """Nothing but common words: the mention may be no name at all."""

    @property
    def length(self) -> int:
        return self.last - self.first + 1


class ValueIndex:
    """Finds the values of a catalog in questions."""

    def __init__(self, catalog: Catalog, ranks: Mapping[str, int]) -> None:
        """``ranks``: words of the language, folded, by how frequent they are: no misspelt values."""
        self._ranks = ranks
        self._whole: dict[Key, list[tuple[Field, str]]] = defaultdict(list)
        self._aliases: dict[Key, list[tuple[Field, str]]] = defaultdict(list)
        self._parts: dict[Key, list[tuple[Field, str]]] = defaultdict(list)
        self._initials: dict[str, list[tuple[Field, str]]] = defaultdict(list)
        self._by_length: dict[int, set[str]] = defaultdict(set)
        for field in catalog.of_type("keyword"):
            for value in field.values:
                self._add(field, value)
            for alias, value in field.value_aliases:
                if key := stems(alias):
                    self._aliases[key].append((field, value))
        self._words = {word for key in self._whole for word in key} | {
            w for key in self._aliases for w in key
        }
        for word in self._words:
            self._by_length[len(word)].add(word)

    def _add(self, field: Field, value: str) -> None:
        key = stems(value)
        if not key or len(key) > MAX_VALUE_WORDS:
            return
        self._whole[key].append((field, value))
        bare = tuple(word for word in key if word not in _SMALL_WORDS)
        if len(bare) > 1 and bare != key:
            self._whole[bare].append((field, value))
        if field.role == "title":
            return
        for length in range(1, len(key)):
            for start in range(len(key) - length + 1):
                part = key[start : start + length]
                if not set(part) <= _SMALL_WORDS | _SUFFIXES | set(map(stem, field.words)):
                    self._parts[part].append((field, value))
        for initials in {_initials(key, with_small=True), _initials(key, with_small=False)}:
            if len(initials) > 1:
                self._initials[initials].append((field, value))

    def find(self, question: Sequence[Word]) -> list[Mention]:
        """All mentions; they may overlap, but for parts of what a longer one says exactly."""
        found: list[Mention] = []
        keys = [word.stem for word in question]
        fixed = [self._corrected(word) for word in question]
        for first in range(len(keys)):
            for last in range(first, min(len(keys), first + MAX_VALUE_WORDS)):
                found += self._at(question, keys, fixed, first, last)
            found += self._by_initials(question, first)
        whole = [m for m in found if m.how in ("exact", "alias") and m.length > 1 and not m.typo]
        return [m for m in found if not any(_within(m, longer) for longer in whole)]

    def _at(
        self, question: Sequence[Word], keys: Sequence[str], fixed: Sequence[str], first: int, last: int
    ) -> list[Mention]:
        place = slice(first, last + 1)
        here = question[place]
        common = is_common(here)
        plain = len(here) == 1 and not here[0].is_name and self._ranks.get(here[0].norm, FREQUENT) < FREQUENT
        key = tuple(keys[place])
        found = _mentions(first, last, self._whole.get(key, ()), "exact", common)
        found += _mentions(first, last, self._aliases.get(key, ()), "alias", common)
        whole = {(mention.field.name) for mention in found}
        parts = [hit for hit in self._parts.get(key, ()) if hit[0].name not in whole]
        found += _mentions(first, last, parts, "part", common or plain)
        if first < last and not found and (joined := self._whole.get(("".join(key),))):
            found += _mentions(first, last, joined, "exact", False)  # "lena weber" is lenaweber
        key = tuple(fixed[place])
        short = first == last and len(question[first].norm) == MIN_TYPO
        if not found and not short and key != tuple(keys[place]):
            kinds: tuple[tuple[How, dict[Key, list[tuple[Field, str]]]], ...]
            kinds = (("exact", self._whole), ("alias", self._aliases), ("part", self._parts))
            how, hits = next(((how, table[key]) for how, table in kinds if key in table), ("part", []))
            common = all(word in common_words() for word in key)
            found += [replace(m, typo=True) for m in _mentions(first, last, hits, how, common)]
        return found

    def _by_initials(self, question: Sequence[Word], at: int) -> list[Mention]:
        word = question[at]
        shouted = word.raw.isupper() or (len(word.norm) > 2 and word.norm not in common_words())
        if not shouted or len(word.norm) < 2 or not word.norm.isalpha():
            return []
        return _mentions(at, at, self._initials.get(word.norm, ()), "initials", False)

    def _corrected(self, word: Word) -> str:
        """The stem of the value's word that this one seems to be, or its own."""
        own = word.stem
        if len(own) < MIN_TYPO or own in self._words or not own.isalpha():
            return own
        if own in common_words() or word.norm in common_words():
            return own
        rank = self._ranks.get(word.norm)
        if rank is not None and (rank < FREQUENT or not word.is_name):
            return own
        allowed = 2 if len(own) >= LONG_TYPO else 1
        best: tuple[int, str] | None = None
        for length in range(len(own) - allowed, len(own) + allowed + 1):
            for other in self._by_length.get(length, ()):
                if other[0] != own[0] and other[:2] != own[1::-1]:
                    continue  # people hardly ever get the first letter wrong
                if (other.startswith(own) or own.startswith(other)) and not (word.is_name and len(own) > 6):
                    continue  # another form of a word, or another word
                distance = DamerauLevenshtein.distance(own, other, score_cutoff=allowed)
                if distance <= allowed and len(other) >= MIN_TYPO:
                    best = min(best, (distance, other)) if best else (distance, other)
        return best[1] if best else own


def _within(mention: Mention, longer: Mention) -> bool:
    return mention.length < longer.length and longer.first <= mention.first and mention.last <= longer.last


def _mentions(
    first: int, last: int, hits: Sequence[tuple[Field, str]], how: How, common: bool
) -> list[Mention]:
    grouped: dict[str, tuple[Field, set[str]]] = {}
    for field, value in hits:
        grouped.setdefault(field.name, (field, set()))[1].add(value)
    return [
        Mention(first, last, field, tuple(sorted(values)), how, common=common)
        for field, values in grouped.values()
    ]


def _initials(key: Key, *, with_small: bool) -> str:
    return "".join(word[0] for word in key if (with_small or word not in _SMALL_WORDS))
