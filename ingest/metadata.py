"""Metadata and the types of its fields.

A field holds a scalar or a list of one scalar type. Nested mappings become dotted names
(``author: {name: Ada}`` is ``author.name``), lists of mappings one list a name. What is empty is
dropped, and text that is wholly an ISO date is a date: half of all front matter quotes its dates.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, cast

from configs.errors import InputError
from retrieve.fields import combine_all, type_of
from retrieve.schema import RESERVED, FieldType, Metadata, MetadataValue, Scalar

MAX_FIELDS = 256
INT64 = 1 << 63
ISO_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?\s?(?:[Zz]|[+-]\d{2}:?\d{2})?)?"
)


def clean_metadata(data: Mapping[Any, Any]) -> Metadata:
    """Turn a mapping of anything into metadata.

    Raises:
        InputError: a reserved name, too many fields, or a value that is neither text nor number nor date.
    """
    collected: dict[str, tuple[list[Scalar], bool]] = {}
    for name, value, in_list in _leaves(data, "", in_list=False):
        values, listed = collected.get(name, ([], False))
        collected[name] = ([*values, value] if value is not None else values, listed or in_list)
    if len(collected) > MAX_FIELDS:
        raise InputError(f"metadata: {len(collected)} fields; at most {MAX_FIELDS} are kept")
    metadata: Metadata = {}
    for name, (values, listed) in collected.items():
        if values:
            unified = _unify(values)
            metadata[name] = unified if listed or len(values) > 1 else unified[0]
    return metadata


def _leaves(value: Any, name: str, *, in_list: bool) -> Iterator[tuple[str, Scalar | None, bool]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, _join(name, key), in_list=in_list)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item, name, in_list=True)
    else:
        yield name, _scalar(name, value), in_list


def _join(prefix: str, key: Any) -> str:
    part = " ".join(str(key).split())
    if not part or not _is_text(part):
        raise InputError(f"metadata: a field{f' in {prefix!r}' if prefix else ''} has no usable name")
    name = f"{prefix}.{part}" if prefix else part
    if name == RESERVED or name.startswith(RESERVED + "."):
        raise InputError(
            f"metadata: field {name!r}: names that begin with {RESERVED!r} are Draftline's own; rename it"
        )
    return name


def _scalar(name: str, value: Any) -> Scalar | None:
    if isinstance(value, str):
        if not _is_text(value):
            raise InputError(f"metadata: field {name!r}: not valid Unicode text")
        return _maybe_date(value.strip()) or None
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"metadata: field {name!r}: {value} is not a number that can be kept")
    if isinstance(value, int) and not -INT64 <= value < INT64:
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise InputError(f"metadata: field {name!r}: a value of type {type(value).__name__} cannot be kept")


def _maybe_date(text: str) -> Scalar:
    if not ISO_DATE.fullmatch(text):
        return text
    try:
        moment = datetime.fromisoformat(re.sub(r"\s(?=[Zz+-])", "", text))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return text


def _is_text(value: str) -> bool:
    """False for lone surrogates, which no UTF-8 file or index can hold."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unify(values: list[Scalar]) -> Any:
    kind = combine_all({type_of(value) for value in values})
    return [coerce(value, kind) for value in values]


def coerce(value: MetadataValue, kind: FieldType) -> MetadataValue:
    """A value as a field's type holds it; what `retrieve.fields.combine` widens is changed.

    A day among words is the day, without its midnight, as people write and look for it.
    """
    if isinstance(value, list):
        return cast(MetadataValue, [coerce(item, kind) for item in value])
    if type_of(value) == kind:
        return value
    if kind == "float" and isinstance(value, int):
        return float(value)
    if isinstance(value, datetime):
        is_day = value == datetime(value.year, value.month, value.day, tzinfo=UTC)
        return value.date().isoformat() if is_day else value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)
