"""Misspelt words of values: which word of a value a word of a question was meant to be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from rapidfuzz.distance import DamerauLevenshtein

from retrieve.self_query.lexicon import common_words
from retrieve.self_query.text import Word

MIN_TYPO, LONG_TYPO = 4, 8
"""Letters of a word in which one, or two, may be wrong."""
LONG_NAME = 6
"""Names longer than this may be the beginning of a value's word, or begin with one."""
FREQUENT = 16_000
"""Names may be rarer words of the language than this and misspelt all the same."""


class Spelling:
    """Corrects words to the words of values."""

    def __init__(self, words: Iterable[str], ranks: Mapping[str, int]) -> None:
        """``ranks``: words of the language, folded, by how frequent they are: no misspelt values."""
        self._words = frozenset(words)
        self._ranks = ranks
        self._alike: dict[tuple[str, int], list[str]] = defaultdict(list)
        for word in self._words:
            if len(word) >= MIN_TYPO:
                self._alike[word[0], len(word)].append(word)

    def corrected(self, word: Word) -> str:
        """The stem of the value's word that this one seems to be, or its own."""
        own = word.stem
        if not self._may_be_misspelt(word):
            return own
        allowed = 2 if len(own) >= LONG_TYPO else 1
        best, fewest = own, allowed + 1
        for other in self._candidates(own, allowed):
            begins = other.startswith(own) or own.startswith(other)
            if begins and not (_is_doubled(own, other) or (word.is_name and len(own) > LONG_NAME)):
                continue  # another form of a word, or another word
            distance = DamerauLevenshtein.distance(own, other, score_cutoff=allowed)
            if distance <= allowed and (distance, other) < (fewest, best):
                best, fewest = other, distance
        return best

    def _may_be_misspelt(self, word: Word) -> bool:
        own = word.stem
        if len(own) < MIN_TYPO or own in self._words or not own.isalpha():
            return False
        if own in common_words() or word.norm in common_words():
            return False
        rank = self._ranks.get(word.norm)
        return rank is None or (rank >= FREQUENT and word.is_name)

    def _candidates(self, own: str, allowed: int) -> Iterable[str]:
        """Words of nearly that length; the first letter is right, or swapped with the second."""
        swapped = own[1::-1]
        for length in range(len(own) - allowed, len(own) + allowed + 1):
            yield from self._alike.get((own[0], length), ())
            if swapped[0] != own[0]:
                yield from (w for w in self._alike.get((swapped[0], length), ()) if w.startswith(swapped))


def _is_doubled(one: str, other: str) -> bool:
    """Whether one has its last letter twice: "recal", "telegramm"."""
    shorter, longer = sorted((one, other), key=len)
    return shorter + shorter[-1] == longer
