"""LangChain's structured queries as filters: ``and(eq("author", "Ann"), gte("year", 2024))``.

What the comparators mean here:

- ``eq``, ``in``, ``gt``, ``gte``, ``lt``, ``lte`` hold when the field's value, or one item of a list
  field, does. ``contain`` is ``eq`` under the name that list fields are asked by.
- ``ne`` and ``nin`` are the negations of ``eq`` and ``in``: chunks without the field pass them too.
- A date without a time is the whole day, in UTC: ``eq`` is any moment of it, ``gt`` begins after it.
- ``like`` is refused: the stores index whole values, and a part of one cannot be looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from langchain_core.structured_query import Comparator, Comparison, FilterDirective, Operation, Operator

from configs.errors import InputError
from retrieve.fields import field_path
from retrieve.filter_values import short
from retrieve.filters import MAX_DEPTH, Filter, parse_filter, rfc3339
from retrieve.schema import RESERVED_FIELDS, FieldType

DAY = timedelta(days=1)
CLAUSES = {Operator.AND: "must", Operator.OR: "should", Operator.NOT: "must_not"}
SINGLE = {Comparator.EQ, Comparator.NE, Comparator.CONTAIN}
SEVERAL = {Comparator.IN, Comparator.NIN}
NEGATED = {Comparator.NE, Comparator.NIN}


def filter_of(expression: FilterDirective, fields: Mapping[str, FieldType]) -> Filter:
    """The filter that a structured query's expression means.

    Args:
        expression: a `Comparison` or an `Operation`; dates as ``{"type": "date", "date": "2024-03-01"}``,
            ``{"type": "datetime", "datetime": ...}``, as ISO text, or as Python's dates.
        fields: the fields that can be named besides `RESERVED_FIELDS`, with their types.

    Raises:
        InputError: an unknown field, a value that does not fit its type, or a comparator that
            cannot be answered (see above).
    """
    condition = _Translator(fields).condition(expression, 1)
    whole = set(condition) <= set(CLAUSES.values())
    return parse_filter(condition if whole else {"must": [condition]}, fields)


class _Translator:
    """Writes Qdrant's JSON form, whose parser then checks fields and values."""

    def __init__(self, fields: Mapping[str, FieldType]) -> None:
        self.fields = {**fields, **RESERVED_FIELDS}

    def condition(self, expression: Any, depth: int) -> dict[str, Any]:
        if depth > MAX_DEPTH:
            raise InputError(f"the expression is nested more than {MAX_DEPTH} levels deep; flatten it")
        if isinstance(expression, Operation):
            return self.operation(expression, depth)
        if isinstance(expression, Comparison):
            return self.comparison(expression)
        raise InputError(f"expected a Comparison or an Operation, got {short(expression)}")

    def operation(self, expression: Operation, depth: int) -> dict[str, Any]:
        name, count = expression.operator.value, len(expression.arguments)
        if not count or (expression.operator == Operator.NOT and count > 1):
            wanted = "exactly one" if expression.operator == Operator.NOT else "at least one"
            raise InputError(f"{name}(...) takes {wanted} argument, got {count}")
        inner = [self.condition(argument, depth + 1) for argument in expression.arguments]
        return {CLAUSES[expression.operator]: inner}

    def comparison(self, expression: Comparison) -> dict[str, Any]:
        name, comparator, value = expression.attribute, expression.comparator, expression.value
        where = f"{comparator.value}({name!r}, {short(value)})"
        if comparator == Comparator.LIKE:
            raise InputError(f"{where}: a part of a value cannot be looked up; use eq, in or contain")
        listed = isinstance(value, list | tuple | set | frozenset)
        if listed != (comparator in SEVERAL):
            raise InputError(
                f"{where}: {comparator.value} compares with {'one value' if listed else 'a list'}"
            )
        key = field_path(name)  # a name is a name here: one that looks like a quoted path is quoted again
        if comparator in SINGLE | SEVERAL:
            condition = self.among(key, name, list(value) if listed else [value], where)
        else:
            condition = {"key": key, "range": self.bound(comparator.value, self.value(name, value), where)}
        return {"must_not": [condition]} if comparator in NEGATED else condition

    def among(self, key: str, name: str, values: list[Any], where: str) -> dict[str, Any]:
        """The field is one of these."""
        plain = [self.value(name, value) for value in values]
        days = [value for value in plain if _is_day(value)]
        rest = [value for value in plain if not _is_day(value)]
        conditions = [{"key": key, "range": _day(day, where)} for day in days]
        if len(rest) == 1:
            conditions.append({"key": key, "match": {"value": rest[0]}})
        elif rest or not days:
            conditions.append({"key": key, "match": {"any": rest}})
        return conditions[0] if len(conditions) == 1 else {"should": conditions}

    def bound(self, comparator: str, value: Any, where: str) -> dict[str, Any]:
        """A range's bound; a day lies on the side of the bound that the comparator says."""
        if not _is_day(value):
            return {comparator: value}
        day = _day(value, where)
        return {"gt": {"gte": day["lt"]}, "lte": {"lt": day["lt"]}}.get(comparator, {comparator: day["gte"]})

    def value(self, name: str, given: Any) -> Any:
        """A value without LangChain's wrapping; for a datetime field, a day as a `date`."""
        if isinstance(given, Mapping) and given.get("type") in ("date", "datetime"):
            given = given.get(given["type"], given)
        if self.fields.get(name) != "datetime" or not isinstance(given, str):
            return given
        try:
            return date.fromisoformat(given)
        except ValueError:
            return given


def _is_day(value: Any) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


def _day(day: date, where: str) -> dict[str, str]:
    """From the first moment of a day until before that of the next."""
    start = datetime.combine(day, time(), UTC)
    try:
        return {"gte": rfc3339(start), "lt": rfc3339(start + DAY)}
    except OverflowError:
        raise InputError(f"{where}: {day} is out of range") from None
