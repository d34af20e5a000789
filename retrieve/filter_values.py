"""The values of a filter, checked against the type of the field that they are compared with."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, time
from typing import Any

from configs.errors import InputError
from retrieve.schema import FieldType

INTEGER_LIMIT = 2**63 - 1


def typed_bound(given: Any, kind: FieldType, key: str, where: str) -> Any:
    """A range's bound; that of an integer field may lie between integers.

    Raises:
        InputError: it does not fit the field's type.
    """
    return typed_value(given, "float" if isinstance(given, float) else kind, key, where)


def typed_value(given: Any, kind: FieldType, key: str, where: str) -> Any:
    """A value as the field's type has it: numbers of a float field as floats, times in UTC.

    Args:
        key: the field. where: the value's place in the filter, for errors.

    Raises:
        InputError: it does not fit the field's type.
    """
    if kind == "datetime":
        return _moment(given, key, where)
    fits = {
        "keyword": isinstance(given, str),
        "bool": isinstance(given, bool),
        "integer": isinstance(given, int) and not isinstance(given, bool),
        "float": isinstance(given, int | float) and not isinstance(given, bool),
    }
    if not fits[kind]:
        raise InputError(f"{where}: {key!r} is a {kind} field, {short(given)} does not fit it")
    if kind in ("integer", "float"):
        limit = sys.float_info.max if kind == "float" else INTEGER_LIMIT
        if not -limit <= given <= limit:  # NaN fails this too
            raise InputError(f"{where}: {short(given)} is out of range for {key!r}")
        return float(given) if kind == "float" else given
    return given


def _moment(given: Any, key: str, where: str) -> datetime:
    moment = given
    if isinstance(given, str):
        try:
            moment = datetime.fromisoformat(given)
        except ValueError:
            moment = None
    elif isinstance(given, date) and not isinstance(given, datetime):
        moment = datetime.combine(given, time())
    if not isinstance(moment, datetime):
        raise InputError(
            f"{where}: {key!r} is a datetime field; write 2024-03-01 or 2024-03-01T12:00:00Z, "
            f"not {short(given)}"
        )
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise InputError(f"{where}: {short(given)} is out of range for {key!r}") from None


def short(value: Any) -> str:
    """A value as an error shows it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
