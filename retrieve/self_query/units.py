"""Units of measurement: which words name them, and which unit a field's name says it is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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


_TABLE: tuple[tuple[str, float, str], ...] = (
    ("time", 0.001, "ms msec millisecond milliseconds millis"),
    ("time", 1, "s sec secs second seconds sekunden sekunde secondes seconde segundos"),
    ("time", 60, "min mins minute minutes minuten minuto minutos mn"),
    ("time", 3600, "h hr hrs hour hours stunde stunden heure heures hora horas"),
    ("time", 86400, "d day days tag tage tagen jour jours dia dias"),
    ("time", 604800, "week weeks wk wks woche wochen semaine semaines semana semanas"),
    ("time", 2629800, "month months mo monat monate monaten mois mes meses"),
    ("time", 31557600, "year years yr yrs jahr jahre jahren an ans annee annees ano anos"),
    ("bytes", 1, "byte bytes"),
    ("bytes", 1e3, "kb kilobyte kilobytes kib"),
    ("bytes", 1e6, "mb megabyte megabytes mib"),
    ("bytes", 1e9, "gb gigabyte gigabytes gib"),
    ("bytes", 1e12, "tb terabyte terabytes"),
    ("length", 0.001, "mm millimeter millimeters millimetre millimetres"),
    ("length", 0.01, "cm centimeter centimeters centimetre centimetres"),
    ("length", 0.0254, "inch inches"),
    ("length", 0.3048, "ft foot feet"),
    ("length", 1, "meter meters metre metres metern metros"),
    ("length", 1000, "km kilometer kilometers kilometre kilometres kilometern kilometros"),
    ("length", 1609.344, "mi mile miles"),
    ("area", 1, "sqm m2 m² qm quadratmeter"),
    ("area", 0.09290304, "sqft ft2 ft²"),
    ("area", 10000, "ha hectare hectares hektar"),
    ("mass", 0.001, "mg milligram milligrams"),
    ("mass", 1, "g gram grams gramm gramme grammes gramos"),
    ("mass", 1000, "kg kilo kilos kilogram kilograms"),
    ("mass", 453.59237, "lb lbs pound_weight"),
    ("energy", 1, "kcal cal calories calorie kalorien"),
    ("percent", 1, "% pct percent percentage prozent pourcent"),
)
_MONEY = (
    ("usd", "$ us$ usd dollar dollars bucks"),
    ("eur", "€ eur euro euros"),
    ("gbp", "£ gbp pound pounds quid"),
    ("chf", "chf francs franken"),
    ("jpy", "¥ jpy yen"),
)
_UNITS = {word: Unit(kind, factor) for kind, factor, words in _TABLE for word in words.split()}
_UNITS |= {word: Unit("money", 1, currency) for currency, words in _MONEY for word in words.split()}
_SCALED = {"k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "mm": 1e6, "mio": 1e6, "million": 1e6, "millions": 1e6,
           "b": 1e9, "bn": 1e9, "billion": 1e9, "billions": 1e9}  # fmt: skip
_MONEY_WORDS = frozenset(
    ["price", "cost", "rent", "fee", "fees", "amount", "salary", "wage", "pay", "revenue", "sales", "turnover", "profit", "income", "budget", "funding", "deposit", "value", "compensation", "earnings", "spend", "tuition", "worth", "grant", "damages", "loss"]
)
_AMBIGUOUS_SUFFIX = frozenset(["m", "s", "h", "d", "g", "b", "k", "an", "mo", "mi", "min"])


def unit_of_word(word: str) -> Unit | None:
    """The unit that a folded word names in a question."""
    return _UNITS.get(word)


def unit_of_field(words: Sequence[str]) -> Unit | None:
    """The unit that a field's name says: minutes for ``cook_minutes``, millions for ``revenue_musd``.

    None: it does not say, so numbers are taken as they stand.
    """
    if not words:
        return None
    money = bool(_MONEY_WORDS & set(words))
    for word in reversed(words):
        for scale, factor in _SCALED.items():
            unit = _UNITS.get(word.removeprefix(scale)) if word.startswith(scale) else None
            if unit is not None and unit.dimension == "money" and word != scale:
                return Unit("money", factor, unit.currency)
        unit = _UNITS.get(word)
        if unit is not None and not (word in _AMBIGUOUS_SUFFIX and word != words[-1]):
            if money and unit.dimension != "money" and word in ("m", "min"):
                continue
            if unit.dimension != "money":
                return unit
            scale = next((_SCALED[other] for other in words if other in _SCALED), 1.0)
            return Unit("money", scale, unit.currency)
    if money:
        return Unit("money", next((_SCALED[other] for other in words if other in _SCALED), 1.0))
    return None


def dimension_words(words: Sequence[str]) -> str | None:
    """The dimension that a field's name suggests without saying a unit (``duration``, ``size``)."""
    found = set(words)
    if found & {"time", "duration", "runtime", "length_time", "downtime", "uptime", "latency", "age"}:
        return "time"
    if found & {"area", "surface", "space"}:
        return "area"
    if found & {"weight", "mass"}:
        return "mass"
    if found & {"distance", "height", "width", "depth"}:
        return "length"
    if found & {"rate", "share", "margin", "percent", "percentage", "pct"}:
        return "percent"
    if found & {"calories", "energy"}:
        return "energy"
    return None
