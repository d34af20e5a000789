"""Names and types of metadata fields: how a name is written as a Qdrant path, how types combine.

A user's field keeps its own name in the payload. Qdrant's paths can quote any name without a double
quote or a backslash; those two are escaped (``%22``, ``%5C``), in the payload and in paths alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from retrieve.schema import RESERVED, RESERVED_FIELDS, FieldType, MetadataValue

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LOOKS_ESCAPED = re.compile(r"%(?=22|5C|25)")
_ESCAPED = re.compile(r"%22|%5C|%25(?=22|5C|25)")
_UNESCAPED = {"%22": '"', "%5C": "\\", "%25": "%"}


def payload_key(name: str) -> str:
    """The payload key of a user's field: its name, with quotes and backslashes escaped."""
    return _LOOKS_ESCAPED.sub("%25", name).replace('"', "%22").replace("\\", "%5C")


def field_name(key: str) -> str:
    """The inverse of `payload_key`."""
    if "%" not in key:  # nearly always, and a search reads thousands of keys
        return key
    return _ESCAPED.sub(lambda match: _UNESCAPED[match[0]], key)


def field_path(name: str) -> str:
    """The path that names a field in Qdrant's filters and indexes."""
    if name in RESERVED_FIELDS or _BARE.fullmatch(name):
        return name
    return f'"{payload_key(name)}"'


def resolve_field(path: str, fields: Mapping[str, FieldType]) -> str | None:
    """The field that a path (or a bare name) in a filter means; None when there is no such field."""
    if len(path) > 2 and path[0] == path[-1] == '"':
        name = field_name(path[1:-1])
        if name in fields:
            return name
    return path if path in fields else None


def stored_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A chunk's payload under the keys that a store keeps."""
    return {payload_key(key): value for key, value in payload.items()}


def read_payload(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A stored payload under the user's own names."""
    return {field_name(key): value for key, value in payload.items()}


def type_of(value: MetadataValue) -> FieldType:
    """The field type of a value, or of the items of a list."""
    if isinstance(value, list):
        types = {type_of(item) for item in value}
        return combine_all(types) if types else "keyword"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "float"
    return "datetime" if isinstance(value, datetime) else "keyword"


def combine(a: FieldType, b: FieldType) -> FieldType:
    """The type of a field that was seen with two: integers widen to floats, all else to keywords."""
    if a == b:
        return a
    return "float" if {a, b} == {"integer", "float"} else "keyword"


def combine_all(types: set[FieldType]) -> FieldType:
    """The type of a field that was seen with all of these (at least one)."""
    if len(types) == 1:
        return next(iter(types))
    return "float" if types == {"integer", "float"} else "keyword"


def merge_fields(*sources: Mapping[str, FieldType]) -> dict[str, FieldType]:
    """The union of several sets of fields."""
    merged: dict[str, FieldType] = {}
    for source in sources:
        for name, kind in source.items():
            merged[name] = combine(merged[name], kind) if name in merged else kind
    return merged


def fields_of(metadata: Mapping[str, MetadataValue]) -> dict[str, FieldType]:
    """The fields of one document's metadata; empty lists tell nothing and are left out."""
    return {
        name: type_of(value) for name, value in metadata.items() if name and name != RESERVED and value != []
    }
