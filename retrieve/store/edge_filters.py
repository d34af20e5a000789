"""Filters as Qdrant Edge takes them."""

from __future__ import annotations

from typing import Any, TypeAlias

import qdrant_edge as edge

from retrieve import filters
from retrieve.fields import field_path

EdgeCondition: TypeAlias = (
    edge.FieldCondition | edge.IsEmptyCondition | edge.IsNullCondition | edge.HasIdCondition | edge.Filter
)

TRUE_FIELDS, FALSE_FIELDS = "_dl.true", "_dl.false"
"""Lists of the user's fields that hold true (or false). Edge's Python binding reads a bool in a
match as an integer, so bools are matched by these keyword fields, which no payload read back shows."""


def to_edge(item: filters.Filter) -> edge.Filter:
    """Edge's form of a filter."""
    return edge.Filter(
        must=[_condition(c) for c in item.must] or None,
        should=[_condition(c) for c in item.should] or None,
        must_not=[_condition(c) for c in item.must_not] or None,
    )


def _condition(item: filters.Condition) -> EdgeCondition:
    if isinstance(item, filters.Filter):
        return to_edge(item)
    if isinstance(item, filters.HasId):
        return edge.HasIdCondition(set(item.ids))
    key = field_path(item.key)
    if isinstance(item, filters.IsEmpty):
        return edge.IsEmptyCondition(key)
    if isinstance(item, filters.IsNull):
        return edge.IsNullCondition(key)
    if isinstance(item, filters.Range):
        return edge.FieldCondition(key, range=_range(item))
    if isinstance(item, filters.MatchValue) and isinstance(item.value, bool):
        shadow = TRUE_FIELDS if item.value else FALSE_FIELDS
        return edge.FieldCondition(shadow, match=edge.MatchValue(item.key))
    return edge.FieldCondition(key, match=_match(item))


def _match(
    item: filters.MatchValue | filters.MatchAny | filters.MatchExcept,
) -> edge.MatchValue | edge.MatchAny | edge.MatchExcept:
    if isinstance(item, filters.MatchValue):
        return edge.MatchValue(item.value)
    values: Any = list(item.values)
    return edge.MatchAny(values) if isinstance(item, filters.MatchAny) else edge.MatchExcept(values)


def _range(item: filters.Range) -> edge.RangeFloat | edge.RangeDateTime:
    moments: dict[str, str] = {}
    numbers: dict[str, float] = {}
    for name, bound in item.bounds().items():
        if isinstance(bound, int | float):
            numbers[name] = float(bound)
        else:
            moments[name] = filters.rfc3339(bound)
    return edge.RangeDateTime(**moments) if moments else edge.RangeFloat(**numbers)
