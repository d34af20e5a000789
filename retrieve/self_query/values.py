"""The conditions that chosen mentions of values make: equal, any of several, none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from retrieve.filters import Condition, MatchAny, MatchValue
from retrieve.self_query.catalog import Field
from retrieve.self_query.choice import Scored
from retrieve.self_query.lists import listed, means_either
from retrieve.self_query.negation import is_negated_after, negator_before
from retrieve.self_query.plan import Finding
from retrieve.self_query.question import Question


def value_findings(question: Question, chosen: Sequence[Scored]) -> list[Finding]:
    """The findings of mentions, which are given in the order in which they stand in the question."""
    by_field: dict[Field, list[Scored]] = {}
    for item in chosen:
        by_field.setdefault(item.mention.field, []).append(item)
    found: list[Finding] = []
    for field, items in by_field.items():
        made = [
            finding for group in _groups(question, items) for finding in _findings(question, group, field)
        ]
        found += made if field.is_list else _united(made, field)
    return found


def _groups(question: Question, items: Sequence[Scored]) -> list[list[Scored]]:
    """One field's mentions as lists of those that stand together."""
    groups: list[list[Scored]] = []
    for item in items:
        if groups and listed(question, groups[-1][-1].mention, item.mention):
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def _findings(question: Question, group: Sequence[Scored], field: Field) -> list[Finding]:
    """A list's findings, which all have to hold: "a and b" of a list field are two."""
    negator = negator_before(question, group[0].mention.first, field)
    both = field.is_list and negator is None
    if both and not means_either(question, [item.mention for item in group]):
        return [_finding(question, [item], field, negator) for item in group]
    return [_finding(question, group, field, negator)]


def _finding(question: Question, group: Sequence[Scored], field: Field, negator: int | None) -> Finding:
    mentions = [item.mention for item in group]
    values = sorted({value for mention in mentions for value in mention.values})
    spans = [(question.words[m.first].start, question.words[m.last].end) for m in mentions]
    negated = negator is not None or is_negated_after(question, mentions[0].first, mentions[-1].last)
    if negator is not None:
        spans[0] = (question.words[negator].start, spans[0][1])
    said = ", ".join(f"“{question.text[start:end]}”" for start, end in spans)
    reason = f"{field.name} {'is not' if negated else 'is'} {' or '.join(values)}: {said}"
    sure = min(item.score for item in group)
    return Finding(_condition(field, values), tuple(spans), sure, reason, negated=negated)


def _united(findings: Sequence[Finding], field: Field) -> list[Finding]:
    """A field that holds one value cannot be two: mentions far apart ("A's ... and B's") mean either."""
    wanted = [finding for finding in findings if not finding.negated]
    if len(wanted) < 2:
        return list(findings)
    values = sorted({value for finding in wanted for value in _values(finding.condition)})
    united = replace(
        wanted[0],
        condition=_condition(field, values),
        spans=tuple(span for finding in wanted for span in finding.spans),
        confidence=min(finding.confidence for finding in wanted),
        reason=" or ".join(finding.reason for finding in wanted),
    )
    return [united, *(finding for finding in findings if finding.negated)]


def _condition(field: Field, values: Sequence[str]) -> Condition:
    return MatchValue(field.name, values[0]) if len(values) == 1 else MatchAny(field.name, tuple(values))


def _values(condition: Condition) -> Sequence[str]:
    if isinstance(condition, MatchValue):
        return [str(condition.value)]
    return list(map(str, condition.values)) if isinstance(condition, MatchAny) else []
