"""Numbers in a question: amounts with their comparison, scale and unit.

`read_numbers` finds expressions ("over 5 million dollars", "at most half an hour", "3 or more pages")
and says nothing about which field is meant.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from retrieve.self_query.lexicon import amount_words
from retrieve.self_query.question import ending_at
from retrieve.self_query.units import Unit, rates_known, unit_of_word

_DIGITS = r"\d+(?:[,.' ]\d{3})*(?:[.,]\d+)?"
_NOUN = r"(?:(?:'s?|\s+of(?:\s+the)?)?\s+[^\W\d_]+)?"
"""What may stand between an amount and the words that close it: "half an hour's downtime at most"."""
_MOST, _LEAST = (rf"at (?:the )?(?:very )?{word}" for word in ("(?:most|best)", "least"))
_CLOSINGS = (
    (
        "gte",
        re.compile(
            rf"{_NOUN}\s*(?:or|and|oder|ou|o)\s+"
            r"(?:more|higher|above|greater|up|better|longer|larger|over|older|bigger|hotter|warmer|later|newer|upwards?"
            r"|beyond|mehr|hoher|plus|mas)(?![^\W_])"
            rf"|\s*(?:plus|min|upwards?|mindestens)(?![^\W_])|{_NOUN}\s*(?:minimum|{_LEAST})(?![^\W_])"
        ),
    ),
    (
        "lte",
        re.compile(
            rf"{_NOUN}\s*(?:or|and|oder|ou|o)\s+"
            r"(?:less|fewer|lower|below|under|cheaper|shorter|smaller|earlier|weniger|moins|menos)(?![^\W_])"
            rf"|\s*(?:tops|max|hochstens)(?![^\W_])|{_NOUN}\s*(?:maximum|{_MOST})(?![^\W_])"
        ),
    ),
)
_RATE = re.compile(r"(?:\d|[€$£]|k|euros?|dollars?|pounds?|usd|eur|gbp|times?|once)\s+$")
_BETWEEN = re.compile(r"(?<![^\W_])(?:between|zwischen|entre|from|von|de)\s+(?:the\s+)?$")
_JOIN = re.compile(r"\s*(?:and|und|et|y|to|bis|a|-)\s*")
_ALSO = re.compile(r"\s*,?\s*(?:and|but|und|et|y)\s*")
_UPWARDS = re.compile(r"\s*(?:on|up|upwards?)(?![^\W_])")
LARGEST = 1e18
"""Numbers beyond it are not read: no field counts that far."""
LONGEST_GAP = 40
"""Characters between two numbers that may be the ends of one range."""


@lru_cache(maxsize=1)
def _number() -> re.Pattern[str]:
    """A number, in digits or words, with what may stand around it: currency, scale, unit."""
    known = amount_words()
    small = "|".join(sorted(known.number_of, key=len, reverse=True))
    scale = "|".join(sorted(known.scale_of, key=len, reverse=True))
    rates = "|".join(rf"{name}(?![^\W_])" for name in rates_known())
    quarter = r"(?P<quarter>three quarters of an?|a quarter of an?|quarter of an?|eine viertel)(?=\s)"
    half = r"(?P<half>half an?|half|eine halbe|une demi-?|media)(?=\s)"
    word = rf"(?:an?\s+(?=dozen))?(?P<word>(?:{small})(?:-(?:{small}))?(?![^\W_]))"
    return re.compile(
        rf"(?<![^\W_]|[.#@])(?P<currency>(?:{'|'.join(known.currency_signs)})\s?)?"
        rf"(?:{quarter}|{half}|(?P<digits>{_DIGITS})|{word})"
        rf"(?P<and_half>\s+and a half(?![^\W_]))?"
        rf"(?:[\s-]*(?P<scale>(?:{scale})(?:\s+(?:thousand|million|billion))?)(?![^\W_]|/s))?"
        rf"(?P<more>\+)?(?:\s*(?P<percent>%)|[\s-]*(?P<unit>[$€£]|{rates}|(?:[^\W\d_]+)[²2³3]?))?"
        r"(?P<half_more>(?<=[rs])\s+and a half(?![^\W_]))?"
    )


@lru_cache(maxsize=1)
def _openings() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """What may stand before a number, and which comparison it means."""
    return tuple(
        (comparison, re.compile(rf"(?<![^\W_])(?:{'|'.join(said)})\s*(?:the\s+|of\s+)?$"))
        for comparison, said in amount_words().before.items()
    )


@dataclass(frozen=True)
class NumberSpan:
    """A number expression: ``question[start:end]``; bounds are as written, scales applied, units not."""

    start: int
    end: int
    low: float | None
    high: float | None
    low_open: bool = False
    """The bound itself does not count."""
    high_open: bool = False
    unit: Unit | None = None
    unit_word: str = ""
    """The word after the number, folded; whether it is a unit or not."""
    number_start: int = 0
    """Where the number itself begins, after "more than" and the like."""
    cue: str = ""
    """The words of comparison before the number."""
    word_end: int = 0
    """Where the word after the number ends."""
    amount_end: int = 0
    """Where the amount ends, if words of comparison stand behind it."""
    named: tuple[str, NumberSpan] | None = None
    """A word between a comparison and the number ("above force 5"); what is meant if it names the field."""
    told: bool = False
    """The field's name stands between its comparison and the number."""
    metres: bool = False
    """Its scale is an "m": millions, or metres where the field is a length."""

    @property
    def value(self) -> float | None:
        """The number, where equality is meant."""
        return self.low if self.low == self.high and not (self.low_open or self.high_open) else None


def in_metres(span: NumberSpan) -> NumberSpan:
    """ "1200 m", read as millions, as the metres that they are."""
    scale = amount_words().scale_of["m"]
    low, high = (None if value is None else value / scale for value in (span.low, span.high))
    return replace(span, low=low, high=high, unit=unit_of_word("metres"), metres=False)


def read_numbers(folded: str) -> list[NumberSpan]:
    """The number expressions of a folded question, in order."""
    return compared(folded, bare_numbers(folded))


def compared(folded: str, numbers: Sequence[NumberSpan]) -> list[NumberSpan]:
    """Numbers with the words of comparison around them; two that are the ends of a range are one."""
    spans: list[NumberSpan] = []
    position = 0
    while position < len(numbers):
        pair = numbers[position : position + 2]
        joined = _joined(folded, *pair) if len(pair) == 2 else None
        span = joined or _compared(folded, pair[0])
        closed = _closed(folded, spans[-1], span) if spans else None
        spans[len(spans) - (closed is not None) :] = [closed or span]
        position += 2 if joined else 1
    return spans


def bare_numbers(folded: str) -> list[NumberSpan]:
    """The numbers of a folded question with their scales and units, in order."""
    return [span for match in _number().finditer(folded) if (span := _bare(match)) is not None]


def _bare(match: re.Match[str]) -> NumberSpan | None:
    value = _value(match)
    if value is None or (value := value * _scale(match)) > LARGEST:
        return None
    word, end, word_end = _unit_word(match)
    unit = unit_of_word("%" if match["percent"] else (match["currency"] or "").strip() or word)
    if unit is None and match["scale"] in ("m", "k", "b") and not word:
        word = match["scale"]
    if match["word"] in amount_words().articles and not match["scale"]:
        rate = ending_at(_RATE, match.string, match.start())
        if unit is None or unit.dimension == "money" or rate:
            return None  # an article: "20 euros an hour"
    return NumberSpan(
        match.start(),
        end if unit is None else word_end,
        value,
        None if match["more"] else value,
        unit=unit,
        unit_word=word,
        number_start=match.start(),
        word_end=word_end,
        metres=unit is None and match["scale"] == "m",
    )


def _scale(match: re.Match[str] | None) -> float:
    parts = ((match["scale"] if match else None) or "").split()
    return math.prod((amount_words().scale_of[part] for part in parts), start=1.0)


_PARTS = ("digits", "word", "half", "quarter", "and_half", "scale", "more", "percent")


def _unit_word(match: re.Match[str]) -> tuple[str, int, int]:
    """The word after the number, the number's end, and the word's."""
    end = max(match.end(name) for name in _PARTS if match[name])
    word = match["unit"] or ""
    if not word or word in amount_words().no_units:
        return "", end, end
    return word, end, match.end("half_more" if match["half_more"] else "unit")


def _value(match: re.Match[str]) -> float | None:
    if match["half"] or match["quarter"]:
        return 0.5 if match["half"] else 0.75 if match["quarter"].startswith("three") else 0.25
    value = _in_words(match["word"]) if match["word"] else _parse(match["digits"])
    return value + 0.5 if value is not None and (match["and_half"] or match["half_more"]) else value


def _in_words(word: str) -> float:
    known = amount_words().number_of
    return known[word] if word in known else sum(known[part] for part in word.split("-"))


_ENGLISH = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_GERMAN = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?")


def _parse(digits: str) -> float | None:
    """A number in digits: 1,200.5 and 1.200,5 alike."""
    plain = digits.replace(" ", "").replace("'", "")
    if _ENGLISH.fullmatch(plain):
        plain = plain.replace(",", "")
    elif _GERMAN.fullmatch(plain):
        plain = plain.replace(".", "").replace(",", ".")
    else:
        plain = plain.replace(",", ".")
    try:
        return float(plain)
    except ValueError:  # 1.234,567.8
        return None


def _joined(folded: str, left: NumberSpan, right: NumberSpan) -> NumberSpan | None:
    """ "between 3 and 5", "3 to 5", "3-5"."""
    if left.low is None or right.low is None:
        return None
    gap = folded[left.end : right.number_start][: LONGEST_GAP + 1]
    if len(gap) > LONGEST_GAP or not _JOIN.fullmatch(gap):
        return None
    opening = ending_at(_BETWEEN, folded, left.number_start)
    if not (opening or gap.strip() in ("to", "-", "bis")):
        return None
    low, high = left.low * _shared_scale(folded, left, right), right.low
    if low > high:
        return None
    return replace(
        right,
        start=opening.start() if opening else left.start,
        low=low,
        high=high,
        unit=right.unit or left.unit,
        number_start=left.number_start,
        cue="between",
    )


def _closed(folded: str, left: NumberSpan, right: NumberSpan) -> NumberSpan | None:
    """ "At least 40 and at most 80 euros": two bounds that stand together are one range."""
    end = max(left.end, left.word_end if left.unit or left.unit_word else left.end)
    if not (left.cue and right.cue and _ALSO.fullmatch(folded[end : right.start][: LONGEST_GAP + 1])):
        return None
    if left.low is None or left.high is not None or right.high is None or right.low is not None:
        return None
    if left.low > right.high or left.unit_word not in ("", right.unit_word):
        return None  # "at least 4 stars and at most 200 euros" are two
    return replace(
        right,
        start=left.start,
        low=left.low,
        low_open=left.low_open,
        number_start=left.number_start,
        cue="between",
    )


def _shared_scale(folded: str, left: NumberSpan, right: NumberSpan) -> float:
    """ "between 100 and 750 million" means 100 million."""
    own, shared = (_scale(_number().match(folded, span.number_start)) for span in (left, right))
    low, high = left.low or 0.0, right.low or 0.0
    return shared if own == 1 and low < high / shared else 1.0


def _compared(folded: str, span: NumberSpan) -> NumberSpan:
    for comparison, pattern in _openings():
        if match := ending_at(pattern, folded, span.number_start):
            cue = match[0].strip()
            if cue in ("from", "ab") and not _is_open(folded, span):
                break
            return replace(_bounded(span, comparison), start=match.start(), cue=cue)
    for comparison, pattern in _CLOSINGS:
        for end in (span.end, span.word_end):
            if match := pattern.match(folded, end):
                bounded, cue = _bounded(span, comparison), match[0].strip()
                last = max(match.end(), span.word_end)
                return replace(bounded, end=match.end(), word_end=last, amount_end=end, cue=cue)
    return _named(folded, span)


_NAME = re.compile(r"(?<![^\W_])([^\W\d_]+)\s+$")


def _named(folded: str, span: NumberSpan) -> NumberSpan:
    """ "above force 5": a comparison only of a field that is called so."""
    name = ending_at(_NAME, folded, span.number_start)
    if name is None:
        return span
    for comparison, pattern in _openings():
        if match := ending_at(pattern, folded, name.start()):
            meant = replace(_bounded(span, comparison), start=match.start(), cue=match[0].strip(), told=True)
            return replace(span, named=(name[1], meant))
    return span


def _is_open(folded: str, span: NumberSpan) -> bool:
    """Whether "from 5" means 5 and more: where a unit or "up" follows."""
    return bool(span.unit or span.unit_word or _UPWARDS.match(folded, span.end))


def _bounded(span: NumberSpan, comparison: str) -> NumberSpan:
    value = span.low
    if comparison in ("gt", "gte"):
        return replace(span, low=value, high=None, low_open=comparison == "gt")
    if comparison in ("lt", "lte"):
        return replace(span, low=None, high=value, high_open=comparison == "lt")
    return replace(span, low=value, high=value)
