"""Giving up conditions on purpose: when what they leave says nothing about the question.

A question may be read too narrowly: a date that was meant loosely, a name that was the subject. If no
passage that fulfils all conditions is evidence for an answer, they are widened and dropped one by one,
the least certain first, until one is; the plan says which and why. If nothing helps, the plan stays as
it was, and finds nothing. What the caller or the visibility rules demand is never touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from retrieve.filters import Range
from retrieve.self_query.plan import Finding, QueryPlan, Relaxed

NOTHING = "no passage that fulfils it is about the question"
ELSEWHERE = "passages without it say more about the question"
SOFT_MARGIN = 0.12
"""Evidence by which passages that lack a topic must be ahead for the topic to be given up. On the handbook's
golden set conditions on tags that were wrong were behind by 0.15 and more, right ones by 0.11 at most."""
ONE_BY_ONE = 12
"""Conditions that are given up one at a time, with a search each; what is left then goes at once."""


def without_topics(plan: QueryPlan) -> QueryPlan | None:
    """The plan without its conditions on topics; None when it has none.

    A question about a port that is in use may well be answered on a page that lacks the tag "port".
    """
    kept = tuple(finding for finding in plan.findings if not finding.soft)
    if len(kept) == len(plan.findings):
        return None
    dropped = tuple(Relaxed(finding, "dropped", ELSEWHERE) for finding in plan.findings if finding.soft)
    return replace(plan, findings=kept, relaxed=(*plan.relaxed, *dropped), listing=False)


def relaxations(plan: QueryPlan) -> Iterator[QueryPlan]:
    """Plans with ever fewer conditions, the least certain given up first."""
    current = replace(plan, listing=False)
    order = sorted(plan.findings, key=lambda item: item.confidence)
    for finding in order[:ONE_BY_ONE]:
        wider = widened(finding)
        if wider is not None:
            note = Relaxed(finding, "widened", NOTHING)
            yield replace(
                current,
                findings=tuple(wider if item is finding else item for item in current.findings),
                relaxed=(*current.relaxed, note),
            )
        current = replace(
            current,
            findings=tuple(item for item in current.findings if item is not finding),
            relaxed=(*current.relaxed, Relaxed(finding, "dropped", NOTHING)),
        )
        yield current
    if rest := order[ONE_BY_ONE:]:
        dropped = tuple(Relaxed(finding, "dropped", NOTHING) for finding in rest)
        yield replace(current, findings=(), relaxed=(*current.relaxed, *dropped))


def widened(finding: Finding) -> Finding | None:
    """A closed range of dates with as much room again on either side; None: it cannot be widened."""
    condition = finding.condition
    if finding.negated or not isinstance(condition, Range):
        return None
    first, stop = condition.gte, condition.lt
    if not (isinstance(first, datetime) and isinstance(stop, datetime)):
        return None
    try:
        room = stop - first
        wider = Range(condition.key, gte=first - room, lt=stop + room)
    except OverflowError:
        return None
    return replace(finding, condition=wider, reason=f"{finding.reason}, widened")
