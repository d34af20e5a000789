"""Numbers in a question: amounts with their comparison, scale and unit.

`read_numbers` finds expressions ("over 5 million dollars", "at most half an hour", "3 or more pages")
and says nothing about which field is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from retrieve.self_query.units import Unit, unit_of_word

_SMALL = {
    name: float(number)
    for number, names in {
        0: "zero", 1: "one a an ein eine einem einer un une una", 2: "two zwei deux dos", 3: "three drei trois tres",
        4: "four vier quatre cuatro", 5: "five funf cinq cinco", 6: "six sechs seis", 7: "seven sieben sept siete",
        8: "eight acht huit ocho", 9: "nine neun neuf nueve", 10: "ten zehn dix diez", 11: "eleven elf onze",
        12: "twelve dozen zwolf douze doce", 13: "thirteen", 14: "fourteen", 15: "fifteen quinze quince",
        16: "sixteen", 17: "seventeen", 18: "eighteen", 19: "nineteen", 20: "twenty zwanzig vingt veinte",
        30: "thirty dreissig trente treinta", 40: "forty vierzig quarante cuarenta", 45: "forty-five", 50: "fifty funfzig cinquante cincuenta",
        60: "sixty sechzig soixante sesenta", 70: "seventy", 80: "eighty", 90: "ninety neunzig noventa",
    }.items()
    for name in names.split()
}  # fmt: skip
_SCALES = {
    "hundred": 1e2, "hundert": 1e2, "cent": 1e2, "cien": 1e2,
    "k": 1e3, "thousand": 1e3, "tsd": 1e3, "tausend": 1e3, "mille": 1e3, "mil": 1e3,
    "m": 1e6, "mn": 1e6, "mm": 1e6, "mio": 1e6, "million": 1e6, "millions": 1e6, "millionen": 1e6, "millones": 1e6,
    "b": 1e9, "bn": 1e9, "billion": 1e9, "billions": 1e9, "mrd": 1e9, "milliarden": 1e9, "milliards": 1e9,
    "trillion": 1e12,
}  # fmt: skip
_CURRENCY = r"us\$|[$€£¥]|usd|eur|gbp|chf"
_DIGITS = r"\d+(?:[,.' ]\d{3})*(?:[.,]\d+)?"
_ANY_SMALL = "|".join(sorted(_SMALL, key=len, reverse=True))
_ANY_SCALE = "|".join(sorted(_SCALES, key=len, reverse=True))
_ARTICLES = frozenset(["a", "an", "ein", "eine", "einem", "einer", "un", "une", "una"])
_NUMBER = re.compile(
    rf"(?<![^\W_]|[.#@])(?P<currency>(?:{_CURRENCY})\s?)?"
    rf"(?:(?P<quarter>a quarter of an?|quarter of an?|eine viertel)(?=\s)|(?P<half>half an?|half|eine halbe|une demi-?|media)(?=\s)|(?P<digits>{_DIGITS})|(?:an?\s+(?=dozen))?(?P<word>(?:{_ANY_SMALL})(?:-(?:{_ANY_SMALL}))?(?![^\W_])))"
    rf"(?P<and_half>\s+and a half(?![^\W_]))?"
    rf"(?:[\s-]*(?P<scale>(?:{_ANY_SCALE})(?:\s+(?:thousand|million|billion))?)(?![^\W_]))?"
    rf"(?P<more>\+)?(?:\s*(?P<percent>%)|[\s-]*(?P<unit>[$€£]|(?:[^\W\d_]+)[²2]?))?"
)

_OPENINGS: tuple[tuple[str, str], ...] = (
    ("lte", r"no more than|not more than|not over|not above|no longer than|no larger than|no bigger than|at most|at max|up to|max(?:imum)?(?: of)?\.?|no higher than|capped at|within|<=|≤|hochstens|maximal|bis zu|"
            r"au plus|au maximum|jusqu'a|como maximo|a lo sumo|hasta"),
    ("gte", r"no less than|not less than|no fewer than|not fewer than|not under|not below|at least|at minimum|min(?:imum)?(?: of)?\.?|upwards? of|starting (?:at|from)|>=|≥|mindestens|au moins|al menos|por lo menos|from|ab"),
    ("gt", r"(?:more|greater|higher|larger|bigger|longer|taller|later|better|older|pricier|heavier|more expensive|wider|stronger) than|over|above|exceed(?:s|ing)?|beyond|past|north of|>|mehr als|uber|langer als|plus de|superieure? a|mas de|superior a|more then"),
    ("lt", r"(?:less|fewer|lower|smaller|shorter|cheaper|younger|quicker|faster|sooner|lighter|newer|narrower) than|under|below|beneath|south of|<|weniger als|unter|kurzer als|moins de|inferieure? a|menos de|inferior a"),
    ("eq", r"exactly|precisely|equal to|equals|=|genau|exactement|exactamente|:"),
)  # fmt: skip
_OPENING = [(op, re.compile(rf"(?<![^\W_])(?:{words})\s*(?:the\s+|of\s+)?$")) for op, words in _OPENINGS]
_CLOSINGS = (
    ("gte", re.compile(r"\s*(?:or|and|oder|ou|o)\s+(?:more|higher|above|greater|up|better|longer|larger|over|older|bigger|upwards?|mehr|plus|mas)(?![^\W_])|\s*(?:plus|minimum|min|upwards?|at least|mindestens)(?![^\W_])")),
    ("lte", re.compile(r"\s*(?:or|and|oder|ou|o)\s+(?:less|fewer|lower|below|under|cheaper|shorter|smaller|weniger|moins|menos)(?![^\W_])|\s*(?:tops|max|maximum|at most|hochstens)(?![^\W_])")),
)  # fmt: skip
_RATE = re.compile(r"(?:\d|[€$£]|k|euros?|dollars?|pounds?|usd|eur|gbp|times?|once)\s+$")
_BETWEEN = re.compile(r"(?<![^\W_])(?:between|zwischen|entre|from|von|de)\s+(?:the\s+)?$")
_JOIN = re.compile(r"\s*(?:and|und|et|y|to|bis|a|-)\s*")
_NOT_UNITS = frozenset(["or", "and", "to", "in", "of", "on", "at", "by", "for", "from", "with", "the", "a", "is", "are", "was", "were", "that", "which", "who", "per", "tops", "max", "up", "plus", "about"])  # fmt: skip


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

    @property
    def value(self) -> float | None:
        """The number, where equality is meant."""
        return self.low if self.low == self.high and not (self.low_open or self.high_open) else None


def read_numbers(folded: str, taken: Sequence[tuple[int, int]] = ()) -> list[NumberSpan]:
    """The number expressions of a folded question, in order; those inside ``taken`` places are left out."""
    found = [
        span
        for span in _numbers(folded)
        if not any(span.number_start < end and start < span.end for start, end in taken)
    ]
    spans: list[NumberSpan] = []
    position = 0
    while position < len(found):
        here = found[position]
        following = found[position + 1] if position + 1 < len(found) else None
        joined = _joined(folded, here, following) if following is not None else None
        spans.append(joined or _compared(folded, here))
        position += 2 if joined else 1
    return spans


def _numbers(folded: str) -> Iterator[NumberSpan]:
    for match in _NUMBER.finditer(folded):
        value = _value(match)
        if value is None:
            continue
        scale = match["scale"]
        for part in (scale or "").split():
            value *= _SCALES[part]
        word, end, word_end = _unit_word(match)
        unit = unit_of_word("%" if match["percent"] else (match["currency"] or "").strip() or word)
        if unit is None and scale in ("m", "k", "b") and not word:
            word = scale
        if match["word"] in _ARTICLES and not scale:
            if unit is None or unit.dimension == "money" or _RATE.search(folded[: match.start()]):
                continue  # an article: "20 euros an hour"
        if unit is not None:
            end = word_end
        op_more = match["more"] is not None
        yield NumberSpan(
            match.start(), end, value, None if op_more else value, unit=unit, unit_word=word,
            number_start=match.start(), word_end=word_end,
        )  # fmt: skip


def _unit_word(match: re.Match[str]) -> tuple[str, int, int]:
    """The word after the number, the number's end, and the word's."""
    groups = [
        name
        for name in ("digits", "word", "half", "quarter", "and_half", "scale", "more", "percent")
        if match[name]
    ]
    end = max(match.end(name) for name in groups)
    word = match["unit"] or ""
    if not word or word in _NOT_UNITS:
        return "", end, end
    return word, end, match.end("unit")


def _value(match: re.Match[str]) -> float | None:
    if match["half"] or match["quarter"]:
        return 0.5 if match["half"] else 0.25
    if match["and_half"]:
        return (_parse(match["digits"]) or 0.0 if match["digits"] else _SMALL.get(match["word"], 0.0)) + 0.5
    if match["word"]:
        return (
            sum(_SMALL[part] for part in match["word"].split("-"))
            if match["word"] not in _SMALL
            else _SMALL[match["word"]]
        )
    return _parse(match["digits"])


def _parse(digits: str) -> float | None:
    plain = digits.replace(" ", "").replace("'", "")
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", plain):
        plain = plain.replace(",", "")
    elif re.fullmatch(r"\d{1,3}(\.\d{3})+(,\d+)?", plain):
        plain = plain.replace(".", "").replace(",", ".")
    else:
        plain = plain.replace(",", ".")
    try:
        return float(plain)
    except ValueError:
        return None


def _joined(folded: str, left: NumberSpan, right: NumberSpan) -> NumberSpan | None:
    """ "between 3 and 5", "3 to 5", "3-5"."""
    gap = folded[left.end : right.number_start]
    opening = _BETWEEN.search(folded[: left.number_start])
    if not _JOIN.fullmatch(gap) or not (opening or gap.strip() in ("to", "-", "bis")):
        return None
    low, high = left.low, right.low
    if low is None or high is None:
        return None
    scale = _shared_scale(folded, left, right)
    if low * scale > high:
        return None
    start = opening.start() if opening else left.start
    unit = right.unit or left.unit
    return replace(
        right,
        start=start,
        low=low * scale,
        high=high,
        unit=unit,
        number_start=left.number_start,
        cue="between",
    )


def _shared_scale(folded: str, left: NumberSpan, right: NumberSpan) -> float:
    """ "between 100 and 750 million" means 100 million."""

    def scale(span: NumberSpan) -> float:
        match = _NUMBER.match(folded, span.number_start)
        factor = 1.0
        for part in ((match["scale"] if match else None) or "").split():
            factor *= _SCALES[part]
        return factor

    shared = scale(right)
    assert left.low is not None and right.low is not None
    return shared if scale(left) == 1 and left.low < right.low / shared else 1.0


def _compared(folded: str, span: NumberSpan) -> NumberSpan:
    value = span.low
    before = folded[: span.number_start]
    for op, pattern in _OPENING:
        match = pattern.search(before)
        if match:
            cue = match[0].strip()
            if (
                op == "gte"
                and cue in ("from", "ab")
                and not re.match(r"\s*(?:on|up|upwards?)(?![^\W_])", folded[span.end :])
                and not (span.unit or span.unit_word)
            ):
                break
            return replace(_bounded(span, op, value), start=match.start(), cue=cue)
    for op, pattern in _CLOSINGS:
        for end in (span.end, span.word_end):
            if match := pattern.match(folded, end):
                return replace(
                    _bounded(span, op, value),
                    end=match.end(),
                    word_end=max(match.end(), span.word_end),
                    cue=match[0].strip(),
                )
    return span


def _bounded(span: NumberSpan, op: str, value: float | None) -> NumberSpan:
    if op in ("gt", "gte"):
        return replace(span, low=value, high=None, low_open=op == "gt")
    if op in ("lt", "lte"):
        return replace(span, low=None, high=value, high_open=op == "lt")
    return replace(span, low=value, high=value)
