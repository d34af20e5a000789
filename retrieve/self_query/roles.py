""" "Whether Osei wrote it or approved it": one person in either of two roles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from retrieve.filters import Condition, Filter, MatchAny, MatchValue
from retrieve.self_query.catalog import Field
from retrieve.self_query.leading import verbs_of
from retrieve.self_query.lexicon import field_words
from retrieve.self_query.mentions import Mention
from retrieve.self_query.plan import Finding
from retrieve.self_query.question import Question

SURE = 0.8
_EITHER = re.compile(
    r"(?<![^\W_])(?:either|whether|be it|no matter|regardless|entweder|ob|soit|ya sea)(?![^\W_])"
)
_AS_OR = re.compile(r"(?<![^\W_])as (?:the |an? )?[^\W_]+,? or (?:else )?as ")
_OR = frozenset(["or", "oder", "ou", "o", "soit"])


def role_findings(question: Question, mentions: Sequence[Mention]) -> list[Finding]:
    """Conditions on one value in one of two fields of persons, where the question names both roles."""
    opening = _EITHER.search(question.folded) or _AS_OR.search(question.folded)
    if opening is None:
        return []
    found: dict[tuple[int, int], Finding] = {}
    people = [mention for mention in mentions if mention.field.role == "agent"]
    for one, other in combinations(people, 2):
        place = (one.first, one.last)
        if place != (other.first, other.last) or one.values != other.values or place in found:
            continue
        if one.field is not other.field and _is_either(question, opening.start(), one, other):
            found[place] = _finding(question, one, other)
    return list(found.values())


def _is_either(question: Question, opening: int, one: Mention, other: Mention) -> bool:
    """Whether "or" stands between words that name the two roles, after "either" or the like."""
    joints = [at for at, word in enumerate(question.words) if word.norm in _OR and word.start > opening]
    first, second = list(_named(question, one)), list(_named(question, other))
    return any(
        (min(first, default=at) < at < max(second, default=at))
        or (min(second, default=at) < at < max(first, default=at))
        for at in joints
    )


def _named(question: Question, mention: Mention) -> Iterator[int]:
    """Places of words that name a mention's field, or what such a person does."""
    for at, word in enumerate(question.words):
        if not mention.first <= at <= mention.last and _names(word.norm, mention.field):
            yield at


def _names(word: str, field: Field) -> bool:
    return field.named_by(word) > 0 or bool(field_words().groups_of(word) & verbs_of(field))


def _finding(question: Question, one: Mention, other: Mention) -> Finding:
    conditions = tuple(_condition(mention) for mention in (one, other))
    span = (question.words[one.first].start, question.words[one.last].end)
    said = question.text[slice(*span)]
    reason = f"{one.field.name} or {other.field.name} is {' or '.join(one.values)}: “{said}”"
    return Finding(Filter(should=conditions), (span,), SURE, reason)


def _condition(mention: Mention) -> Condition:
    name, values = mention.field.name, mention.values
    return MatchValue(name, values[0]) if len(values) == 1 else MatchAny(name, values)
