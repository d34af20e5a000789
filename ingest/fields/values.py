"""Values as their field's type holds them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from configs.sections import FieldSettings
from ingest.fields.dates import moment_of_number, read_moment
from ingest.fields.languages import language_tag
from ingest.fields.numbers import read_number, unit_named
from ingest.fields.spelling import Spelling, UnfitError
from ingest.metadata import INT64, coerce
from retrieve.fields import combine_all, type_of
from retrieve.schema import FieldType, MetadataValue, Scalar
from retrieve.self_query.text import fold, name_words
from retrieve.self_query.units import Unit, declared_unit, unit_of_field

Declared = Literal["keyword", "integer", "float", "bool", "datetime", "language"]

TRUE = frozenset(["true", "yes", "y", "on", "1", "ja", "oui", "si"])
FALSE = frozenset(["false", "no", "n", "off", "0", "nein", "non"])
SHOWN = 60
"""Characters of a value in a note."""


@dataclass(frozen=True)
class FieldSpec:
    """What a field's values are to be."""

    name: str
    type: Declared | None = None
    unit: Unit | None = None
    also: tuple[str, ...] = ()
    values: Mapping[str, str] | None = None
    """Of a keyword: those that it may have, by their folded form; None: any."""
    strict: bool = True
    """Whether a value that does not fit is left out; else it stays as it is."""

    @property
    def stored_type(self) -> FieldType | None:
        """The field's type in the store; None: whatever its values are."""
        return "keyword" if self.type == "language" else self.type if self.strict else None


KNOWN = {
    "date": FieldSpec("date", "datetime", strict=False),
    "language": FieldSpec("language", "language", strict=False),
}
"""Fields that everybody means alike; a declaration takes their place."""


def field_specs(declared: Mapping[str, FieldSettings]) -> dict[str, FieldSpec]:
    """What the settings, and we, say of fields."""
    return KNOWN | {name: _spec(name, field) for name, field in declared.items()}


def with_declared(
    fields: Mapping[str, FieldType], declared: Mapping[str, FieldSettings]
) -> dict[str, FieldType]:
    """Fields with their types, those that are declared as they are declared."""
    types = {name: _spec(name, field).stored_type for name, field in declared.items() if name in fields}
    return {**fields, **{name: kind for name, kind in types.items() if kind is not None}}


def _spec(name: str, field: FieldSettings) -> FieldSpec:
    kind: Declared | None = field.type
    if kind is None and field.unit:
        kind = "float"
    if kind is None and field.values:
        kind = "keyword"
    unit = None
    if kind in ("integer", "float"):
        unit = unit_named(field.unit) if field.unit else unit_of_field(name_words(name))
    values = {_key(value): value for value in field.values} if kind == "keyword" and field.values else None
    return FieldSpec(name, kind, unit, tuple(field.also), values)


def unit_notes(declared: Mapping[str, FieldSettings]) -> list[tuple[str, str]]:
    """Settings whose unit we do not know, and what that means; it may be a slip, or ``pages``."""
    return [
        (
            f"ingest.fields.{name}.unit",
            f"{field.unit!r} is no unit that is known (docs/metadata.md lists them): numbers are kept "
            "as they are, and no other unit is converted to it",
        )
        for name, field in declared.items()
        if field.unit and declared_unit(field.unit) is None
    ]


def fitted(
    value: MetadataValue, spec: FieldSpec, spelling: Spelling
) -> tuple[MetadataValue | None, list[str]]:
    """A value, or the items of a list, as the field holds it; None when nothing of it fits.

    Returns:
        The value, and a sentence for each item that does not fit.
    """
    if spec.type is None:
        return value, []
    items: list[Scalar] = list(value) if isinstance(value, list) else [value]
    kept: list[Scalar] = []
    problems: list[str] = []
    for item in items:
        try:
            kept.append(fit(item, spec, spelling))
        except UnfitError as error:
            problems.append(f"{spec.name}: {shown(item)} {error}")
            if not spec.strict:
                kept.append(item)
    if not kept:
        return None, problems
    if not isinstance(value, list):
        return kept[0], problems
    kind = combine_all({type_of(item) for item in kept})
    return coerce(cast(MetadataValue, kept), kind), problems


def fit(value: Scalar, spec: FieldSpec, spelling: Spelling) -> Scalar:
    """One value as the field holds it.

    Raises:
        UnfitError: it does not fit.
    """
    if not spec.strict and not isinstance(value, str):
        return value
    if spec.type == "datetime":
        return _moment(value, spelling, coarse=spec.strict)
    if spec.type == "bool":
        return _truth(value)
    if spec.type in ("integer", "float"):
        return _number(value, spec, spelling)
    text = as_text(value)
    if spec.type == "language":
        tag = language_tag(text)
        if tag is None:
            raise UnfitError("is no language")
        return tag
    if spec.values is not None:
        known = spec.values.get(_key(text))
        if known is None:
            raise UnfitError(f"is none of {', '.join(spec.values.values())}")
        return known
    return text


def as_text(value: Scalar) -> str:
    """A value as a keyword field holds it."""
    return str(coerce(value, "keyword"))


def shown(value: Scalar) -> str:
    """A value as a note shows it."""
    text = repr(as_text(value))
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _moment(value: Scalar, spelling: Spelling, *, coarse: bool) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, bool):
        raise UnfitError("is no date")
    if isinstance(value, str):
        text = value.strip()
        digits = text.isascii() and text.isdecimal() and len(text) in (10, 13)
        return moment_of_number(int(text)) if digits else read_moment(text, spelling, coarse=coarse)
    return moment_of_number(value)


def _truth(value: Scalar) -> bool:
    if isinstance(value, bool):
        return value
    word = fold(as_text(value)).strip()
    if word in TRUE or word in FALSE:
        return word in TRUE
    raise UnfitError("is neither true nor false")


def _number(value: Scalar, spec: FieldSpec, spelling: Spelling) -> int | float:
    if isinstance(value, bool | datetime):
        raise UnfitError("is no number")
    number = read_number(value, spec.unit, spelling) if isinstance(value, str) else value
    if spec.type == "float":
        as_float = float(number)
        if not math.isfinite(as_float):
            raise UnfitError("is too large")
        return as_float
    if not -INT64 <= number < INT64:
        raise UnfitError("is too large")
    if number % 1:
        raise UnfitError("is no whole number")
    return int(number)


def _key(text: str) -> str:
    return " ".join(fold(text).split())
