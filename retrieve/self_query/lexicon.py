"""The words that the linker knows: tables in ``tables/``, typed, each read once when it is needed.

Nothing here knows what a question is. The words of dates are in `calendar_words`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Literal

from retrieve.self_query.word_tables import (
    Listed,
    Phrases,
    Words,
    WordTable,
    inverted,
    read_table,
    read_text,
)

Role = Literal["agent", "source", "title", "about"]
"""A keyword field's value: who made or has the document, where it appeared, its name, what it is about."""


class DateVerb(WordTable):
    """Words in a datetime field's name, and the words of a question that point to it."""

    fields: Words
    said: Words


class FieldWords(WordTable):
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
    translated: Mapping[str, Words]
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


class Negators(WordTable):
    """What turns a condition round, and the words that may stand between."""

    single: Words
    pairs: tuple[Listed, ...]
    weak: Words
    passed: Words
    titles: Words


class Lacking(WordTable):
    """What says that a field has no value, and the words that may stand between."""

    words: Words
    passed: Words


class Orders(WordTable):
    """Words that ask for an order."""

    newest: Words
    oldest: Words
    recent: Words
    most: Words
    least: Words
    cheapest: Words
    dearest: Words


class PlainWords(WordTable):
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
    interrogatives: Words
    asking_why: Words
    asking_how: Words
    wishing: Words
    one_paper: Words
    several_papers: Words
    matters: Words
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
    def papers(self) -> frozenset[str]:
        """What a search for documents calls them."""
        return self.one_paper | self.several_papers

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


class FollowUpWords(WordTable):
    """``follow_ups.yaml``, which explains each: what makes a question lean on the one before."""

    few: int
    openings: tuple[str, ...]
    pronouns: Words
    plural: Words
    not_plural: Words
    subjects: Words
    others: Words
    determiners: Words
    verbs: Words
    before_that: Words
    empty_after_it: Words
    grammar: Words
    interrogatives: Words
    negations: Words
    relations: Words


class UnitNames(WordTable):
    """A unit: how many of its dimension's own unit it is, and what it is called."""

    factor: float
    names: Listed


class AmountWords(WordTable):
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
        return {name: float(number) for name, number in inverted(self.numbers).items()}

    @cached_property
    def scale_of(self) -> Mapping[str, float]:
        """Factors in words, as questions have them."""
        return {name: 10.0**power for name, power in inverted(self.scales).items()}

    @cached_property
    def field_scale_of(self) -> Mapping[str, float]:
        """Factors in words, as names of fields have them."""
        return {name: 10.0**power for name, power in inverted(self.field_scales).items()}


@lru_cache(maxsize=1)
def field_words() -> FieldWords:
    """What words say about fields."""
    return read_table("fields.yaml", FieldWords)


@lru_cache(maxsize=1)
def plain_words() -> PlainWords:
    """Words by what they do in a question."""
    return read_table("words.yaml", PlainWords)


@lru_cache(maxsize=1)
def amount_words() -> AmountWords:
    """The words of numbers and units."""
    return read_table("amounts.yaml", AmountWords)


@lru_cache(maxsize=1)
def follow_up_words() -> FollowUpWords:
    """What makes a question lean on the one before."""
    return read_table("follow_ups.yaml", FollowUpWords)


@lru_cache(maxsize=1)
def common_words() -> frozenset[str]:
    """Words that mean little by themselves, though they may be values as well (open, other, green)."""
    lines = read_text("common_words.txt").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
