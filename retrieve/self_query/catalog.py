"""What a question may be linked to: the fields of a collection, what they are to its documents, and
the values that really occur.

A catalog is made of what one caller may see and nothing else: values of other tenants' documents, of
documents without access, and of private fields are not in it, so no question can reach or reveal them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from itertools import islice
from types import MappingProxyType
from typing import Any

from configs.sections import FieldHint
from retrieve.filters import Filter
from retrieve.schema import RESERVED, RESERVED_FIELDS, FieldType
from retrieve.self_query.lexicon import Role, field_words
from retrieve.self_query.text import name_words, same_root, stem, stems
from retrieve.self_query.units import Unit, declared_unit, dimension_words, unit_of_field
from retrieve.store.base import Store, count_values, extent_of

MAX_VALUES = 10_000
"""Values of a field that questions are compared with, the most frequent first."""
SAMPLE = 1000
"""Chunks that are looked at to see which fields hold lists."""
MAX_VALUE_WORDS = 12
MIN_SHORT = 3
"""Letters of a word that may be short for a field's name."""

_NO_UNITS: Mapping[str, str] = MappingProxyType({})
_AGENTIVE = ("or", "er", "ist", "ant", "ee", "by", "ian")
_PERSON = re.compile(r"(?:[A-Z][\w'’.-]*\s+){1,2}[A-Z][\w'’-]+")


@dataclass(frozen=True, eq=False)  # one object a field: it may hold thousands of values
class Field:
    """A field, and how people speak of it."""

    name: str
    type: FieldType
    is_list: bool = False
    values: tuple[str, ...] = ()
    """Keyword fields: what occurs, the most frequent first."""
    numbers: frozenset[int] = frozenset()
    """Integer fields: what occurs; empty where that is too much to know."""
    span: tuple[date, date] | None = None
    """Datetime fields: the earliest and the latest day that occurs."""
    aliases: tuple[str, ...] = ()
    value_aliases: tuple[tuple[str, str], ...] = ()
    declared: Unit | None = None
    """The unit that its owner declares."""

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of its name, folded."""
        return tuple(name_words(self.name))

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The words of its name, as they are and in the singular."""
        return frozenset({*self.words, *map(stem, self.words)})

    @cached_property
    def telling(self) -> frozenset[str]:
        """The words of its names that say something: not ``at``, ``is``, ``count``."""
        found = {*self.words, *(word for alias in self.aliases for word in name_words(alias))}
        return frozenset(found - field_words().generic) or frozenset(found)

    @cached_property
    def concepts(self) -> tuple[frozenset[str], ...]:
        """Groups of words that mean what its name says."""
        return tuple(group for group in field_words().concepts if group & self.telling)

    @cached_property
    def role(self) -> Role:
        """What its values are to the documents."""
        found, roles = self.kinds, field_words().roles
        if found & roles["agent"] or (
            self.words and self.words[-1].endswith(_AGENTIVE) and self._holds_people()
        ):
            return "agent"
        if found & roles["source"]:
            return "source"
        if self.words and {self.words[0], self.words[-1]} & roles["title"]:
            return "title"
        return "about"

    def _holds_people(self) -> bool:
        """Whether most values look like names of persons, and the field's name not like a kind of company."""
        if self.kinds & field_words().company or not self.values:
            return False
        people = sum(bool(_PERSON.fullmatch(value)) for value in self.values)
        return people >= 0.7 * len(self.values)

    @cached_property
    def unit(self) -> Unit | None:
        """The unit that is declared, or that its name says; None: none."""
        return self.declared or unit_of_field(self.words)

    @cached_property
    def dimension(self) -> str | None:
        """What its numbers measure, as far as its name says."""
        return self.unit.dimension if self.unit else dimension_words(self.words)

    @cached_property
    def is_year(self) -> bool:
        """Whether its numbers are years."""
        if self.type != "integer":
            return False
        years = bool(self.numbers) and all(1000 <= number <= 2100 for number in self.numbers)
        telling = "season" in self.words or bool(field_words().beginnings & set(self.words))
        return bool(field_words().years & set(self.words)) or (years and telling)

    def named_by(self, word: str) -> float:
        """How surely a folded word of a question names this field: 1 by its name, 0.6 by a word like it."""
        if word == "".join(self.words) or any(same_root(word, own) for own in self.telling):
            return 1.0
        short = len(word) >= MIN_SHORT and any(own.startswith(word) for own in self.telling)
        if short and any(word in group for group in self.concepts):
            return 1.0  # "rev E", "dept"
        return 0.6 if any(word in group or stem(word) in group for group in self.concepts) else 0.0


@dataclass(frozen=True)
class Catalog:
    """The fields that a question may speak of."""

    fields: tuple[Field, ...]

    def of_type(self, *kinds: FieldType) -> tuple[Field, ...]:
        """The fields of these types, in order."""
        return tuple(field for field in self.fields if field.type in kinds)

    @cached_property
    def value_stems(self) -> frozenset[str]:
        """The stems of all words in values, but for those of titles."""
        told = [field for field in self.fields if field.role != "title"]
        return frozenset(stem for field in told for value in field.values for stem in stems(value))

    @cached_property
    def types(self) -> dict[str, FieldType]:
        """The fields' types by name."""
        return {field.name: field.type for field in self.fields}


def read_catalog(
    store: Store, visible: Filter | None, hints: Mapping[str, FieldHint], units: Mapping[str, str] = _NO_UNITS
) -> Catalog:
    """The catalog of what a caller may see in a store; ``units`` are those that are declared, by field."""
    types = {
        name: kind
        for name, kind in store.info().fields.items()
        if name not in RESERVED_FIELDS and _is_visible(store, name, kind, visible)
    }
    sample = list(islice(store.scroll(visible), SAMPLE))
    counted = {
        name: store.facet(name, visible, MAX_VALUES)
        for name, kind in types.items()
        if kind in ("keyword", "integer")
    }
    spans = {name: store.extent(name, visible) for name, kind in types.items() if kind == "datetime"}
    return _catalog(types, counted, sample, hints, units, spans)


def _is_visible(store: Store, name: str, kind: FieldType, visible: Filter | None) -> bool:
    """Whether anything that the caller may see has the field: its name tells something, too."""
    if kind in ("keyword", "bool"):
        return bool(store.facet(name, visible, 1))
    return store.extent(name, visible) is not None


def catalog_of(
    documents: Sequence[Mapping[str, Any]],
    types: Mapping[str, FieldType],
    hints: Mapping[str, FieldHint],
    units: Mapping[str, str] = _NO_UNITS,
) -> Catalog:
    """The catalog of documents' metadata, without a store."""
    counted = {
        name: count_values((dict(document) for document in documents), name, MAX_VALUES)
        for name, kind in types.items()
        if kind in ("keyword", "integer")
    }
    spans = {name: extent_of(documents, name, kind) for name, kind in types.items() if kind == "datetime"}
    return _catalog(types, counted, documents, hints, units, spans)


def _catalog(
    types: Mapping[str, FieldType],
    counted: Mapping[str, Mapping[Any, int]],
    sample: Sequence[Mapping[str, Any]],
    hints: Mapping[str, FieldHint],
    units: Mapping[str, str],
    spans: Mapping[str, tuple[datetime, datetime] | None],
) -> Catalog:
    lists = _list_fields(sample)
    fields = []
    for name, kind in types.items():
        hint = hints.get(name, FieldHint())
        values = counted.get(name, {})
        if hint.private or (kind == "keyword" and not values):
            continue
        known = tuple(sorted(map(str, values), key=lambda value: (-values.get(value, 0), value)))
        fields.append(
            Field(
                name,
                kind,
                is_list=name in lists,
                values=known if kind == "keyword" else (),
                numbers=frozenset(values) if kind == "integer" and len(values) < MAX_VALUES else frozenset(),
                span=(span[0].date(), span[1].date()) if (span := spans.get(name)) else None,
                aliases=tuple(hint.aliases),
                value_aliases=tuple((a, v) for a, v in hint.values.items() if v in values),
                declared=declared_unit(units[name]) if name in units else None,
            )
        )
    return Catalog(tuple(fields))


def _list_fields(payloads: Iterable[Mapping[str, Any]]) -> set[str]:
    return {
        name
        for payload in payloads
        for name, value in payload.items()
        if isinstance(value, list) and name != RESERVED
    }
