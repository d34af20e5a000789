"""What a question was understood to mean: conditions, the words they come from, and what is left of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from retrieve.filters import Condition, Filter, MatchAny, MatchValue, keys_of, to_json


@dataclass(frozen=True)
class Finding:
    """One condition that a reader found in a question."""

    condition: Condition
    spans: tuple[tuple[int, int], ...]
    """Where in the question it stands: offsets in code points, of the value and of the words around it."""
    confidence: float
    """Comparable among the findings of one question; the least sure is relaxed first."""
    reason: str
    """For people: which words were read as what."""
    negated: bool = False
    reader: Literal["linker", "model"] = "linker"
    soft: bool = False
    """On a field of topics (a list, such as tags), of which documents seldom name all: see `relax`."""

    @property
    def keys(self) -> frozenset[str]:
        """The fields that it is about."""
        return frozenset(keys_of(Filter(must=(self.condition,))))


@dataclass(frozen=True)
class Sort:
    """That the newest, cheapest ... documents are wanted; shown to people, not part of the filter."""

    field: str
    descending: bool
    limit: int | None = None


@dataclass(frozen=True)
class Relaxed:
    """A condition that was given up because too little passed it."""

    finding: Finding
    action: Literal["dropped", "widened"]
    reason: str


@dataclass(frozen=True)
class QueryPlan:
    """How a question is searched for."""

    question: str
    semantic_query: str
    findings: tuple[Finding, ...] = ()
    sort: Sort | None = None
    relaxed: tuple[Relaxed, ...] = ()
    notes: tuple[str, ...] = field(default=())
    listing: bool = False
    """Nothing is left of the question but its conditions: what passes them is what it asks for."""
    topic: str = ""
    """The earlier question of a conversation that this one was read together with."""
    original: str = ""
    """The question as it was asked, where a chat model has rewritten it."""

    @property
    def filter(self) -> Filter | None:
        """The findings as one filter; None when there are none."""
        return filter_of(self.findings)

    def explanation(self) -> str:
        """One line for people."""
        if not (self.findings or self.relaxed or self.notes or self.topic or self.original):
            return "searched for the question as it was asked"
        none = "no condition was kept" if self.relaxed else "no condition was read out of it"
        parts = ["; ".join(finding.reason for finding in self.findings) or none]
        parts += [f"{item.action}: {item.finding.reason} ({item.reason})" for item in self.relaxed]
        parts += [f'read together with "{self.topic}"'] if self.topic else []
        parts += [f'read as "{self.question}"'] if self.original else []
        return "; ".join([*parts, *self.notes])

    def remarks(self) -> tuple[str, ...]:
        """What whoever asked should see of it beside the answer, a line each."""
        read = [f"read together with “{self.topic}”"] if self.topic else []
        read += [f"read as “{self.question}”"] if self.original else []
        read += [f"only where {'; '.join(f.reason for f in self.findings)}"] if self.findings else []
        return (*read, *(f"{item.action}: {item.finding.reason} ({item.reason})" for item in self.relaxed))

    def to_json(self) -> dict[str, Any]:
        """{semantic_query, filter, relaxed, explanation, spans, sort}: the form that ``--json`` prints."""
        where = self.filter
        plan: dict[str, Any] = {
            "semantic_query": self.semantic_query,
            "filter": to_json(where) if where else None,
            "relaxed": [
                {"condition": _shown(item.finding), "action": item.action, "reason": item.reason}
                for item in self.relaxed
            ],
            "explanation": self.explanation(),
        }
        plan["conditions"] = [
            {
                "condition": _shown(finding),
                "spans": [list(span) for span in finding.spans],
                "confidence": round(finding.confidence, 2),
                "reason": finding.reason,
                "reader": finding.reader,
            }
            for finding in self.findings
        ]
        if self.topic or self.original:
            plan["question"] = self.question  # which the spans count in
        if self.topic:
            plan["topic"] = self.topic
        if self.original:
            plan["original"] = self.original
        if self.sort:
            order = "desc" if self.sort.descending else "asc"
            plan["sort"] = {"field": self.sort.field, "order": order, "limit": self.sort.limit}
        return plan


def either_of(findings: Sequence[Finding]) -> Finding:
    """Findings that are alternatives ("2 or 3 bedrooms") as one; there has to be at least one."""
    first = findings[0]
    conditions = tuple(dict.fromkeys(finding.condition for finding in findings))
    condition: Condition = Filter(should=conditions) if len(conditions) > 1 else first.condition
    values = {item.value for item in conditions if isinstance(item, MatchValue)}
    if 1 < len(values) == len(conditions) and isinstance(first.condition, MatchValue):
        condition = MatchAny(first.condition.key, tuple(sorted(values)))
    spans = tuple(span for finding in findings for span in finding.spans)
    reason = " or ".join(finding.reason for finding in findings)
    return replace(first, condition=condition, spans=spans, reason=reason)


def filter_of(findings: Sequence[Finding]) -> Filter | None:
    """The filter that all findings together make; None when there are none."""
    must = tuple(dict.fromkeys(item.condition for item in findings if not item.negated))
    must_not = tuple(dict.fromkeys(item.condition for item in findings if item.negated))
    return Filter(must=must, must_not=must_not) if must or must_not else None


def _shown(finding: Finding) -> dict[str, Any]:
    where = filter_of([finding])
    assert where is not None
    return to_json(where)
