"""Which mentions of a question are conditions: those with enough support, none overlapping another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retrieve.self_query import weights
from retrieve.self_query.catalog import MAX_VALUE_WORDS
from retrieve.self_query.lexicon import field_words
from retrieve.self_query.lists import REACH, joined
from retrieve.self_query.mentions import Mention
from retrieve.self_query.question import Question
from retrieve.self_query.support import PLACES, support
from retrieve.self_query.weights import ENOUGH

_RANKS = {"exact": 5, "alias": 4, "name": 3, "part": 2, "initials": 1}


@dataclass(frozen=True)
class Scored:
    """A mention with its support."""

    mention: Mention
    score: float

    def order(self) -> tuple[int, bool, int, float]:
        """The better comes first: the longer, the one that is written right, the closer match."""
        here = self.mention
        return -here.length, here.typo, -_RANKS[here.how], -self.score


@dataclass(frozen=True)
class Readings:
    """What else a question's words were read as; they are values only where much speaks for it."""

    dates: Sequence[tuple[int, int]]
    """Parts of the text that are dates."""
    verbs: frozenset[int]
    """Places of words that tell what happened on a date: "closed last week"."""
    amounts: Mapping[int, int]
    """Characters of amounts with a comparison ("at least 10k"), and where the number itself begins."""
    measured: frozenset[int]
    """Places of words that name the field of such an amount: "a budget of more than 5 million"."""


def choose(question: Question, mentions: Sequence[Mention], readings: Readings) -> list[Scored]:
    """The mentions that are conditions, in the order in which they stand there."""
    kinds = frozenset(m.last for m in mentions if m.how == "exact" and m.field.role == "about")
    scored = [Scored(mention, support(question, mention, kinds)) for mention in mentions]
    choice = _Choice(question, sorted(scored, key=Scored.order), readings)
    choice.take_best()
    choice.take_listed()
    return sorted(choice.kept, key=lambda item: item.mention.first)


class _Choice:
    """Chooses among mentions that are given from the best on."""

    def __init__(self, question: Question, ranked: Sequence[Scored], readings: Readings) -> None:
        self.kept: list[Scored] = []
        self._question = question
        self._ranked = ranked
        self._readings = readings
        self._dated = {place for span in readings.dates for place in question.within(*span)}
        self._owners: dict[int, Mention] = {}
        """Places of words that kept mentions take."""
        self._beginning: dict[int, list[int]] = defaultdict(list)
        for rank, item in enumerate(ranked):
            self._beginning[item.mention.first].append(rank)

    def take_best(self) -> None:
        """Keeps what has enough support by itself."""
        for item in self._ranked:
            if item.score >= ENOUGH and self._is_free(item):
                self._keep(item)

    def take_listed(self) -> None:
        """Keeps what stands in a list with a mention that was kept: "open and in progress tickets"."""
        fresh = list(self.kept)
        while fresh:
            near = sorted({rank for item in fresh for rank in self._near(item.mention)})
            fresh = []
            for item in (self._ranked[rank] for rank in near):
                if self._is_free(item) and self._is_listed(item):
                    self._keep(item)
                    fresh.append(item)

    def _keep(self, item: Scored) -> None:
        self.kept.append(item)
        for place in range(item.mention.first, item.mention.last + 1):
            self._owners[place] = item.mention

    def _near(self, mention: Mention) -> list[int]:
        """The mentions that may stand in a list with one."""
        places = range(mention.first - REACH - MAX_VALUE_WORDS, mention.last + REACH + 2)
        return [rank for place in places for rank in self._beginning.get(place, ())]

    def _is_listed(self, item: Scored) -> bool:
        here = item.mention
        capital = any(word.is_name for word in self._question.at(here.first, here.last))
        if here.field.kinds & field_words().languages and item.score <= 0 and not capital:
            return False  # "en", "es" and "no" are codes of languages, and words
        places = (*range(here.first - REACH - 1, here.first), *range(here.last + 1, here.last + REACH + 2))
        others = [self._owners[place] for place in places if place in self._owners]
        added = max((joined(self._question, here, other) for other in others), default=0.0)
        return added > 0 and round(item.score + added, PLACES) >= ENOUGH

    def _is_free(self, item: Scored) -> bool:
        """Whether its words were not read as something else."""
        here, readings = item.mention, self._readings
        places = range(here.first, here.last + 1)
        if any(place in self._owners for place in places):
            return False
        if here.how == "part" and here.length == 1 and here.first in readings.measured:
            return False
        if here.how != "alias" and (self._is_amount(here) or self._names_another(here)):
            return False
        verb = here.length == 1 and here.first in readings.verbs
        if verb and item.score < ENOUGH + weights.OVER_VERB:
            return False
        dated = [place for place in places if place in self._dated]
        return not dated or item.score >= ENOUGH + weights.OVER_DATE or self._is_whole_name(here, dated)

    def _is_whole_name(self, mention: Mention, dated: Sequence[int]) -> bool:
        """ "June Atwood" is no month."""
        beyond = (mention.first - 1, mention.last + 1)
        return mention.how == "exact" and len(dated) < mention.length and self._dated.isdisjoint(beyond)

    def _names_another(self, mention: Mention) -> bool:
        """ "the Thesis project" names no folder of projects: the word says which field Thesis is of."""
        owners = (self._owners.get(place) for place in (mention.first - 1, mention.last + 1))
        word = self._question.norm(mention.first)
        return mention.length == 1 and any(
            owner is not None and owner.field is not mention.field and owner.field.named_by(word) == 1
            for owner in owners
        )

    def _is_amount(self, mention: Mention) -> bool:
        """ "at least 10k" names no form 10-K."""
        amounts, words = self._readings.amounts, self._question.words
        start, end = words[mention.first].start, words[mention.last].end
        return bool(amounts) and any(start <= amounts.get(at, -1) for at in range(start, end))
