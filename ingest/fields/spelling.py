"""How a document spells dates and numbers, and what is raised for a value that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel import Locale

LONGEST = 80
"""Characters of a date or number; nothing longer is looked at."""


class UnfitError(Exception):
    """A value does not fit its field; the message ends a sentence that begins with the value."""


@dataclass(frozen=True)
class Spelling:
    """What decides between two readings of one spelling."""

    language: str | None = None
    """BCP 47; of the document."""
    day_first: bool | None = None
    """What the settings say of 03/04/2024; None: as the language has it."""

    def puts_day_first(self) -> bool | None:
        """Whether the day comes before the month; None: that cannot be told."""
        if self.day_first is not None or self.language is None:
            return self.day_first
        return _day_first(self.language)

    def decimal(self) -> str | None:
        """What parts a number's fraction off: a dot or a comma; None: that cannot be told."""
        return None if self.language is None else _decimal(self.language)


@lru_cache(maxsize=64)
def locale_of(language: str) -> Locale | None:
    """What Unicode's CLDR knows of a language; None where it knows nothing."""
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        return None


@lru_cache(maxsize=64)
def _day_first(language: str) -> bool | None:
    """By the language's short dates; English alone does not say whose."""
    locale = locale_of(language)
    if language == "en" or locale is None:
        return None
    order = [letter for letter in locale.date_formats["short"].pattern if letter in "dMy"]
    return None if order[:1] == ["y"] else order.index("d") < order.index("M")


@lru_cache(maxsize=64)
def _decimal(language: str) -> str | None:
    locale = locale_of(language)
    found = locale.number_symbols.get("latn", {}).get("decimal") if locale else None
    return found if found in (".", ",") else None
