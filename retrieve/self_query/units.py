"""Units of measurement: which words name them, and which unit a field's name says it is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from retrieve.self_query.lexicon import amount_words, field_words
from retrieve.self_query.text import fold

_NOT_WITH_MONEY = ("m", "min")
"""Words in the names of fields of money that are no units: ``price_min``."""
LETTERS = 2
"""Scales of so many letters may be something else in the name of a field that is not of money."""


@dataclass(frozen=True)
class Unit:
    """A unit: ``factor`` turns an amount into the dimension's own unit."""

    dimension: str
    factor: float
    currency: str = ""
    """Which money; amounts of two currencies are not compared."""

    def convert(self, amount: float, other: Unit) -> float | None:
        """An amount of this unit in another; None when they do not compare."""
        if self.dimension != other.dimension:
            return None
        if self.currency and other.currency and self.currency != other.currency:
            return None
        # Rounded where floating point would show: 1.2e9 / 1e6 is 1200.
        return float(f"{amount * self.factor / other.factor:.12g}")


@lru_cache(maxsize=1)
def _units() -> Mapping[str, Unit]:
    known = amount_words()
    found = {
        name: Unit(dimension, unit.factor)
        for dimension, units in known.units.items()
        for unit in units
        for name in unit.names
    }
    return found | {
        name: Unit("money", 1, currency) for currency, names in known.currencies.items() for name in names
    }


def unit_of_word(word: str) -> Unit | None:
    """The unit that a folded word names in a question."""
    return _units().get(word)


def rates_known() -> tuple[str, ...]:
    """The names of units that are two with a stroke: ``km/h``."""
    return tuple(name for name in _units() if "/" in name)


def declared_unit(name: str) -> Unit | None:
    """The unit that an owner declares for a field, where it is one that we know; ``m`` are metres there."""
    plain = fold(name).strip().replace("²", "2").replace("³", "3")
    return Unit("length", 1.0) if plain == "m" else unit_of_word(plain)


def unit_of_field(words: Sequence[str]) -> Unit | None:
    """The unit that a field's name says: minutes for ``cook_minutes``, millions for ``revenue_musd``.

    None: it does not say, so numbers are taken as they stand.
    """
    money = bool(field_words().money & set(words))
    for word in reversed(words):
        if unit := _scaled_money(word):
            return unit
        unit = unit_of_word(word)
        if unit is None or (word in amount_words().ambiguous and word != words[-1]):
            continue
        if unit.dimension == "money":
            return Unit("money", _scale(words), unit.currency)
        if not (money and word in _NOT_WITH_MONEY):
            return unit
    if words[-1:] == ["m"] and dimension_words(words) == "length":
        return Unit("length", 1.0)  # ``ascent_m``; of other fields an m may be millions
    return Unit("money", _scale(words)) if money else None


def _scaled_money(word: str) -> Unit | None:
    """The unit of ``musd``."""
    for scale, factor in amount_words().field_scale_of.items():
        if word.startswith(scale) and word != scale:
            unit = unit_of_word(word.removeprefix(scale))
            if unit is not None and unit.dimension == "money":
                return Unit("money", factor, unit.currency)
    return None


def _scale(words: Sequence[str]) -> float:
    scales = amount_words().field_scale_of
    return next((scales[word] for word in words if word in scales), 1.0)


def scale_of_name(words: Sequence[str]) -> float:
    """The power of ten that a field's name spells out: 1,000 for ``listeners_thousand``."""
    return _scale([word for word in words if len(word) > LETTERS])


def dimension_words(words: Sequence[str]) -> str | None:
    """The dimension that a field's name suggests without saying a unit (``duration``, ``size``)."""
    found = set(words)
    return next((name for name, telling in field_words().dimensions.items() if found & telling), None)
