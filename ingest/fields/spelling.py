"""How a document spells dates and numbers, and what is raised for a value that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

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
def _day_first(language: str) -> bool | None:
    """By the short date of Unicode's CLDR; English alone does not say whose."""
    from babel.dates import get_date_format

    if language == "en":
        return None
    try:
        pattern = get_date_format("short", locale=language.replace("-", "_")).pattern
    except (ValueError, LookupError):
        return None
    order = [letter for letter in pattern if letter in "dMy"]
    return None if order[:1] == ["y"] else order.index("d") < order.index("M")


@lru_cache(maxsize=64)
def _decimal(language: str) -> str | None:
    from babel import Locale

    try:
        symbols = Locale.parse(language.replace("-", "_")).number_symbols
    except (ValueError, LookupError):
        return None
    found = symbols.get("latn", {}).get("decimal")
    return found if found in (".", ",") else None
