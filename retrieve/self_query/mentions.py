"""Values of fields that a question mentions: exactly, by an alias or another name, by a part, with a typo.

Says where a value is mentioned and how well it matches; whether the mention is a condition is decided
elsewhere (`support`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from retrieve.self_query.catalog import MAX_VALUE_WORDS, Catalog, Field
from retrieve.self_query.lexicon import common_words, plain_words
from retrieve.self_query.names import other_names
from retrieve.self_query.spelling import MIN_TYPO, Spelling
from retrieve.self_query.text import Word, is_common, stem, stems

How = Literal["exact", "alias", "name", "part", "initials"]
Key = tuple[str, ...]
Hit = tuple[Field, str]
Hits = tuple[tuple[Field, tuple[str, ...]], ...]
"""Fields with the values that are meant, sorted."""

MIN_COMPACT = 6
"""Letters from which on words may be written apart or together: "sono view 7" is SonoView 7."""
SHORT = 2
"""Letters of a word whose plural has no stem of its own."""
FREQUENT = 16_000
"""Words of the language that are more frequent than this are no part of a name unless they look like one."""


@dataclass(frozen=True)
class Mention:
    """Words ``first`` to ``last`` (inclusive) of a question that mean values of one field."""

    first: int
    last: int
    field: Field
    values: tuple[str, ...]
    how: How
    typo: bool = False
    common: bool = False
    """Nothing but common words: the mention may be no name at all."""

    @property
    def length(self) -> int:
        """How many words it has."""
        return self.last - self.first + 1

    @property
    def is_capital(self) -> bool:
        """Whether all that is meant is written with a capital."""
        return all(value[:1].isupper() for value in self.values)


class _Table:
    """What words mean values of which fields."""

    def __init__(self) -> None:
        self._listed: dict[Key, list[Hit]] = defaultdict(list)
        self._grouped: dict[Key, Hits] = {}

    def __iter__(self) -> Iterator[Key]:
        return iter(self._listed)

    def add(self, key: Key, hit: Hit) -> None:
        """Notes that some words mean a value."""
        self._listed[key].append(hit)

    def get(self, key: Key) -> Hits:
        """What some words mean; sorted when they are first asked for, as few ever are."""
        if key not in self._listed:
            return ()
        if key not in self._grouped:
            grouped: dict[Field, set[str]] = {}
            for field, value in self._listed[key]:
                grouped.setdefault(field, set()).add(value)
            self._grouped[key] = tuple((field, tuple(sorted(values))) for field, values in grouped.items())
        return self._grouped[key]


class ValueIndex:
    """Finds the values of a catalog in questions."""

    def __init__(self, catalog: Catalog, ranks: Mapping[str, int]) -> None:
        """``ranks``: words of the language, folded, by how frequent they are: no misspelt values."""
        self._ranks = ranks
        self._whole = _Table()
        self._aliases = _Table()
        self._names = _Table()
        self._parts = _Table()
        self._initials = _Table()
        self._compact: dict[str, Key] = {}
        for field in catalog.of_type("keyword"):
            silent = plain_words().small | plain_words().company_forms | set(map(stem, field.words))
            for value in field.values:
                self._add(field, value, silent)
                for name in other_names(field, value):
                    if key := stems(name):
                        self._names.add(key, (field, value))
            for alias, value in field.value_aliases:
                if key := stems(alias):
                    self._aliases.add(key, (field, value))
        self._spelling = Spelling({word for key in (*self._whole, *self._aliases) for word in key}, ranks)

    def _add(self, field: Field, value: str, silent: frozenset[str]) -> None:
        """``silent``: words that are no part of a value by themselves."""
        key = stems(value)
        if not key or len(key) > MAX_VALUE_WORDS:
            return
        if len(key) > 1 and len(compact := "".join(key)) >= MIN_COMPACT:
            self._compact.setdefault(compact, key)
        hit = (field, value)  # one object for all the words that mean it
        self._whole.add(key, hit)
        if len(key) > 1 and len(key[-1]) == SHORT:
            self._whole.add((*key[:-1], key[-1] + "s"), hit)  # "phone-ins": too short for a stem
        bare = tuple(word for word in key if word not in plain_words().small)
        named = bare[:-1] if bare and bare[-1] in plain_words().company_forms else bare
        for shorter in {bare, named} - {key}:
            if len(shorter) > 1:
                self._whole.add(shorter, hit)
        if field.role == "title":
            return
        for part in _parts(key):
            if not silent.issuperset(part):
                self._parts.add(part, hit)
        for initials in {"".join(word[0] for word in key), "".join(word[0] for word in bare)}:
            if len(initials) > 1:
                self._initials.add((initials,), hit)

    def find(self, question: Sequence[Word]) -> list[Mention]:
        """All mentions; they may overlap, but for parts of what a longer one says exactly."""
        found: list[Mention] = []
        keys = [word.stem for word in question]
        fixed = [self._spelling.corrected(word) for word in question]
        for first in range(len(keys)):
            for last in range(first, min(len(keys), first + MAX_VALUE_WORDS)):
                found += self._at(question, keys, fixed, first, last)
            found += self._by_initials(question[first], first)
        return _without_parts(found)

    def _at(
        self, question: Sequence[Word], keys: Sequence[str], fixed: Sequence[str], first: int, last: int
    ) -> list[Mention]:
        key, corrected = tuple(keys[first : last + 1]), tuple(fixed[first : last + 1])
        found = self._as_written(question[first : last + 1], key, first, last)
        short = first == last and len(question[first].norm) == MIN_TYPO
        if not found and not short and key != corrected:
            found = self._misspelt(corrected, first, last)
        return found

    def _as_written(self, here: Sequence[Word], key: Key, first: int, last: int) -> list[Mention]:
        whole, aliases, parts = self._whole.get(key), self._aliases.get(key), self._parts.get(key)
        names = self._names.get(key)
        if not (whole or aliases or parts or names):
            compact = "".join(key)
            joined = self._whole.get(self._compact.get(compact, (compact,)))
            return _mentions(first, last, joined, "exact", common=False)  # "lena weber" is lenaweber
        common = is_common(here)
        plain = len(here) == 1 and not here[0].is_name and self._ranks.get(here[0].norm, FREQUENT) < FREQUENT
        found = _mentions(first, last, whole, "exact", common)
        found += _mentions(first, last, aliases, "alias", common)
        known = {mention.field for mention in found}
        foreign = tuple(hit for hit in names if hit[0] not in known)
        found += _mentions(first, last, foreign, "name", common=False)
        known = {mention.field for mention in found}
        others = tuple(hit for hit in parts if hit[0] not in known)
        return found + _mentions(first, last, others, "part", common or plain)

    def _misspelt(self, key: Key, first: int, last: int) -> list[Mention]:
        tables: tuple[tuple[How, _Table], ...]
        tables = (("exact", self._whole), ("alias", self._aliases), ("part", self._parts))
        for how, table in tables:
            if hits := table.get(key):
                common = all(word in common_words() for word in key)
                return [replace(m, typo=True) for m in _mentions(first, last, hits, how, common)]
        return []

    def _by_initials(self, word: Word, at: int) -> list[Mention]:
        initials = word.capitals or word.norm
        if not (word.capitals or (len(initials) > 2 and initials not in common_words())):
            return []
        if len(initials) < 2 or not initials.isalpha():
            return []
        return _mentions(at, at, self._initials.get((initials,)), "initials", common=False)


def _parts(key: Key) -> Iterable[Key]:
    """What neighbouring words of a value there are, short of all."""
    for length in range(1, len(key)):
        for start in range(len(key) - length + 1):
            yield key[start : start + length]


def _mentions(first: int, last: int, hits: Hits, how: How, common: bool) -> list[Mention]:
    """The mentions that words make, one a field."""
    return [Mention(first, last, field, values, how, common=common) for field, values in hits]


def _without_parts(found: Sequence[Mention]) -> list[Mention]:
    """The mentions that do not lie within a longer one that says a value as it is."""
    reach: dict[int, int] = {}
    for mention in found:
        if mention.how in ("exact", "alias") and mention.length > 1 and not mention.typo:
            reach[mention.first] = max(mention.last, reach.get(mention.first, -1))
    return [mention for mention in found if not _is_part(mention, reach)]


def _is_part(mention: Mention, reach: Mapping[int, int]) -> bool:
    if reach.get(mention.first, -1) > mention.last:
        return True
    earlier = range(mention.first - MAX_VALUE_WORDS, mention.first)
    return any(reach.get(first, -1) >= mention.last for first in earlier)
