"""Provenance: which characters of which passage the answer shares, token by token.

Every emitted token walks a suffix automaton of the passages, whether it was drafted or not, so
what is found depends on the answer alone. A copied run of tokens becomes a `Quote`: a span of a
passage that stands in the answer to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from generate.automaton import Match, SuffixAutomaton
from generate.prompt import PassageTokens

_WORD = re.compile(r"\w+")
_TELLING = re.compile(r"\w*\d\w*|\w*_\w*|\w{4,}")


@dataclass(frozen=True)
class Quote:
    """Text that a passage and the answer share: ``passage_text[start:end]``.

    ``at`` is where it stands in the answer's raw text, in characters.
    """

    passage: int
    start: int
    end: int
    at: int

    @property
    def length(self) -> int:
        return self.end - self.start


class Evidence:
    """The passages of one request as one token sequence, and the automaton over it.

    Passages are set apart by ids that no token has, so no match runs from one into the next.
    """

    def __init__(self, texts: Sequence[str], tokens: Sequence[PassageTokens]) -> None:
        self.texts = list(texts)
        self._tokens = list(tokens)
        self._origin: list[tuple[int, int]] = []
        self.automaton = SuffixAutomaton()
        for passage, part in enumerate(self._tokens):
            for index, token in enumerate([*part.ids, -1 - passage]):
                self.automaton.extend(token)
                self._origin.append((passage, index))

    def spans(self, match: Match, length: int) -> list[tuple[int, int, int]]:
        """Where the last ``length`` tokens of a match stand: (passage, start, end) in characters."""
        found = []
        for position in self.automaton.occurrences(match):
            passage, last = self._origin[position]
            offsets = self._tokens[passage].offsets
            found.append((passage, offsets[last - length + 1][0], offsets[last][1]))
        return found


@dataclass(frozen=True)
class _Step:
    match: Match
    end: int
    """Length of the raw text once this token was decoded."""


class Tracer:
    """Follows an answer as it is written and finds what each of its sentences quotes."""

    def __init__(self, evidence: Evidence, min_words: int) -> None:
        self._evidence = evidence
        self._min_words = min_words
        self._match = Match()
        self._steps: list[_Step] = []
        self.text = ""
        """The raw text so far."""

    def push(self, token: int, piece: str) -> None:
        """Take in a token and the text that it completed."""
        self._match = self._evidence.automaton.follow(self._match, token)
        self.text += piece
        self._steps.append(_Step(self._match, len(self.text)))

    def quotes(self, begin: int, end: int, preferred: frozenset[int] = frozenset()) -> list[Quote]:
        """The quotes in ``text[begin:end]``, longest first, none overlapping another.

        Where several passages hold the same words, ``preferred`` ones come first, then the
        higher ranked.
        """
        found = [
            quote for run in self._runs(begin, end) if (quote := self._quote(*run, begin, end, preferred))
        ]
        chosen: list[Quote] = []
        for quote in sorted(found, key=lambda quote: (-quote.length, quote.at)):
            if all(quote.at + quote.length <= q.at or q.at + q.length <= quote.at for q in chosen):
                chosen.append(quote)
        return chosen

    def _runs(self, begin: int, end: int) -> list[tuple[Match, int, int]]:
        """Maximal copied runs among the tokens of a range: (match, tokens, end in the raw text)."""
        inside = [step for step in self._steps if begin < step.end <= end]
        lengths = [min(step.match.length, index + 1) for index, step in enumerate(inside)]
        return [
            (step.match, lengths[index], step.end)
            for index, step in enumerate(inside)
            if lengths[index] and (index + 1 == len(inside) or lengths[index + 1] <= lengths[index])
        ]

    def _quote(
        self, match: Match, tokens: int, stop: int, begin: int, end: int, preferred: frozenset[int]
    ) -> Quote | None:
        """The run as a quote of whole words, or None if it says too little.

        The first token of a run may hold a leading space that another passage with the same words
        lacks, so places of the run without it count as well; the most characters win.
        """
        found = []
        for length in range(max(1, tokens - 1), tokens + 1):
            for passage, _, last in self._evidence.spans(Match(match.state, length), length):
                source = self._evidence.texts[passage]
                shared = _align(source, last, self.text[begin:end], stop - begin)
                if shared is not None:
                    start, finish, at = _whole_words(source, *shared)
                    found.append(Quote(passage, start, finish, begin + at))
        if not found:
            return None
        best = min(found, key=lambda quote: (-quote.length, quote.passage not in preferred, quote.passage))
        words = _WORD.findall(self._evidence.texts[best.passage][best.start : best.end])
        telling = [word for word in words if _TELLING.fullmatch(word)]
        return best if len(words) >= self._min_words and len(telling) >= 2 else None


def _align(source: str, finish: int, text: str, stop: int) -> tuple[int, int, int] | None:
    """Grow the common text around a run's end as far as the characters agree.

    Token boundaries differ at a run's edges (a leading space, half a word), characters tell.

    Returns:
        (start, end) in the source and the start in the text, or None where nothing agrees.
    """
    while finish > 0 and stop > 0 and source[finish - 1] != text[stop - 1]:
        # The last token's characters may be cut (half a character) or lead by a space.
        if text[stop - 1].isspace():
            stop -= 1
        elif source[finish - 1].isspace():
            finish -= 1
        else:
            return None
    start, at = finish, stop
    while start > 0 and at > 0 and source[start - 1] == text[at - 1]:
        start, at = start - 1, at - 1
    while finish < len(source) and stop < len(text) and source[finish] == text[stop]:
        finish, stop = finish + 1, stop + 1
    return (start, finish, at) if finish > start else None


def _whole_words(source: str, start: int, end: int, at: int) -> tuple[int, int, int]:
    """Cut half words and surrounding space off a span."""
    begin = start
    while start < end and start > 0 and _splits_word(source, start):
        start += 1
    while end > start and end < len(source) and _splits_word(source, end):
        end -= 1
    text = source[start:end]
    start += len(text) - len(text.lstrip())
    end -= len(text) - len(text.rstrip())
    return start, max(start, end), at + start - begin


def _splits_word(source: str, position: int) -> bool:
    return bool(re.match(r"\w", source[position - 1]) and re.match(r"\w", source[position]))
