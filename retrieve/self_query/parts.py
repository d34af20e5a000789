"""Questions with parts: "compare A's and B's" wants passages of both, not the best of either.

Each part is searched for by itself, and the results take turns, so that none is crowded out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import TypeVar

from retrieve.filters import Filter, MatchAny, MatchValue
from retrieve.self_query.plan import QueryPlan, filter_of
from retrieve.self_query.text import fold

MOST = 4
"""Parts of a question; more values than that are searched for together."""
_BOTH = re.compile(
    r"(?<![^\W_])(?:compare[sd]?|comparing|comparison|versus|vs|both|between|differ(?:s|ence|ences|ent)?|contrast|"
    r"vergleich\w*|unterschied\w*|beide\w*|compar\w*|difference\w*)(?![^\W_])"
)
T = TypeVar("T")


def parts_of(plan: QueryPlan) -> list[Filter]:
    """The filters of a question's parts; empty when it has one part only."""
    if not _BOTH.search(fold(plan.question)):
        return []
    for finding in plan.findings:
        condition = finding.condition
        if isinstance(condition, MatchAny) and not finding.negated and 2 <= len(condition.values) <= MOST:
            filters = []
            for value in condition.values:
                single = replace(finding, condition=MatchValue(condition.key, value))
                found = filter_of([single if item is finding else item for item in plan.findings])
                assert found is not None
                filters.append(found)
            return filters
    return []


def take_turns(lists: Sequence[Iterable[T]]) -> list[T]:
    """The first of each, then the second of each, and so on."""
    missing = object()
    return [item for row in zip_longest(*lists, fillvalue=missing) for item in row if item is not missing]  # type: ignore[misc]
