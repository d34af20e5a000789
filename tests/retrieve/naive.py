"""What a filter means, written down as plainly as possible: the oracle for both stores."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from retrieve.filters import (
    Condition,
    Filter,
    HasId,
    IsEmpty,
    IsNull,
    MatchAny,
    MatchExcept,
    MatchValue,
    Range,
)
from retrieve.schema import RESERVED_FIELDS


def passes(item: Condition, point: Mapping[str, Any]) -> bool:
    """Whether a point (its payload, and its ``id``) passes."""
    if isinstance(item, Filter):
        return (
            all(passes(c, point) for c in item.must)
            and (not item.should or any(passes(c, point) for c in item.should))
            and not any(passes(c, point) for c in item.must_not)
        )
    if isinstance(item, HasId):
        return point["id"] in item.ids
    value = point["_dl"].get(item.key[4:]) if item.key in RESERVED_FIELDS else point.get(item.key)
    if isinstance(item, IsEmpty):
        return value is None or value == []
    if isinstance(item, IsNull):
        there = item.key[4:] in point["_dl"] if item.key in RESERVED_FIELDS else item.key in point
        return there and value is None
    values = value if isinstance(value, list) else [] if value is None else [value]
    return any(_holds(item, v) for v in values)


def _holds(item: MatchValue | MatchAny | MatchExcept | Range, value: Any) -> bool:
    if isinstance(item, MatchValue):
        return bool(value == item.value)
    if isinstance(item, MatchAny):
        return value in item.values
    if isinstance(item, MatchExcept):
        return value not in item.values
    bounds = item.bounds()
    if any(isinstance(bound, datetime) for bound in bounds.values()):
        value = datetime.fromisoformat(value)
    holds = {
        "gt": lambda b: value > b,
        "gte": lambda b: value >= b,
        "lt": lambda b: value < b,
        "lte": lambda b: value <= b,
    }
    return all(holds[name](bound) for name, bound in bounds.items())
