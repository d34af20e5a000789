"""What a question wants first: "the latest", "the 5 cheapest", "most cited", "top 5 by rating".

An order is shown in the plan and filters nothing: a search by meaning has its own order, and which of
the two should win is for whoever asks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from retrieve.self_query.calendar_words import calendar_words
from retrieve.self_query.catalog import Catalog, Field
from retrieve.self_query.lexicon import plain_words
from retrieve.self_query.moments import main_moment
from retrieve.self_query.plan import Sort
from retrieve.self_query.question import Question

REACH = 3
"""Words after "most" or "highest" in which its field may be named."""
MOST = 1000
"""No more documents than this are a number of documents."""
_TOP = re.compile(r"(?<![^\W_])top\s+(\d{1,4})(?![^\W_])")
_BY = re.compile(r"(?<![^\W_])by\s+(?:the\s+|their\s+)?$")


def sort_of(question: Question, catalog: Catalog) -> Sort | None:
    """The order that a question asks for, if it does."""
    known = plain_words().orders
    for at, word in enumerate(question.words):
        recent = word.norm in known.recent and question.norm(at - 1) in known.most
        newest = word.norm in known.newest and not _tells_a_period(question, at)
        if newest or word.norm in known.oldest or recent:
            field = main_moment(question, at, catalog)
            if field is not None:
                return Sort(field.name, word.norm not in known.oldest, _limit(question, at))
        if word.norm in known.cheapest or word.norm in known.dearest:
            money = [field for field in _amounts(catalog) if field.dimension == "money"]
            if money:
                return Sort(money[0].name, word.norm in known.dearest, _limit(question, at))
        if (word.norm in known.most or word.norm in known.least) and question.norm(at - 1) != "at":
            joined = question.is_joined(at, at + 1)
            field = _named(question, range(at + 1, at + 1 + REACH), catalog) if joined else None
            if field is not None:
                return Sort(field.name, word.norm in known.most, _limit(question, at))
    return _top(question, catalog)


def _tells_a_period(question: Question, at: int) -> bool:
    """ "los últimos 3 meses" are a time, and no order."""
    units = calendar_words().unit_of
    return question.norm(at + 1) in units or (
        question.norm(at + 1).isdecimal() and question.norm(at + 2) in units
    )


def _top(question: Question, catalog: Catalog) -> Sort | None:
    """ "top 5 relishes by rating"."""
    match = _TOP.search(question.folded)
    if match is None:
        return None
    for at in range(len(question.words)):
        if question.words[at].start > match.end() and question.before(at, _BY):
            field = _named(question, range(at, at + 1), catalog)
            if field is not None:
                return Sort(field.name, True, int(match[1]))
    return None


def _limit(question: Question, at: int) -> int | None:
    """The number beside the word: "the 5 latest", "latest 5"."""
    for near in (at - 1, at + 1):
        text = question.norm(near)
        if text.isdecimal() and 0 < len(text) < 5 and 0 < int(text) <= MOST:
            return int(text)
    return None


def _named(question: Question, places: Sequence[int], catalog: Catalog) -> Field | None:
    """The number field that one of these words names, up to the next comma."""
    for at in places:
        if at > places[0] and not question.is_joined(at - 1, at):
            return None
        word = question.norm(at)
        for field in _amounts(catalog):
            if word and field.named_by(word):
                return field
    return None


def _amounts(catalog: Catalog) -> tuple[Field, ...]:
    return catalog.of_type("integer", "float")
