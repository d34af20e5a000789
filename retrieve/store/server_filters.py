"""Filters as qdrant-client takes them."""

from __future__ import annotations

from typing import Any

from qdrant_client import models

from retrieve import filters
from retrieve.fields import field_path


def to_server(item: filters.Filter) -> models.Filter:
    """qdrant-client's form of a filter."""
    return models.Filter(
        must=[_condition(c) for c in item.must] or None,
        should=[_condition(c) for c in item.should] or None,
        must_not=[_condition(c) for c in item.must_not] or None,
    )


def _condition(item: filters.Condition) -> models.Condition:
    if isinstance(item, filters.Filter):
        return to_server(item)
    if isinstance(item, filters.HasId):
        return models.HasIdCondition(has_id=list(item.ids))
    key = field_path(item.key)
    if isinstance(item, filters.IsEmpty):
        return models.IsEmptyCondition(is_empty=models.PayloadField(key=key))
    if isinstance(item, filters.IsNull):
        return models.IsNullCondition(is_null=models.PayloadField(key=key))
    if isinstance(item, filters.Range):
        return models.FieldCondition(key=key, range=_range(item))
    if isinstance(item, filters.MatchValue):
        return models.FieldCondition(key=key, match=models.MatchValue(value=item.value))
    values: Any = list(item.values)
    if isinstance(item, filters.MatchAny):
        return models.FieldCondition(key=key, match=models.MatchAny(any=values))
    return models.FieldCondition(key=key, match=models.MatchExcept(**{"except": values}))


def _range(item: filters.Range) -> models.Range | models.DatetimeRange:
    moments: dict[str, Any] = {}
    numbers: dict[str, float] = {}
    for name, bound in item.bounds().items():
        if isinstance(bound, int | float):
            numbers[name] = float(bound)
        else:
            moments[name] = bound
    return models.DatetimeRange(**moments) if moments else models.Range(**numbers)
