"""Filters: a frozen model of Qdrant's filter JSON, checked against the fields that really exist.

`parse_filter` reads the JSON form, `to_json` writes it; ``store/edge_filters.py`` and
``store/server_filters.py`` turn a filter into the objects of the two engines. A filter names fields
as the user does; only its JSON form quotes names with odd characters the way Qdrant's paths need.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias, cast
from uuid import UUID

from configs.errors import InputError
from retrieve.fields import field_path, resolve_field
from retrieve.filter_values import short, typed_bound, typed_value
from retrieve.schema import RESERVED_FIELDS, FieldType

MAX_DEPTH = 16
"""Filters nested deeper than this are refused."""

BOUNDS = ("gt", "gte", "lt", "lte")
CLAUSES = ("must", "should", "must_not")

Value: TypeAlias = str | int | bool
Bound: TypeAlias = int | float | datetime


@dataclass(frozen=True)
class MatchValue:
    """The field, or one item of a list field, equals ``value``."""

    key: str
    value: Value


@dataclass(frozen=True)
class MatchAny:
    """The field, or one item of a list field, is among ``values`` (sorted, distinct); none: no match."""

    key: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class MatchExcept:
    """The field, or one item of a list field, has a value that is not among ``values``."""

    key: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Range:
    """The field, or one item of a list field, lies within all bounds given; datetimes are in UTC.

    Of two bounds on the same side only the narrower is kept: the engines differ in which they heed.
    """

    key: str
    gt: Bound | None = None
    gte: Bound | None = None
    lt: Bound | None = None
    lte: Bound | None = None

    def __post_init__(self) -> None:
        # Bounds of one field are of one kind, which the type checker cannot see.
        low, high = cast("Any", self.gt), cast("Any", self.lt)
        if self.gt is not None and self.gte is not None:
            object.__setattr__(self, "gte" if low >= self.gte else "gt", None)
        if self.lt is not None and self.lte is not None:
            object.__setattr__(self, "lte" if high <= self.lte else "lt", None)

    def bounds(self) -> dict[str, Bound]:
        """The bounds that are set, by name."""
        values = {name: getattr(self, name) for name in BOUNDS}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class IsEmpty:
    """The field is missing, null or an empty list."""

    key: str


@dataclass(frozen=True)
class IsNull:
    """The field is there and null."""

    key: str


@dataclass(frozen=True)
class HasId:
    """The chunk is one of these (`Chunk.id`; sorted, distinct)."""

    ids: tuple[str, ...]


@dataclass(frozen=True)
class Filter:
    """All of ``must``, at least one of ``should`` (when there are any), none of ``must_not``."""

    must: tuple[Condition, ...] = ()
    should: tuple[Condition, ...] = ()
    must_not: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        """Whether it restricts anything."""
        return bool(self.must or self.should or self.must_not)


Condition: TypeAlias = MatchValue | MatchAny | MatchExcept | Range | IsEmpty | IsNull | HasId | Filter


def all_of(*filters: Filter | None) -> Filter | None:
    """A filter that passes what all of these pass; None when none of them restricts anything."""
    must: list[Condition] = []
    must_not: list[Condition] = []
    for item in filters:
        if item is None:
            continue
        must += item.must
        must_not += item.must_not
        if item.should:
            must.append(Filter(should=item.should))
    merged = Filter(must=_distinct(must), must_not=_distinct(must_not))
    return merged or None


def keys_of(item: Filter) -> Iterator[str]:
    """The fields that a filter names, at any depth."""
    for condition in (*item.must, *item.should, *item.must_not):
        if isinstance(condition, Filter):
            yield from keys_of(condition)
        elif not isinstance(condition, HasId):
            yield condition.key


def parse_filter(obj: Any, fields: Mapping[str, FieldType]) -> Filter:
    """Read Qdrant's JSON form.

    Args:
        obj: decoded JSON, an object with ``must``, ``should`` and ``must_not``.
        fields: the fields that can be named besides `RESERVED_FIELDS`, with their types.

    Raises:
        InputError: an unknown field (the nearest one is named), a value that does not fit the
            field's type, or a form that is not supported; the message says where.
    """
    return _Parser({**fields, **RESERVED_FIELDS}).filter(obj, "filter", 1)


def to_json(item: Filter) -> dict[str, Any]:
    """Qdrant's JSON form; ``parse_filter(to_json(f), fields) == f``."""
    clauses = {name: [_condition_json(c) for c in getattr(item, name)] for name in CLAUSES}
    return {name: conditions for name, conditions in clauses.items() if conditions}


def rfc3339(moment: datetime) -> str:
    """A datetime as RFC 3339 in UTC; without a zone it counts as UTC."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat().replace("+00:00", "Z")


def _condition_json(item: Condition) -> dict[str, Any]:
    if isinstance(item, Filter):
        return to_json(item)
    if isinstance(item, HasId):
        return {"has_id": list(item.ids)}
    key = field_path(item.key)
    if isinstance(item, IsEmpty):
        return {"is_empty": {"key": key}}
    if isinstance(item, IsNull):
        return {"is_null": {"key": key}}
    if isinstance(item, MatchValue):
        return {"key": key, "match": {"value": item.value}}
    if isinstance(item, MatchAny):
        return {"key": key, "match": {"any": list(item.values)}}
    if isinstance(item, MatchExcept):
        return {"key": key, "match": {"except": list(item.values)}}
    bounds = item.bounds().items()
    return {
        "key": key,
        "range": {name: rfc3339(v) if isinstance(v, datetime) else v for name, v in bounds},
    }


class _Parser:
    """Reads one filter; ``where`` is the path of what is being read, for messages."""

    def __init__(self, fields: Mapping[str, FieldType]) -> None:
        self.fields = fields

    def filter(self, obj: Any, where: str, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise InputError(f"the filter is nested more than {MAX_DEPTH} levels deep; flatten it")
        if not isinstance(obj, Mapping):
            raise InputError(f"{where}: expected an object with {', '.join(CLAUSES)}, got {short(obj)}")
        unknown = [key for key in obj if key not in CLAUSES]
        if unknown:
            raise InputError(f"{where}: {unknown[0]!r} is not supported; use {', '.join(CLAUSES)}")
        clauses = {}
        for name in CLAUSES:
            items = obj.get(name)
            items = [] if items is None else items if isinstance(items, list) else [items]
            read = [self.condition(c, f"{where}.{name}[{i}]", depth) for i, c in enumerate(items)]
            clauses[name] = _distinct(read)
        return Filter(**clauses)

    def condition(self, obj: Any, where: str, depth: int) -> Condition:
        if not isinstance(obj, Mapping):
            raise InputError(f"{where}: expected a condition object, got {short(obj)}")
        forms = set(obj)
        if forms <= set(CLAUSES):
            return self.filter(obj, where, depth + 1)
        if forms == {"has_id"}:
            return self.has_id(obj["has_id"], where)
        if forms in ({"is_empty"}, {"is_null"}):
            (form,) = forms
            inner = obj[form]
            key = self.key(inner.get("key") if isinstance(inner, Mapping) else inner, where)
            return IsEmpty(key) if form == "is_empty" else IsNull(key)
        if forms == {"key", "match"}:
            return self.match(self.key(obj["key"], where), obj["match"], f"{where}.match")
        if forms == {"key", "range"}:
            return self.range(self.key(obj["key"], where), obj["range"], f"{where}.range")
        raise InputError(
            f"{where}: cannot read {short(obj)}; a condition has a key with match or range, "
            "or is_empty, is_null, has_id, or must/should/must_not"
        )

    def key(self, path: Any, where: str) -> str:
        if not isinstance(path, str):
            raise InputError(f"{where}: a field name is text, got {short(path)}")
        name = resolve_field(path, self.fields)
        if name is None:
            close = difflib.get_close_matches(path, self.fields, n=1, cutoff=0.0)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise InputError(f"{where}: no field is called {path!r}{hint}")
        return name

    def has_id(self, ids: Any, where: str) -> HasId:
        try:
            return HasId(tuple(sorted({str(UUID(item)) for item in ids})))
        except (TypeError, ValueError, AttributeError):
            raise InputError(f"{where}.has_id: expected a list of chunk ids, got {short(ids)}") from None

    def match(self, key: str, obj: Any, where: str) -> Condition:
        if not isinstance(obj, Mapping) or len(obj) != 1 or next(iter(obj)) not in ("value", "any", "except"):
            raise InputError(f"{where}: expected one of value, any, except; got {short(obj)}")
        ((form, given),) = obj.items()
        kind = self.fields[key]
        if form == "value":
            return _equals(key, typed_value(given, kind, key, where))
        if not isinstance(given, list):
            raise InputError(f"{where}.{form}: expected a list, got {short(given)}")
        values = sorted({typed_value(item, kind, key, where) for item in given})
        if form == "except":
            if kind in ("float", "datetime", "bool"):
                raise InputError(f"{where}.except: {key!r} is a {kind} field; use must_not")
            return MatchExcept(key, tuple(values))
        if kind in ("float", "datetime", "bool") and values:
            # Qdrant's match.any takes keywords and integers only.
            return Filter(should=tuple(_equals(key, value) for value in values))
        return MatchAny(key, tuple(values))

    def range(self, key: str, obj: Any, where: str) -> Range:
        kind = self.fields[key]
        if kind not in ("integer", "float", "datetime"):
            raise InputError(f"{where}: {key!r} is a {kind} field, which has no ranges; use match")
        if not isinstance(obj, Mapping):
            raise InputError(f"{where}: expected an object with {', '.join(BOUNDS)}, got {short(obj)}")
        given = {name: value for name, value in obj.items() if value is not None}
        if not given or not set(given) <= set(BOUNDS):
            raise InputError(f"{where}: expected at least one of {', '.join(BOUNDS)}, got {short(obj)}")
        return Range(key, **{name: typed_bound(v, kind, key, where) for name, v in given.items()})


def _equals(key: str, value: Any) -> Condition:
    # Qdrant matches keywords, integers and bools exactly; numbers and times by a closed range.
    if isinstance(value, float | datetime):
        return Range(key, gte=value, lte=value)
    return MatchValue(key, value)


def _distinct(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    return tuple(dict.fromkeys(conditions))
