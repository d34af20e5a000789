"""The words that the linker knows: tables in ``tables/``, typed, each read once when it is needed.

Nothing here knows what a question is. A table is a model; a string in a YAML file is a list of words.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from importlib import resources
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict

Role = Literal["agent", "source", "title", "about"]
"""A keyword field's value: who made or has the document, where it appeared, its name, what it is about."""
CalendarUnit = Literal["day", "week", "month", "quarter", "year"]

Words = Annotated[frozenset[str], BeforeValidator(str.split)]
Listed = Annotated[tuple[str, ...], BeforeValidator(str.split)]
"""Words whose order matters."""
Phrases = tuple[str, ...]
"""Regular expressions over folded text, tried from the first on."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # importing stays light


class DateVerb(_Table):
    """Words in a datetime field's name, and the words of a question that point to it."""

    fields: Words
    said: Words


class FieldWords(_Table):
    """``fields.yaml``, which explains each: what words say about fields."""

    roles: Mapping[Literal["agent", "source", "title"], Words]
    company: Words
    generic: Words
    documents: Words
    concepts: tuple[Words, ...]
    verbs: Mapping[str, Words]
    field_verbs: Mapping[str, Words]
    specific_verbs: Words
    date_verbs: tuple[DateVerb, ...]
    main_dates: Listed
    years: Words
    beginnings: Words
    year_told: Words
    reported: Words
    entities: Words
    kinds_of_documents: Words
    countries: Words
    qualities: Words
    places: Words
    languages: Words
    receiving: Words
    present: Words
    opponents: Words
    opposites: Mapping[str, Words]
    bool_words: Words
    dimensions: Mapping[str, Words]
    ages: Words
    money: Words

    @cached_property
    def _groups_of_verbs(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        for group, verbs in self.verbs.items():
            for verb in verbs:
                found.setdefault(verb, set()).add(group)
        return {verb: frozenset(groups) for verb, groups in found.items()}

    def groups_of(self, verb: str) -> frozenset[str]:
        """The groups of verbs that a folded word belongs to; none where it is no such verb."""
        return self._groups_of_verbs.get(verb, frozenset())


class Negators(_Table):
    """What turns a condition round, and the words that may stand between."""

    single: Words
    pairs: tuple[Listed, ...]
    weak: Words
    passed: Words
    titles: Words


class Lacking(_Table):
    """What says that a field has no value, and the words that may stand between."""

    words: Words
    passed: Words


class Orders(_Table):
    """Words that ask for an order."""

    newest: Words
    oldest: Words
    recent: Words
    most: Words
    least: Words
    cheapest: Words
    dearest: Words


class PlainWords(_Table):
    """``words.yaml``, which explains each: words by what they do in a question."""

    articles: Words
    auxiliaries: Words
    plain_verbs: Words
    fillers: Words
    function: Words
    connectors: Words
    alternatives: Words
    between_members: Words
    comparing: Words
    adverbs: Words
    choosing: Words
    determining: Words
    polite: Words
    asking: Words
    asking_for_documents: Words
    after_dates: Words
    small: Words
    company_forms: Words
    negators: Negators
    lacking: Lacking
    states: Words
    orders: Orders

    @cached_property
    def passed(self) -> frozenset[str]:
        """What may stand between a condition and the word that names its field."""
        return self.fillers | self.articles

    @cached_property
    def empty(self) -> frozenset[str]:
        """What is hardly ever meant as a value."""
        return self.function | self.passed

    @cached_property
    def before_names(self) -> frozenset[str]:
        """What may stand between a verb and a name."""
        return self.adverbs | self.passed

    @cached_property
    def openings(self) -> frozenset[str]:
        """What may stand before the first word that matters."""
        return self.polite | self.passed

    @cached_property
    def subject_verbs(self) -> frozenset[str]:
        """What makes a subject of the name before it."""
        return self.plain_verbs | self.auxiliaries

    @cached_property
    def in_lists(self) -> frozenset[str]:
        """What may stand between the members of a list."""
        return self.between_members | self.connectors

    @cached_property
    def negating_pairs(self) -> frozenset[tuple[str, ...]]:
        """Two words that negate together."""
        return frozenset(self.negators.pairs)


class CalendarWords(_Table):
    """``calendar.yaml``: the words of dates."""

    months: tuple[Listed, ...]
    weekdays: tuple[Listed, ...]
    units: Mapping[CalendarUnit, Listed]
    hours: Listed
    counts: Mapping[int, Listed]
    ordinals: Mapping[int, Listed]
    seasons: Mapping[int, Listed]
    ambiguous: Words
    holidays: Mapping[str, str]
    decades: Mapping[int, Listed]
    years_of_century: Mapping[int, Listed]
    years_near: Mapping[int, str]
    days: Mapping[int, Listed]
    next: Listed
    last_but_one: Listed
    weekends: Listed
    near: Mapping[int, Phrases]
    prepositions: Listed
    weekday_prepositions: Listed
    before: Mapping[Literal["from", "to", "after", "before"], Phrases]

    @cached_property
    def month_of(self) -> Mapping[str, int]:
        """Names of months with their numbers, and what is easily typed for the long ones."""
        known = {name: number for number, names in enumerate(self.months, 1) for name in names}
        typed = {wrong: number for name, number in known.items() for wrong in misspelt(name)}
        return typed | known

    @cached_property
    def weekday_of(self) -> Mapping[str, int]:
        """Names of weekdays with their numbers, Monday is 0."""
        return {name: number for number, names in enumerate(self.weekdays) for name in names}

    @cached_property
    def season_of(self) -> Mapping[str, int]:
        """Names of seasons with their first months."""
        return _inverted(self.seasons)

    @cached_property
    def unit_of(self) -> Mapping[str, CalendarUnit]:
        """Names of calendar units."""
        return _inverted(self.units)

    @cached_property
    def count_of(self) -> Mapping[str, int]:
        """Numbers in words."""
        return _inverted(self.counts)

    @cached_property
    def ordinal_of(self) -> Mapping[str, int]:
        """Ordinal numbers in words."""
        return _inverted(self.ordinals)

    @cached_property
    def day_of(self) -> Mapping[str, int]:
        """Days of a month in words."""
        return _inverted(self.days)

    @cached_property
    def decade_of(self) -> Mapping[str, int]:
        """Names of decades with their first years."""
        return {name: 1900 + year for name, year in _inverted(self.decades).items()}

    @cached_property
    def years_in_words(self) -> Mapping[str, int]:
        """What follows "twenty" in a year, and the year."""
        return {name: 2000 + year for name, year in _inverted(self.years_of_century).items()}

    @cached_property
    def days_ago(self) -> Mapping[str, int]:
        """Names of days near today, and how many days before it they are."""
        return _inverted(self.near)


class UnitNames(_Table):
    """A unit: how many of its dimension's own unit it is, and what it is called."""

    factor: float
    names: Listed


class AmountWords(_Table):
    """``amounts.yaml``: the words of numbers and units."""

    numbers: Mapping[int, Listed]
    articles: Words
    scales: Mapping[int, Listed]
    field_scales: Mapping[int, Listed]
    units: Mapping[str, tuple[UnitNames, ...]]
    currencies: Mapping[str, Listed]
    ambiguous: Words
    currency_signs: Listed
    before: Mapping[Literal["lte", "gte", "gt", "lt", "eq"], Phrases]
    no_units: Words
    compared: Mapping[str, Phrases]
    passed: Words

    @cached_property
    def number_of(self) -> Mapping[str, float]:
        """Numbers in words."""
        return {name: float(number) for name, number in _inverted(self.numbers).items()}

    @cached_property
    def scale_of(self) -> Mapping[str, float]:
        """Factors in words, as questions have them."""
        return {name: 10.0**power for name, power in _inverted(self.scales).items()}

    @cached_property
    def field_scale_of(self) -> Mapping[str, float]:
        """Factors in words, as names of fields have them."""
        return {name: 10.0**power for name, power in _inverted(self.field_scales).items()}


LONG = 7
"""Letters of a month's name that is known with a typo, too."""

T = TypeVar("T")
Table = TypeVar("Table", bound=_Table)


def _inverted(names: Mapping[T, tuple[str, ...]]) -> dict[str, T]:
    return {name: key for key, listed in names.items() for name in listed}


def _read(name: str) -> str:
    return resources.files(__package__).joinpath("tables", name).read_text(encoding="utf-8")


def _load(name: str, kind: type[Table]) -> Table:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same, faster
    return kind.model_validate(yaml.load(_read(name), loader))


@lru_cache(maxsize=1)
def field_words() -> FieldWords:
    """What words say about fields."""
    return _load("fields.yaml", FieldWords)


@lru_cache(maxsize=1)
def plain_words() -> PlainWords:
    """Words by what they do in a question."""
    return _load("words.yaml", PlainWords)


@lru_cache(maxsize=1)
def calendar_words() -> CalendarWords:
    """The words of dates."""
    return _load("calendar.yaml", CalendarWords)


@lru_cache(maxsize=1)
def amount_words() -> AmountWords:
    """The words of numbers and units."""
    return _load("amounts.yaml", AmountWords)


@lru_cache(maxsize=1)
def common_words() -> frozenset[str]:
    """Words that mean little by themselves, though they may be values as well (open, other, green)."""
    lines = _read("common_words.txt").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def misspelt(name: str) -> set[str]:
    """A long word with one letter left out, or two that changed places; its first letter is always right."""
    if len(name) < LONG:
        return set()
    left_out = {name[:at] + name[at + 1 :] for at in range(1, len(name))}
    swapped = {name[:at] + name[at + 1] + name[at] + name[at + 2 :] for at in range(1, len(name) - 1)}
    return left_out | swapped


def any_of(names: Mapping[str, object] | tuple[str, ...]) -> str:
    """A regular expression for any of these words, the longest first."""
    return "(?:" + "|".join(sorted(names, key=len, reverse=True)) + ")"
