"""Numbers as people write them (``1.200,5``, ``$5 million``, ``3.2 GB``), in the unit of their field."""

from __future__ import annotations

import re
from decimal import Decimal

from ingest.fields.spelling import LONGEST, Spelling, UnfitError
from retrieve.self_query.lexicon import amount_words
from retrieve.self_query.numbers import bare_numbers
from retrieve.self_query.text import fold, stem
from retrieve.self_query.units import Unit, declared_unit, unit_of_word

_NUMBER = re.compile(
    r"(?P<sign>[-+])?\s*(?P<before>[^\W\d_]{1,4}\$?|[$€£¥])?\s*(?P<inner>[-+])?"
    r"(?P<digits>\d[\d.,' _]*|[.,]\d+)(?P<exponent>e[-+]?\d{1,3}(?![^\W_]))?\s*(?P<after>\D.{0,40})?"
)
_LIKE_A_UNIT = re.compile(r"[°µμ]?[^\W\d_]{1,20}(?:/[^\W\d_]{1,10})?[23]?")
_GROUPED = {separator: re.compile(rf"\d{{1,3}}(?:{re.escape(separator)}\d{{3}})+") for separator in "., '_"}


def unit_named(name: str) -> Unit:
    """The unit that a declared name means; one that is not known ("pages") compares with itself alone."""
    return declared_unit(name) or Unit(stem(fold(name).strip()), 1.0)


def read_number(text: str, unit: Unit | None, spelling: Spelling) -> Decimal:
    """The number that a text is, in the field's unit; one without a unit is taken to be in it.

    Args:
        unit: the field's; None: it has none, and then a text with a unit does not fit.

    Raises:
        UnfitError: it is no number, has a unit that does not compare, or could be two numbers.
    """
    plain = " ".join(fold(text).split()).replace("−", "-")
    match = _NUMBER.fullmatch(plain) if len(plain) <= LONGEST else None
    if match is None:
        return _in_words(plain, unit)
    number = _digits(match["digits"].strip(), spelling) * (
        Decimal(10) ** int((match["exponent"] or "e0")[1:])
    )
    if "-" in (match["sign"], match["inner"]):
        number = -number
    scale, found = _scale_and_unit(match["before"] or "", (match["after"] or "").strip(), unit)
    return _converted(number * scale, found, unit)


def _scale_and_unit(before: str, after: str, unit: Unit | None) -> tuple[Decimal, Unit | None]:
    """The scale ("million") and the unit that stand around a number."""
    known = unit_of_word(before) if before else None
    if before and known is None:
        raise UnfitError("is no number")
    words, scale = after.split(), Decimal(1)
    letters = unit is None or unit.dimension == "money"  # "5 m" are five metres elsewhere
    while words and words[0] in amount_words().scale_of and (letters or len(words[0]) > 1):
        scale *= Decimal(amount_words().scale_of[words.pop(0)])
    rest = " ".join(words)
    found = _unit(rest, unit) if rest else None
    if rest and found is None:
        raise _not_known(rest, unit)
    if known and found and known != found:
        raise UnfitError("has two units")
    return scale, known or found


def _unit(words: str, unit: Unit | None) -> Unit | None:
    """The unit that words name, beside a field's own."""
    if unit is not None and stem(words) == unit.dimension:
        return unit
    if unit is not None and unit.dimension == "mass" and words in ("pound", "pounds"):  # money elsewhere
        words = "lb"
    return declared_unit(words)


def _not_known(words: str, unit: Unit | None) -> UnfitError:
    """What is wrong with what follows a number."""
    if not _LIKE_A_UNIT.fullmatch(words):
        return UnfitError("is no number")
    if unit is None:
        return UnfitError("has a unit, and the field has none; ingest.fields can declare one")
    return UnfitError(f"has a unit that is not known: {words}")


def _converted(number: Decimal, found: Unit | None, unit: Unit | None) -> Decimal:
    if found is None or found == unit:
        return number
    if unit is None:
        raise UnfitError("has a unit, and the field has none; ingest.fields can declare one")
    converted = found.convert(float(number), unit)
    if converted is None:
        raise UnfitError("is in a unit that the field's unit does not compare with")
    return Decimal(str(converted))


def _digits(text: str, spelling: Spelling) -> Decimal:
    """Digits with separators; where one could be either kind, the language decides.

    Without a language, ``1,200`` has thousands and ``1.200`` a fraction, as in programs.
    """
    for separator in " '_":  # never before a fraction
        if separator in text:
            whole, mark, fraction = _cut_fraction(text)
            if not _GROUPED[separator].fullmatch(whole):
                raise UnfitError("is no number")
            return _decimal(whole.replace(separator, ""), fraction if mark else "")
    marks = [mark for mark in ".," if mark in text]
    if not marks:
        return Decimal(text)
    if len(marks) == 1:
        mark = marks[0]
        whole, _, fraction = text.rpartition(mark)
        grouped = bool(_GROUPED[mark].fullmatch(text)) and not text.startswith("0")
        if text.count(mark) > 1 or (grouped and _parts_thousands(mark, spelling)):
            if not grouped:
                raise UnfitError("is no number")
            return Decimal(text.replace(mark, ""))
        return _decimal(whole, fraction)
    last = max(marks, key=text.rfind)
    other = marks[1 - marks.index(last)]
    whole, _, fraction = text.rpartition(last)
    if last in whole or not _GROUPED[other].fullmatch(whole):
        raise UnfitError("is no number")
    return _decimal(whole.replace(other, ""), fraction)


def _parts_thousands(mark: str, spelling: Spelling) -> bool:
    decimal = spelling.decimal()
    return mark != decimal if decimal is not None else mark == ","


def _cut_fraction(text: str) -> tuple[str, str, str]:
    match = re.fullmatch(r"(.*?)([.,])(\d*)", text)
    return (match[1], match[2], match[3]) if match else (text, "", "")


def _decimal(whole: str, fraction: str) -> Decimal:
    if not (whole + fraction).isdecimal():
        raise UnfitError("is no number")
    return Decimal(f"{whole or '0'}.{fraction or '0'}")


def _in_words(folded: str, unit: Unit | None) -> Decimal:
    """ "Five million"."""
    spans = bare_numbers(folded) if len(folded) <= LONGEST else []
    if len(spans) != 1 or (spans[0].start, spans[0].word_end) != (0, len(folded)):
        raise UnfitError("is no number")
    span = spans[0]
    if span.value is None or (span.unit_word and span.unit is None):
        raise UnfitError("is no number")
    return _converted(Decimal(str(span.value)), span.unit, unit)
