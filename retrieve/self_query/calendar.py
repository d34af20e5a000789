"""Dates by themselves: "6 November 2023", "Q3", "last Friday", "the past two weeks", as ranges of days.

Weeks begin on Monday. What lacks a year is the latest such time that has begun.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

Openness = Literal["", "past", "recent"]
Unit = Literal["day", "week", "month", "quarter", "year"]

OLDEST, YOUNGEST = 1000, 2199
"""Years that are understood as years."""


@dataclass(frozen=True)
class Days:
    """A date in a text: ``text[start:end]`` means the days from ``first`` to before ``stop``."""

    start: int
    end: int
    first: date
    stop: date
    bare_year: bool = False
    relative: bool = False
    year_missing: bool = False
    open: Openness = ""
    """past: everything before ``stop``; recent: a range up to today that says so itself."""

    def in_year(self, year: int) -> Days:
        """The same days of another year."""
        shift = year - self.first.year
        return replace(
            self, first=_years_on(self.first, shift), stop=_years_on(self.stop, shift), year_missing=False
        )


_MONTH_NAMES: dict[str, int] = {}
for _number, _names in enumerate(
    (
        "january jan januar janner janvier janv enero ene",
        "february feb februar fevrier fevr febrero",
        "march mar marz mars marzo",
        "april apr avril avr abril abr",
        "may mai mayo",
        "june jun juni juin junio",
        "july jul juli juillet julio",
        "august aug aout agosto",
        "september sep sept septembre septiembre setiembre",
        "october oct oktober okt octobre octubre",
        "november nov novembre noviembre",
        "december dec dezember dez decembre diciembre dic",
    ),
    1,
):
    _MONTH_NAMES |= dict.fromkeys(_names.split(), _number)
_WEEKDAYS: dict[str, int] = {}
for _number, _names in enumerate(
    (
        "monday mon montag lundi lunes",
        "tuesday tue tues dienstag mardi martes",
        "wednesday wed mittwoch mercredi miercoles",
        "thursday thu thurs donnerstag jeudi jueves",
        "friday fri freitag vendredi viernes",
        "saturday sat samstag samedi sabado",
        "sunday sun sonntag dimanche domingo",
    )
):
    _WEEKDAYS |= dict.fromkeys(_names.split(), _number)
_UNITS: dict[str, Unit] = {
    name: unit
    for unit, names in {
        "day": "day days tag tage tagen jour jours dia dias",
        "week": "week weeks woche wochen semaine semaines semana semanas",
        "month": "month months monat monate monaten mois mes meses",
        "quarter": "quarter quarters quartal quartale quartalen trimestre trimestres",
        "year": "year years jahr jahre jahren an ans annee annees ano anos",
    }.items()
    for name in names.split()
}  # type: ignore[misc]
_NUMBERS = {
    name: number
    for number, names in {
        1: "a an one ein eine einem einer un une una",
        2: "two zwei deux dos couple", 3: "three drei trois tres", 4: "four vier quatre cuatro",
        5: "five funf cinq cinco", 6: "six sechs seis", 7: "seven sieben sept siete",
        8: "eight acht huit ocho", 9: "nine neun neuf nueve", 10: "ten zehn dix diez",
        12: "twelve zwolf douze doce", 14: "fourteen", 18: "eighteen", 24: "twenty-four", 30: "thirty",
        60: "sixty", 90: "ninety",
    }.items()
    for name in names.split()
}  # fmt: skip
_ORDINALS = {name: n for n, names in enumerate(("first 1st erstes ersten premier primer", "second 2nd zweites zweiten deuxieme segundo",
             "third 3rd drittes dritten troisieme tercer", "fourth 4th viertes vierten quatrieme cuarto"), 1) for name in names.split()}  # fmt: skip
_SEASONS = {"spring": 3, "fruhling": 3, "printemps": 3, "summer": 6, "sommer": 6, "ete": 6,
            "autumn": 9, "fall": 9, "herbst": 9, "automne": 9, "winter": 12, "hiver": 12}  # fmt: skip
_AMBIGUOUS = {"may", "march", "mar", "mars", "mai", "mes", "sep", "sept", "dec", "jan", "jun", "jul", "oct", "ene", "fall", "spring", "mon", "sun", "sat", "wed",
              "fri", "tue", "thu", "ete", "avr", "dic", "dez"}  # fmt: skip


def _any(names: object) -> str:
    return "(?:" + "|".join(sorted(names, key=len, reverse=True)) + ")"  # type: ignore[call-overload]


_L, _R = r"(?<![^\W_])", r"(?![^\W_])"
_YEAR = rf"(?P<year>1[0-9]\d\d|20\d\d|21\d\d|'\d\d){_R}(?!\s*[%€$£]|[.,]\d)"
_OPT_YEAR = rf"(?:,?\s*(?:of\s+|de\s+|del\s+)?{_YEAR})?"
_MONTH = rf"(?P<month>{_any(_MONTH_NAMES)}){_R}\.?"
_DAY = r"(?P<day>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th|er|\.)?"
_DAY2 = r"(?P<day2>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th|er|\.)?"
_COUNT = rf"(?P<count>\d{{1,3}}|{_any(_NUMBERS)}(?:\s+of)?)"
_UNIT = rf"(?P<unit>{_any(_UNITS)}|hours?|stunden|heures|horas){_R}"
_IN = r"(?<=\bin )|(?<=\bsince )|(?<=\bfrom )|(?<=\buntil )|(?<=\btill )|(?<=\bbefore )|(?<=\bafter )|(?<=\bduring )|(?<=\bby )|(?<=\bthrough )|(?<=\bto )|(?<=\band )|(?<=\bbetween )|(?<=\bim )|(?<=\bseit )|(?<=\ben )|(?<=\bdepuis )|(?<=\bdesde )|(?<=\bvor )|(?<=\bnach )|(?<=\bor )|(?<=\bof )"
_LAST = r"(?P<which>last|latest|previous|prior|preceding|this|current|letzte[nrms]?|vergangene[nrms]?|diese[nrms]?|the past|past)"

_TODAY = {"today": 0, "heute": 0, "aujourd'hui": 0, "hoy": 0, "this morning": 0, "tonight": 0,
          "yesterday": 1, "gestern": 1, "hier": 1, "ayer": 1, "last night": 1, "the day before yesterday": 2, "vorgestern": 2}  # fmt: skip

Reading = Callable[[re.Match[str], date], Days | None]


def atoms(folded: str, today: date) -> Iterator[Days]:
    """The dates of a folded text in order; of those that overlap the first and longest."""
    found: list[Days] = []
    for pattern, reading in _READINGS:
        for match in pattern.finditer(folded):
            try:
                days = reading(match, today)
            except (ValueError, OverflowError):  # 31 February; a million years ago
                continue
            if days is not None:
                found.append(days)
    found.sort(key=lambda days: (days.start, -days.end))
    kept: list[Days] = []
    for days in found:
        if not kept or days.start >= kept[-1].end:
            kept.append(days)
    yield from _lend_years(folded, kept)


_LISTED = re.compile(r"\s*(?:,|and|or|&|/|und|oder|et|ou|y|o|to|-|through|until|bis)\s*(?:in\s+|the\s+)?")


def _lend_years(folded: str, found: list[Days]) -> list[Days]:
    """ "Q1 and Q2 2024": both are of 2024."""
    for i in range(len(found) - 2, -1, -1):
        here, following = found[i], found[i + 1]
        dated = not (following.year_missing or following.relative or following.bare_year)
        if here.year_missing and dated and _LISTED.fullmatch(folded[here.end : following.start]):
            moved = here.in_year(following.first.year)
            found[i] = moved if moved.first <= following.first else here.in_year(following.first.year - 1)
    return found


def _span(match: re.Match[str], first: date, stop: date, **more: object) -> Days:
    return Days(match.start(), match.end(), first, stop, **more)  # type: ignore[arg-type]


def unit_of(day: date, unit: Unit, shift: int = 0) -> tuple[date, date]:
    """The calendar unit around a day, or one before (-1) or after it: first day, and the first one after."""
    if unit == "day":
        first = day + timedelta(days=shift)
        return first, first + timedelta(days=1)
    if unit == "week":
        first = day - timedelta(days=day.weekday()) + timedelta(weeks=shift)
        return first, first + timedelta(weeks=1)
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    first = date(day.year, (day.month - 1) // months * months + 1, 1)
    first = months_on(first, shift * months)
    return first, months_on(first, months)


def months_on(day: date, months: int) -> date:
    """The same day so many months later, or the last one of that month."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _years_on(day: date, years: int) -> date:
    return months_on(day, 12 * years)


def ago(today: date, count: int, unit: Unit) -> date:
    """The day so many units before today."""
    if unit in ("day", "week"):
        return today - timedelta(days=count * (7 if unit == "week" else 1))
    return months_on(today, -count * {"month": 1, "quarter": 3, "year": 12}[unit])


def _year(text: str | None) -> int | None:
    if text is None:
        return None
    if text.startswith("'"):
        short = int(text[1:])
        return short + (2000 if short < 50 else 1900)
    return int(text)


def _iso(match: re.Match[str], _: date) -> Days:
    first = date(int(match["y"]), int(match["m"]), int(match["d"]))
    return _span(match, first, first + timedelta(days=1))


def _slashed(match: re.Match[str], _: date) -> Days:
    a, b, year = int(match["a"]), int(match["b"]), int(match["y"])
    year += 2000 if year < 50 else 1900 if year < 100 else 0
    # The usual orders: 3/14/2024 with slashes, 14.3.2024 with dots.
    month, day = (b, a) if match["sep"] == "." or a > 12 else (a, b)
    first = date(year, month, day)
    return _span(match, first, first + timedelta(days=1))


def _month_year(match: re.Match[str], _: date) -> Days:
    first = date(int(match["y"]), int(match["m"]), 1)
    return _span(match, first, months_on(first, 1))


def _day(match: re.Match[str], today: date) -> Days:
    month, day, year = _MONTH_NAMES[match["month"]], int(match["day"]), _year(match["year"])
    groups = match.groupdict()
    last = int(groups["day2"]) if groups.get("day2") else day
    shown = year if year is not None else today.year
    first = date(shown, month, day)
    if year is None and first > today:
        first = date(shown - 1, month, day)
    stop = date(first.year, month, last) + timedelta(days=1)
    return _span(match, first, stop, year_missing=year is None)


def _month(match: re.Match[str], today: date) -> Days | None:
    year = _year(match["year"])
    name = match["month"]
    if year is None:
        before = match.string[: match.start()]
        if name in _AMBIGUOUS and not re.search(rf"(?:{_IN})$", before):
            return None
        if name in ("mar", "mars") and not before.endswith("en "):
            return None
    return _part_of_year(match, today, date(2000, _MONTH_NAMES[name], 1), 1, year)


def _quarter(match: re.Match[str], today: date) -> Days:
    groups = match.groupdict()
    number = int(groups["q"]) if groups.get("q") else _ORDINALS[groups["ordinal"]]
    return _part_of_year(match, today, date(2000, 3 * number - 2, 1), 3, _year(groups.get("year")))


def _half(match: re.Match[str], today: date) -> Days | None:
    groups = match.groupdict()
    number = int(groups["h"]) if groups.get("h") else _ORDINALS[groups["ordinal"]]
    if number > 2:
        return None
    return _part_of_year(match, today, date(2000, 6 * number - 5, 1), 6, _year(groups.get("year")))


def _season(match: re.Match[str], today: date) -> Days:
    return _part_of_year(match, today, date(2000, _SEASONS[match["season"]], 1), 3, _year(match["year"]))


def _part_of_year(match: re.Match[str], today: date, first: date, months: int, year: int | None) -> Days:
    shown = today.year if year is None else year
    first = first.replace(year=shown)
    if year is None and first > today:
        first = first.replace(year=shown - 1)
    return _span(match, first, months_on(first, months), year_missing=year is None)


def _whole_year(match: re.Match[str], _: date) -> Days | None:
    year = _year(match["year"])
    assert year is not None
    if not OLDEST <= year <= YOUNGEST:
        return None
    return _span(match, date(year, 1, 1), date(year + 1, 1, 1), bare_year=True)


def _fiscal(match: re.Match[str], _: date) -> Days:
    year = int(match["fy"])
    year += 2000 if year < 100 else 0
    return _span(match, date(year, 1, 1), date(year + 1, 1, 1), bare_year=True)


def _decade(match: re.Match[str], _: date) -> Days:
    first = int(match["decade"])
    first += 1900 if 30 <= first < 100 else 2000 if first < 30 else 0
    return _span(match, date(first, 1, 1), date(first + 10, 1, 1))


def _near(match: re.Match[str], today: date) -> Days:
    day = today - timedelta(days=_TODAY[match["word"]])
    return _span(match, day, day + timedelta(days=1), relative=True)


def _count(text: str) -> int:
    text = text.removesuffix(" of").strip()
    return int(text) if text.isdigit() else _NUMBERS[text]


def _amount(match: re.Match[str]) -> tuple[int, Unit]:
    count, unit = _count(match["count"]), match["unit"]
    if unit in _UNITS:
        return count, _UNITS[unit]
    return -(-count // 24), "day"  # hours


def _past_units(match: re.Match[str], today: date) -> Days:
    first = ago(today, *_amount(match))
    return _span(match, first, today + timedelta(days=1), relative=True, open="recent")


def _ago(match: re.Match[str], today: date) -> Days:
    day = ago(today, *_amount(match))
    how = match.groupdict().get("how")
    if how is None:
        return _span(match, day, day + timedelta(days=1), relative=True)
    if how.startswith(
        (
            "less",
            "under",
            "fewer",
            "newer",
            "younger",
            "no older",
            "not older",
            "no more",
            "at most",
            "within",
        )
    ):
        return _span(match, day, today + timedelta(days=1), relative=True, open="recent")
    return _span(match, day, day, relative=True, open="past")


def _this_or_last(match: re.Match[str], today: date) -> Days | None:
    which, unit = match["which"].removeprefix("the "), match["unit"]
    if unit not in _UNITS:
        return None
    if which == "past":
        first = ago(today, 1, _UNITS[unit])
        return _span(match, first, today + timedelta(days=1), relative=True, open="recent")
    this = which.startswith(("this", "current", "diese"))
    return _span(match, *unit_of(today, _UNITS[unit], 0 if this else -1), relative=True)


def _postposed(match: re.Match[str], today: date) -> Days | None:
    """French and Spanish: "la semaine derniere", "el mes pasado"."""
    if match["unit"] not in _UNITS:
        return None
    this = match["which"] in ("ci", "actual", "en cours")
    return _span(match, *unit_of(today, _UNITS[match["unit"]], 0 if this else -1), relative=True)


def _named_last(match: re.Match[str], today: date) -> Days | None:
    """ "last Friday", "last March", "this summer"."""
    this, name = match["which"].startswith(("this", "current", "diese")), match["name"]
    if name in _WEEKDAYS:
        if this:
            day = unit_of(today, "week")[0] + timedelta(days=_WEEKDAYS[name])
        else:
            day = today - timedelta(days=(today.weekday() - _WEEKDAYS[name] - 1) % 7 + 1)
        return _span(match, day, day + timedelta(days=1), relative=True)
    month, length = (_MONTH_NAMES[name], 1) if name in _MONTH_NAMES else (_SEASONS[name], 3)
    first = date(today.year, month, 1)
    if not this and months_on(first, length) > today:
        first = first.replace(year=today.year - 1)
    return _span(match, first, months_on(first, length), relative=True)


def _weekday(match: re.Match[str], today: date) -> Days:
    day = today - timedelta(days=(today.weekday() - _WEEKDAYS[match["name"]] - 1) % 7 + 1)
    return _span(match, day, day + timedelta(days=1), relative=True)


_NAMES = _any([*_MONTH_NAMES, *_SEASONS, *_WEEKDAYS])
_HOW = r"(?:(?P<how>(?:more|less|fewer|older|newer|younger|longer|no older|not older|no more) than|over|under|at least|within)\s+)?"
_READINGS: list[tuple[re.Pattern[str], Reading]] = [
    (re.compile(pattern), reading)
    for pattern, reading in (
        (rf"{_L}(?P<y>[12]\d\d\d)[-/](?P<m>0?[1-9]|1[0-2])[-/](?P<d>3[01]|[12]\d|0?[1-9])(?:t[\d:.]+z?)?{_R}", _iso),
        (rf"(?<![^\W_]|[./])(?P<a>\d{{1,2}})(?P<sep>[./])(?P<b>\d{{1,2}})(?P=sep)(?P<y>\d{{4}}|(?<=/)\d\d){_R}", _slashed),
        (r"(?<![^\W_]|[./-])(?P<y>[12]\d\d\d)-(?P<m>0[1-9]|1[0-2])(?![-\w])", _month_year),
        (r"(?<![^\W_]|[./-])(?P<m>0?[1-9]|1[0-2])/(?P<y>[12]\d\d\d)(?![/\w])", _month_year),
        (rf"{_L}(?:(?:on|between|from)\s+(?:the\s+)?)?{_DAY}\s*(?:-|to|and|bis|through|until)\s*{_DAY2}\s+(?:of\s+|de\s+)?{_MONTH}{_OPT_YEAR}", _day),
        (rf"{_L}(?:(?:between|from)\s+)?{_MONTH}\s+{_DAY}\s*(?:-|to|through)\s*{_DAY2}{_R}{_OPT_YEAR}", _day),
        (rf"{_L}{_DAY}\s*(?:of\s+|de\s+)?{_MONTH}{_OPT_YEAR}", _day),
        (rf"{_L}{_MONTH}\s+(?:the\s+)?{_DAY}{_R}{_OPT_YEAR}", _day),
        (rf"{_L}{_MONTH}{_OPT_YEAR}", _month),
        (rf"{_L}(?P<year>[12]\d\d\d)\s+{_MONTH}", _month),
        (rf"{_L}q(?P<q>[1-4])(?:[\s/-]*(?:fy\s*)?(?:of\s+)?{_YEAR})?{_R}", _quarter),
        (rf"{_L}(?:fy\s*)?(?P<year>[12]\d\d\d)[\s/-]*q(?P<q>[1-4]){_R}", _quarter),
        (rf"{_L}(?P<q>[1-4])q(?:[\s/-]*{_YEAR})?{_R}", _quarter),
        (rf"{_L}(?P<ordinal>{_any(_ORDINALS)})\s+(?:quarter|quartal|trimestre){_R}(?:\s+(?:of|de|von|du|del)?\s*{_YEAR})?", _quarter),
        (rf"{_L}h(?P<h>[12])(?:[\s/-]*{_YEAR})?{_R}", _half),
        (rf"{_L}(?P<ordinal>{_any(_ORDINALS)})\s+half(?:\s+of)?(?:\s+{_YEAR})", _half),
        (rf"{_L}(?P<season>{_any(_SEASONS)}){_R}\s*(?:of\s+)?{_YEAR}", _season),
        (rf"{_L}(?:fiscal(?: year)?|fy|financial year)[\s-]*'?(?P<fy>20\d\d|19\d\d|\d\d){_R}", _fiscal),
        (rf"(?<![^\W_]|[.,#$€£/-]|'){_YEAR}(?!-\d{{1,2}}(?!\d)|/\d)", _whole_year),
        (rf"(?<=\d\d\d\d-){_YEAR}", _whole_year),
        (rf"{_L}(?P<decade>(?:1[0-9]|20)\d0|[1-9]0)'?s{_R}", _decade),
        (rf"{_L}(?P<word>{_any(_TODAY)}){_R}", _near),
        (rf"{_L}(?:the\s+)?(?:last|past|previous|preceding|prior|recent|letzten|vergangenen|derniers|dernieres|ultimos|ultimas|les|los|las)\s+{_COUNT}\s+(?:derniers\s+|dernieres\s+|ultimos\s+|ultimas\s+)?{_UNIT}", _past_units),
        (rf"{_L}{_HOW}{_COUNT}\s+{_UNIT}\s+(?:ago|old){_R}", _ago),
        (rf"{_L}(?P<how>(?:no older|not older|older|newer|younger) than)\s+{_COUNT}\s+{_UNIT}(?!\s+(?:ago|of))", _ago),
        (rf"{_L}(?:vor|il y a|hace)\s+{_COUNT}\s+{_UNIT}", _ago),
        (rf"{_L}(?:earlier\s+|so far\s+)?{_LAST}\s+{_UNIT}(?:\s+to date)?", _this_or_last),
        (rf"{_L}(?:la |le |l'|el )?{_UNIT}\s+(?P<which>derniere?|passee?|pasad[oa]|anterior|precedente?)", _postposed),
        (rf"{_L}(?:the\s+)?{_LAST}\s+(?P<name>{_NAMES}){_R}", _named_last),
        (rf"(?:(?<=\bon )|(?<=\bsince )|(?<=\bbefore )|(?<=\bafter )|(?<=\buntil )|(?<=\bby )|(?<=\bfrom )|(?<=\bam )|(?<=\bseit ))(?P<name>{_any(_WEEKDAYS)}){_R}(?!\s+(?:\d|{_any(_MONTH_NAMES)}))", _weekday),
    )
]  # fmt: skip
