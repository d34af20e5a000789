"""The linker: reads conditions out of a question without a model.

It compares the question's words with the fields and the values that a caller may see, reads dates and
numbers, and keeps what the words around them support. What it is not sure of stays in the search.

    plan = Linker(catalog).read("articles by Osei on pumps since March", date(2026, 5, 14))
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType

from retrieve.filters import Condition, Filter, MatchAny, MatchValue
from retrieve.self_query.amounts import fits_another, number_findings
from retrieve.self_query.catalog import Catalog, Field
from retrieve.self_query.dates import DateSpan, read_dates
from retrieve.self_query.flags import bool_findings, empty_findings
from retrieve.self_query.lexicon import DOCUMENTS
from retrieve.self_query.mentions import Mention, ValueIndex
from retrieve.self_query.moments import date_findings, verbs_of_dates
from retrieve.self_query.negation import is_negated_after, negator_before
from retrieve.self_query.numbers import read_numbers
from retrieve.self_query.plan import Finding, QueryPlan
from retrieve.self_query.question import Question
from retrieve.self_query.support import ENOUGH, support
from retrieve.self_query.text import clean, common_words, words

_CONNECTORS = frozenset(["or", "and", "and/or", "nor", "&", "oder", "und", "et", "ou", "y", "o"])
_BETWEEN_MEMBERS = _CONNECTORS | frozenset(
    ["the", "a", "an", "by", "from", "in", "of", "tagged", "both", "either", "neither", "with", "not"]
)
_RANKS = {"exact": 4, "alias": 3, "part": 2, "initials": 1}
_NO_RANKS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class _Scored:
    mention: Mention
    score: float


class Linker:
    """Reads questions over one catalog; several threads may use it."""

    def __init__(self, catalog: Catalog, ranks: Mapping[str, int] = _NO_RANKS) -> None:
        self._catalog = catalog
        self._index = ValueIndex(catalog, ranks)

    def read(self, text: str, today: date) -> QueryPlan:
        """The plan for a question."""
        question = Question(clean(text))
        findings = self.findings(question, today)
        return QueryPlan(question.text, self._semantic(question, findings), tuple(findings))

    def _semantic(self, question: Question, findings: Sequence[Finding]) -> str:
        """The question without what only a filter can answer: dates, amounts, authors, what is not wanted.

        A value that documents are about stays: it helps to find the passage in them.
        """
        roles = {field.name: field.role for field in self._catalog.fields}
        gone: list[tuple[int, int]] = []
        for finding in findings:
            condition = finding.condition
            values = isinstance(condition, MatchValue | MatchAny) and isinstance(_first(condition), str)
            if finding.negated or not values or roles.get(condition.key) in ("agent", "source"):  # type: ignore[union-attr]
                gone += finding.spans
        return without(question, gone)

    def findings(self, question: Question, today: date) -> list[Finding]:
        """The conditions of a question, in the order in which they stand there."""
        dates = read_dates(question.folded, today)
        mentions = self._mentions(question, dates)
        taken = {i for item in mentions for i in range(item.mention.first, item.mention.last + 1)}
        dates = [span for span in dates if not self._covered(question, span.atom_start, span.end, taken)]
        amounts = self._catalog.of_type("integer", "float")
        dates = [span for span in dates if not (span.bare_year and self._is_amount(question, span, amounts))]
        places = [(span.start, span.end) for span in dates]
        places += [(question.words[i].start, question.words[i].end) for i in taken]
        numbers = read_numbers(question.folded, places)
        found = self._value_findings(question, mentions)
        found += date_findings(question, dates, self._catalog, today)
        found += number_findings(question, numbers, amounts)
        found += bool_findings(question, self._catalog.of_type("bool"), taken)
        found += empty_findings(question, self._catalog.fields, taken)
        return either_or(question, sorted(found, key=lambda finding: finding.spans[0]))

    def _is_amount(self, question: Question, span: DateSpan, fields: Sequence[Field]) -> bool:
        numbers = read_numbers(question.folded)
        here = [
            number for number in numbers if number.number_start < span.end and span.atom_start < number.end
        ]
        return any(fits_another(question, number, fields) for number in here)

    def _covered(self, question: Question, start: int, end: int, taken: set[int]) -> bool:
        return any(question.words[i].start < end and start < question.words[i].end for i in taken)

    def _mentions(self, question: Question, dates: Sequence[DateSpan]) -> list[_Scored]:
        """The mentions that are conditions, none overlapping another."""
        mentions = self._index.find(question.words)
        kinds = frozenset(m.last for m in mentions if m.how == "exact" and m.field.role == "about")
        scored = [_Scored(mention, support(question, mention, kinds)) for mention in mentions]
        scored.sort(key=lambda i: (-i.mention.length, i.mention.typo, -_RANKS[i.mention.how], -i.score))
        verbs = verbs_of_dates(question, dates, self._catalog)
        kept: list[_Scored] = []
        for item in scored:
            if item.score >= ENOUGH and self._is_free(question, item, kept, dates, verbs):
                kept.append(item)
        return self._with_chained(question, scored, kept, dates, verbs)

    def _is_free(
        self,
        question: Question,
        item: _Scored,
        kept: Sequence[_Scored],
        dates: Sequence[DateSpan],
        verbs: set[int],
    ) -> bool:
        here = item.mention
        rivals = [
            other.mention
            for other in kept
            if other.mention.first <= here.last and here.first <= other.mention.last
        ]
        if rivals:
            return False
        start, end = question.words[here.first].start, question.words[here.last].end
        if here.how != "alias" and any(
            number.cue and number.start < end and start < number.end and start <= number.number_start
            for number in read_numbers(question.folded)
        ):
            return False  # "at least 10k" names no form 10-K
        if here.length == 1 and here.first in verbs and item.score < ENOUGH + 0.9:
            return False
        in_date = any(span.atom_start < end and start < span.end for span in dates)
        return not in_date or item.score >= ENOUGH + 0.4

    def _with_chained(
        self,
        question: Question,
        scored: Sequence[_Scored],
        kept: list[_Scored],
        dates: Sequence[DateSpan],
        verbs: set[int],
    ) -> list[_Scored]:
        """Also the mentions that stand in a list with one that was kept: "open and in progress tickets"."""
        grown = True
        while grown:
            grown = False
            for item in scored:
                if item in kept or not self._is_free(question, item, kept, dates, verbs):
                    continue
                joined = max((_joined(question, item, other) for other in kept), default=0.0)
                if joined and item.score + joined >= ENOUGH:
                    kept.append(item)
                    grown = True
        return sorted(kept, key=lambda item: item.mention.first)

    def _value_findings(self, question: Question, kept: Sequence[_Scored]) -> list[Finding]:
        found: list[Finding] = []
        for field in dict.fromkeys(item.mention.field for item in kept):
            group: list[_Scored] = []
            groups = [group]
            for item in (item for item in kept if item.mention.field == field):
                if group and not _listed(question, group[-1].mention, item.mention):
                    group = []
                    groups.append(group)
                group.append(item)
            found += _conditions(question, [group for group in groups if group])
        return found


_EITHER = re.compile(r"(?<![^\W_])(?:either|entweder|soit|o bien)(?![^\W_])")
_OR = re.compile(r"(?<![^\W_])(?:or|oder|ou|o)(?![^\W_])")


def either_or(question: Question, findings: list[Finding]) -> list[Finding]:
    """ "Either from Acme or signed by Osei": one of two conditions on different fields."""
    match = _EITHER.search(question.folded)
    if match is None:
        return findings
    after = [finding for finding in findings if finding.spans[0][0] >= match.end()][:2]
    if len(after) < 2 or any(finding.negated for finding in after):
        return findings
    gap = question.folded[after[0].spans[-1][1] : after[1].spans[0][0]]
    if not _OR.search(gap) or re.search(r"[,;:.!?]", gap):
        return findings
    joined = Finding(
        Filter(should=(after[0].condition, after[1].condition)),
        (*after[0].spans, *after[1].spans),
        min(finding.confidence for finding in after),
        " or ".join(finding.reason for finding in after),
    )
    return [joined if finding is after[0] else finding for finding in findings if finding is not after[1]]


def _joined(question: Question, item: _Scored, other: _Scored) -> float:
    """What a condition nearby adds: the same list ("open and in progress"), or the next word ("Korean mains")."""
    here, there = item.mention, other.mention
    if here.field == there.field:
        loose = here.common and here.how == "part" and not here.values[0][-1:].isdigit()
        return 1.4 if not loose and _listed(question, here, there) else 0.0
    left, right = (here, there) if here.first < there.first else (there, here)
    beside = right.first == left.last + 1 and question.is_joined(left.last, right.first)
    return 0.4 if beside and here.field.role == "about" else 0.0


def _listed(question: Question, a: Mention, b: Mention) -> bool:
    """Whether nothing but the words of a list stands between two mentions."""
    left, right = (a, b) if a.first < b.first else (b, a)
    if right.first <= left.last:
        return False
    between = question.words[left.last + 1 : right.first]
    gap = question.folded[question.words[left.last].end : question.words[right.first].start]
    if len(between) > 4 or any(mark in gap for mark in ";:.?!"):
        return False
    passed = all(word.norm in _BETWEEN_MEMBERS or left.field.named_by(word.norm) == 1 for word in between)
    joined = any(word.norm in _CONNECTORS for word in between) or gap.strip() in (",", "/", "&")
    return passed and joined


def _conditions(question: Question, groups: Sequence[Sequence[_Scored]]) -> list[Finding]:
    """The findings of one field's mentions, given as lists of those that stand together."""
    found: list[Finding] = []
    for group in groups:
        field = group[0].mention.field
        negator = negator_before(question, group[0].mention.first, field)
        alternatives = _alternatives(question, group)
        for part in alternatives:
            found.append(_finding(question, part, negator))
    return found if field_is_list(groups) else _united(found)


def field_is_list(groups: Sequence[Sequence[_Scored]]) -> bool:
    """Whether the mentions' field holds several values a document."""
    return groups[0][0].mention.field.is_list


def _alternatives(question: Question, group: Sequence[_Scored]) -> list[list[_Scored]]:
    """A list's mentions as the conditions that all have to hold: "a and b" of a list field are two."""
    field = group[0].mention.field
    if not field.is_list or len(group) == 1:
        return [list(group)]
    first, last = group[0].mention.last, group[-1].mention.first
    between = {word.norm for word in question.words[first + 1 : last]}
    negated = negator_before(question, group[0].mention.first, field) is not None
    if (
        negated
        or between & {"or", "nor", "oder", "ou", "o"}
        or "/" in question.folded[question.words[first].end : question.words[last].start]
    ):
        return [list(group)]
    return [[item] for item in group]


def _finding(question: Question, group: Sequence[_Scored], negator: int | None) -> Finding:
    field = group[0].mention.field
    values = sorted({value for item in group for value in item.mention.values})
    condition: Condition = (
        MatchValue(field.name, values[0]) if len(values) == 1 else MatchAny(field.name, tuple(values))
    )
    spans = tuple((question.words[i.mention.first].start, question.words[i.mention.last].end) for i in group)
    negated = negator is not None or is_negated_after(
        question, group[0].mention.first, group[-1].mention.last
    )
    if negator is not None:
        spans = ((question.words[negator].start, spans[0][1]), *spans[1:])
    said = ", ".join(f"“{question.text[start:end]}”" for start, end in spans)
    word = "is not" if negated else "is"
    reason = f"{field.name} {word} {' or '.join(values)}: {said}"
    confidence = min(item.score for item in group)
    return Finding(condition, spans, confidence, reason, negated=negated)


def _united(findings: Sequence[Finding]) -> list[Finding]:
    """A field that holds one value cannot be two: mentions far apart ("A's ... and B's") mean either."""
    wanted = [finding for finding in findings if not finding.negated]
    if len(wanted) < 2:
        return list(findings)
    key = wanted[0].condition.key  # type: ignore[union-attr]
    values = sorted({value for finding in wanted for value in _values(finding.condition)})
    condition: Condition = MatchValue(key, values[0]) if len(values) == 1 else MatchAny(key, tuple(values))
    united = replace(
        wanted[0],
        condition=condition,
        spans=tuple(span for finding in wanted for span in finding.spans),
        confidence=min(finding.confidence for finding in wanted),
        reason=" or ".join(finding.reason for finding in wanted),
    )
    return [united, *(finding for finding in findings if finding.negated)]


def without(question: Question, places: Sequence[tuple[int, int]]) -> str:
    """The question without these places and the prepositions before them; the whole where little is left."""
    text = question.text
    for start, end in sorted(places, reverse=True):
        head = _PREPOSITION.sub("", text[:start])
        text = head.rstrip() + " " + re.sub(r"^['’]s(?![^\W_])", "", text[end:]).lstrip()
    left = words(text)
    telling = [w for w in left if w.norm not in common_words() and w.norm not in DOCUMENTS]
    return " ".join(text.split()) if telling else question.text.strip()


_PREPOSITION = re.compile(
    r"(?<![^\W_])(?:by|from|in|of|at|on|for|with|since|von|aus|im|par|de|por|written by)\s*$", re.I
)


def _first(condition: MatchValue | MatchAny) -> object:
    return condition.value if isinstance(condition, MatchValue) else next(iter(condition.values), None)


def _values(condition: Condition) -> tuple[str, ...]:
    if isinstance(condition, MatchValue):
        return (str(condition.value),)
    assert isinstance(condition, MatchAny)
    return tuple(str(value) for value in condition.values)
