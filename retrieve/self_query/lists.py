"""Lists in a question: mentions that stand together, as in "open and in progress tickets"."""

from __future__ import annotations

from collections.abc import Sequence

from retrieve.self_query import weights
from retrieve.self_query.lexicon import plain_words
from retrieve.self_query.mentions import Mention
from retrieve.self_query.question import Question

REACH = 4
"""Words that may stand between two members of a list."""


def joined(question: Question, here: Mention, there: Mention) -> float:
    """What a condition nearby adds: in one list ("open and in progress"), or beside it ("Korean mains")."""
    if here.field is there.field:
        capital = any(word.is_name for word in question.at(here.first, here.last))
        loose = here.common and here.how == "part" and not (here.values[0][-1:].isdigit() or capital)
        return weights.LISTED if not loose and listed(question, here, there) else 0.0
    left, right = (here, there) if here.first < there.first else (there, here)
    beside = right.first == left.last + 1 and question.is_joined(left.last, right.first)
    return weights.BESIDE if beside and here.field.role == "about" else 0.0


def listed(question: Question, a: Mention, b: Mention) -> bool:
    """Whether nothing but the words of a list stands between two mentions."""
    left, right = (a, b) if a.first < b.first else (b, a)
    between = question.words[left.last + 1 : right.first]
    if right.first <= left.last or len(between) > REACH:
        return False
    gap = question.folded[question.words[left.last].end : question.words[right.first].start]
    if any(mark in gap for mark in ";:.?!"):
        return False
    known = plain_words()
    passed = all(word.norm in known.in_lists or left.field.named_by(word.norm) == 1 for word in between)
    return passed and (
        any(word.norm in known.connectors for word in between)
        or "as well as" in gap
        or gap.strip() in (",", "/", "&", "+")
    )


def means_either(question: Question, group: Sequence[Mention]) -> bool:
    """Whether the members of a list are alternatives: "a or b", "a/b"."""
    first, last = group[0].last, group[-1].first
    if any(word.norm in plain_words().alternatives for word in question.words[first + 1 : last]):
        return True
    return "/" in question.folded[question.words[first].end : question.words[last].start]
