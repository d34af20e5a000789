"""What languages and countries are called: "German", "deutsch" and "allemand" for a value ``de``.

Ingestion stores languages as codes (BCP 47), and people write "documents in German"; the names come from
the Unicode CLDR, by way of babel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from retrieve.self_query.catalog import Field
from retrieve.self_query.lexicon import field_words
from retrieve.self_query.text import fold, stems

IN = ("en", "de", "fr", "es")
"""Languages of questions whose names of languages and countries are known."""
_ENDINGS = {
    "en": ("",),
    "de": ("", "e", "en", "er", "es"),
    "fr": ("", "e", "s", "es"),
    "es": ("", "a", "es", "as"),
}
"""How adjectives end in them: "deutsche Berichte", "notas alemanas"."""


def other_names(field: Field, value: str) -> Iterator[str]:
    """Folded names of a field's value, beside the value as it is written."""
    if field.kinds & field_words().languages:
        yield from _language_names().get(fold(value).partition("-")[0].partition("_")[0], ())
    elif field.kinds & field_words().countries:
        yield from _country_names().get(fold(value), ())


@lru_cache(maxsize=1)
def _language_names() -> Mapping[str, tuple[str, ...]]:
    countries = {stems(name) for names in _country_names().values() for name in names}
    named = _named("languages", inflected=True)
    # "frances" is Spanish for French; cut to its stem it is a country.
    return {
        key: tuple(name for name in names if stems(name) not in countries) for key, names in named.items()
    }


@lru_cache(maxsize=1)
def _country_names() -> Mapping[str, tuple[str, ...]]:
    return _named("territories", inflected=False)


def _named(kind: str, *, inflected: bool) -> Mapping[str, tuple[str, ...]]:
    """By code and by English name, folded: all the names."""
    from babel import Locale

    tables = {code: getattr(Locale.parse(code), kind) for code in IN}
    found: dict[str, tuple[str, ...]] = {}
    for code, english in tables["en"].items():
        if not str(code).isalpha():
            continue  # a continent, or a variety
        names: dict[str, None] = {}
        for spoken, table in tables.items():
            name = fold(str(table.get(code, english)))
            for ending in _ENDINGS[spoken] if inflected else ("",):
                names[name.removesuffix("o") + ending if ending.startswith("a") else name + ending] = None
        found[fold(str(code))] = found[fold(str(english))] = tuple(names)
    return found
