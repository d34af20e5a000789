""" "Either from Acme or signed by Osei", "written by Osei or about Acme": one of two conditions will do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from retrieve.filters import Filter, HasId
from retrieve.self_query.catalog import Field
from retrieve.self_query.lexicon import field_words, plain_words
from retrieve.self_query.plan import Finding
from retrieve.self_query.question import Question

LONGEST_GAP = 80
"""Characters between two conditions of which one will do."""
_EITHER = re.compile(r"(?<![^\W_])(?:either|entweder|soit|o bien)(?![^\W_])")
_OR = re.compile(r"(?<![^\W_])(?:or|oder|ou|o)(?![^\W_])")
_BREAK = re.compile(r"[,;:.!?]")


def either_or(question: Question, findings: list[Finding], fields: Sequence[Field]) -> list[Finding]:
    """The findings with those joined of which the question wants one or the other, on different fields."""
    opening = _EITHER.search(question.folded)
    for left, right in pairwise(findings):
        gap = (left.spans[-1][1], right.spans[0][0])
        if not (_joins(question, gap) and _differ(left, right)):
            continue
        if (opening and opening.end() <= left.spans[0][0]) or _says_little(question, gap, fields):
            joined = _joined(left, right)
            return [joined if finding is left else finding for finding in findings if finding is not right]
    return findings


def _joins(question: Question, gap: tuple[int, int]) -> bool:
    text = question.folded[slice(*gap)]
    return 0 < len(text) <= LONGEST_GAP and bool(_OR.search(text)) and not _BREAK.search(text)


def _differ(left: Finding, right: Finding) -> bool:
    keys = [_key(finding) for finding in (left, right)]
    return None not in keys and keys[0] != keys[1] and not (left.negated or right.negated)


def _key(finding: Finding) -> str | None:
    condition = finding.condition
    return None if isinstance(condition, Filter | HasId) else condition.key


def _says_little(question: Question, gap: tuple[int, int], fields: Sequence[Field]) -> bool:
    """Whether nothing but function words, verbs, names of fields and kinds of documents stands there.

    "By Osei on pumps or valves since March" is no choice between Osei and March.
    """
    known, told = plain_words(), field_words()
    light = known.empty | known.in_lists | known.comparing | known.subject_verbs | told.documents
    return all(
        word in light or told.groups_of(word) or any(field.named_by(word) == 1 for field in fields)
        for word in map(question.norm, question.within(*gap))
    )


def _joined(left: Finding, right: Finding) -> Finding:
    return Finding(
        Filter(should=(left.condition, right.condition)),
        (*left.spans, *right.spans),
        min(left.confidence, right.confidence),
        f"{left.reason} or {right.reason}",
    )
