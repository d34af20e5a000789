"""Dates by themselves in a text: "6 November 2023", "Q3", "last Friday", "the past two weeks"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import lru_cache

from retrieve.self_query import occasions, readings
from retrieve.self_query.calendar import Days
from retrieve.self_query.calendar_words import calendar_words
from retrieve.self_query.word_tables import any_of

Reading = Callable[[re.Match[str], date], Days | None]

LONGEST_GAP = 60
"""Characters between two dates that may belong together."""
_LISTED = re.compile(
    r"\s*(?:,|and|or|&|/|und|oder|et|ou|y|o|to|-|through|until|bis)\s*(?:in\s+|the\s+)?",
)


def atoms(folded: str, today: date) -> list[Days]:
    """The dates of a folded text in order; of those that overlap the first and longest."""
    found: list[Days] = []
    for pattern, reading in _patterns():
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
    return _lend_years(folded, kept)


def between(folded: str, left: Days, right: Days) -> str:
    """What stands between two dates; something that joins nothing where it is long."""
    return folded[left.end : right.start] if right.start - left.end <= LONGEST_GAP else "..."


def _lend_years(folded: str, found: list[Days]) -> list[Days]:
    """ "Q1 and Q2 2024": both are of 2024."""
    for i in range(len(found) - 2, -1, -1):
        here, following = found[i], found[i + 1]
        dated = not (following.year_missing or following.relative or following.bare_year)
        if here.year_missing and dated and _LISTED.fullmatch(between(folded, here, following)):
            moved = here.in_year(following.first.year)
            found[i] = moved if moved.first <= following.first else here.in_year(following.first.year - 1)
    return found


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[re.Pattern[str], Reading], ...]:
    return tuple((re.compile(pattern), reading) for pattern, reading in _written())


_LEFT, _RIGHT = r"(?<![^\W_])", r"(?![^\W_])"
_YEAR = rf"(?P<year>1[0-9]\d\d|20\d\d|21\d\d|'\d\d){_RIGHT}(?!\s*[%€$£]|[.,]\d)"
_DAY = r"(?P<day>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th|er|\.)?"
_DAY2 = _DAY.replace("day", "day2")
_LAST = (
    r"(?P<which>last|latest|previous|prior|preceding|this(?: very)?|current"
    r"|letzte[nrms]?|vergangene[nrms]?|diese[nrms]?|cet(?:te)?|est[ae]|the past|past)"
)
_PAST = (
    r"(?:last|past|previous|preceding|prior|recent|letzten|vergangenen|derniers|dernieres"
    r"|ultimos|ultimas|les|des|los|las)"
)
_PAST_AFTER = r"(?:derniers\s+|dernieres\s+|ultimos\s+|ultimas\s+)?"
_HOW = (
    r"(?:(?P<how>(?:more|less|fewer|older|newer|younger|longer|no older|not older|no more) than"
    r"|over|under|at least|within)\s+)?"
)
_AGE = r"(?P<how>(?:no older|not older|older|newer|younger) than)"


def _written() -> Iterator[tuple[str, Reading]]:
    """The patterns, as they are written, with their readings."""
    yield from _numeric()
    yield from _named()
    yield from _relative()
    yield from _occasions()


def _opt_year() -> str:
    """Behind a day or a month, its year: "2024", "this year"."""
    near = "|".join(calendar_words().years_near.values())
    return rf"(?:,?\s*(?:of\s+|in\s+|de\s+|del\s+)?{_YEAR}|,?\s+(?P<near_year>{near}){_RIGHT})?"


def _numeric() -> Iterator[tuple[str, Reading]]:
    iso = r"(?P<y>[12]\d\d\d)[-/](?P<m>0?[1-9]|1[0-2])[-/](?P<d>3[01]|[12]\d|0?[1-9])"
    yield rf"{_LEFT}{iso}(?:t[\d:.]+z?)?{_RIGHT}", readings.iso_day
    slashed = r"(?P<a>\d{1,2})(?P<sep>[./])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4}|(?<=/)\d\d)"
    yield rf"(?<![^\W_]|[./]){slashed}{_RIGHT}", readings.slashed_day
    month = r"(?P<m>0[1-9]|1[0-2])"
    yield rf"(?<![^\W_]|[./-])(?P<y>[12]\d\d\d)-{month}(?![-\w])", readings.numbered_month
    month = r"(?P<m>0?[1-9]|1[0-2])"
    yield rf"(?<![^\W_]|[./-]){month}/(?P<y>[12]\d\d\d)(?![/\w])", readings.numbered_month
    yield rf"(?<![^\W_]|[.,#$€£/-]|'){_YEAR}(?!-\d{{1,2}}(?!\d)|/\d)", readings.whole_year
    yield rf"(?<=\d\d\d\d-){_YEAR}", readings.whole_year
    yield rf"{_LEFT}(?P<decade>(?:1[0-9]|20)\d0|[1-9]0)(?:'?s|ern?(?:\s+jahren?)?){_RIGHT}", readings.decade
    yield rf"{_LEFT}q(?P<q>[1-4])(?:[\s/-]*(?:fy\s*)?(?:of\s+)?{_YEAR})?{_RIGHT}", readings.quarter
    yield rf"{_LEFT}(?:fy\s*)?(?P<year>[12]\d\d\d)[\s/-]*q(?P<q>[1-4]){_RIGHT}", readings.quarter
    yield rf"{_LEFT}(?P<q>[1-4])q(?:[\s/-]*{_YEAR})?{_RIGHT}", readings.quarter
    yield rf"{_LEFT}h(?P<h>[12])(?:[\s/-]*{_YEAR})?{_RIGHT}", readings.half
    fiscal = r"(?:fiscal(?: year)?|fy|financial year)[\s-]*'?(?P<fy>20\d\d|19\d\d|\d\d)"
    yield rf"{_LEFT}{fiscal}{_RIGHT}", readings.fiscal_year


def _named() -> Iterator[tuple[str, Reading]]:
    known = calendar_words()
    month = rf"(?P<month>{any_of(known.month_of)}){_RIGHT}\.?"
    opt_year = _opt_year()
    days = rf"{_DAY}\s*(?:-|to|and|und|et|bis|through|until)\s*(?:(?:the|dem|den|le)\s+)?{_DAY2}"
    opening = r"(?:(?:on|between|from|zwischen|vom|entre)\s+(?:(?:the|dem|den|le)\s+)?)?"
    yield rf"{_LEFT}{opening}{days}\s+(?:of\s+|de\s+)?{month}{opt_year}", readings.named_day
    days = rf"{_DAY}\s*(?:-|to|through)\s*{_DAY2}"
    yield rf"{_LEFT}(?:(?:between|from)\s+)?{month}\s+{days}{_RIGHT}{opt_year}", readings.named_day
    yield rf"{_LEFT}{_DAY}\s*(?:of\s+|de\s+)?{month}{opt_year}", readings.named_day
    yield rf"{_LEFT}{month}\s+(?:the\s+)?{_DAY}{_RIGHT}{opt_year}", readings.named_day
    in_words = rf"(?P<day>{any_of(known.day_of)})\s+of\s+"
    yield rf"{_LEFT}{in_words}{month}{opt_year}", readings.named_day
    yield rf"{_LEFT}{month}{opt_year}", readings.named_month
    yield rf"{_LEFT}(?P<year>[12]\d\d\d)\s+{month}", readings.named_month
    ordinal = rf"(?P<ordinal>{any_of(known.ordinal_of)})"
    quarter = r"(?:quarter|quartal|trimestre)"
    yield rf"{_LEFT}{ordinal}\s+{quarter}{_RIGHT}{opt_year}", readings.quarter
    yield rf"{_LEFT}{ordinal}\s+half(?:\s+of)?(?:\s+{_YEAR})", readings.half
    season = rf"(?P<season>{any_of(known.season_of)})"
    yield rf"{_LEFT}{season}{_RIGHT}\s*(?:of\s+)?{_YEAR}", readings.season


def _relative() -> Iterator[tuple[str, Reading]]:
    known = calendar_words()
    unit = rf"(?P<unit>{any_of(known.unit_of)}|{'|'.join(known.hours)}){_RIGHT}"
    count = rf"(?P<count>\d{{1,3}}|{any_of(known.count_of)}(?:\s+of)?)"
    yield rf"{_LEFT}(?P<word>{any_of(known.days_ago)}){_RIGHT}", readings.near_day
    yield rf"{_LEFT}(?:the\s+)?{_PAST}\s+{count}\s+{_PAST_AFTER}{unit}", readings.past_units
    yield rf"{_LEFT}{_HOW}{count}\s+{unit}\s+(?:ago(?:\s+today)?|old){_RIGHT}", readings.units_ago
    yield rf"{_LEFT}{_AGE}\s+{count}\s+{unit}(?!\s+(?:ago|of))", readings.units_ago
    yield rf"{_LEFT}(?:vor|il y a|hace)\s+{count}\s+{unit}", readings.units_ago
    opening = r"(?:earlier\s+|so far\s+)?"
    yield rf"{_LEFT}{opening}{_LAST}\s+{unit}(?:\s+to date)?", readings.this_or_last
    last = r"(?P<which>derniere?|passee?|pasad[oa]|anterior|precedente?)"
    yield rf"{_LEFT}(?:la |le |l'|el )?{unit}\s+{last}", readings.unit_then_last
    names = any_of({**known.month_of, **known.season_of, **known.weekday_of})
    yield rf"{_LEFT}(?:the\s+)?{_LAST}\s+(?P<name>{names}){_RIGHT}", readings.named_last
    after = "|".join(rf"(?<=\b{word} )" for word in known.weekday_prepositions)
    name = rf"(?P<name>{any_of(known.weekday_of)})"
    yield rf"(?:{after}){name}{_RIGHT}(?!\s+(?:\d|{any_of(known.month_of)}))", readings.weekday


def _occasions() -> Iterator[tuple[str, Reading]]:
    known = calendar_words()
    opt_year, following = _opt_year(), "|".join(known.next)
    month = rf"(?P<month>{any_of(known.month_of)}){_RIGHT}\.?"
    unit = rf"(?P<unit>{any_of(known.unit_of)}){_RIGHT}"
    name = rf"(?P<name>{any_of(known.weekday_of)}){_RIGHT}"
    said = (name for names in known.holidays.values() for name in names.split("|"))
    holidays = "|".join(sorted(said, key=len, reverse=True))
    yield rf"{_LEFT}(?P<holiday>{holidays}){_RIGHT}(?:\s+in(?=\s+\d))?{opt_year}", occasions.holiday
    yield rf"{_LEFT}(?:the\s+)?turn of the year{_RIGHT}", occasions.turn_of_the_year
    which = r"(?P<which>this|last|the (?:last|past)|next|dieses|letzten|vergangenen)"
    yield rf"{_LEFT}{_DAY}\s+(?:of\s+)?{which}\s+(?:month|monats){_RIGHT}", occasions.day_of_month
    yield rf"{_LEFT}(?:the\s+)?{unit}\s+before\s+last{_RIGHT}", occasions.before_last
    yield rf"{_LEFT}(?:{any_of(known.last_but_one)})\s+{unit}", occasions.before_last
    yield rf"{_LEFT}(?:the\s+)?(?:{following})\s+{unit}", occasions.to_come
    yield rf"{_LEFT}(?:the\s+)?{name}\s+(?:just\s+)?(?:gone|past){_RIGHT}", occasions.weekday_gone
    weekends = rf"(?:{any_of(known.weekends)}){_RIGHT}"
    yield rf"{_LEFT}(?:the\s+)?{_LAST}\s+{weekends}", occasions.weekend
    ordinal = rf"(?:the\s+)?(?P<ordinal>last|{any_of(known.ordinal_of)})\s+{weekends}\s+(?:of|in)"
    yield rf"{_LEFT}{ordinal}\s+{which}\s+month{_RIGHT}", occasions.weekend_of_month
    yield rf"{_LEFT}{ordinal}\s+{month}{opt_year}", occasions.weekend_of_month
    week = r"(?P<week>5[0-3]|[1-4]\d|0?[1-9])"
    named = rf"(?:kw|kalenderwoche|calendar week|week no\.?|week number)\s*{week}(?!\d)"
    yield rf"{_LEFT}{named}\s*/?{opt_year}", occasions.week_by_number
    yield rf"{_LEFT}week\s+{week}\s+(?:of|in)\s+{_YEAR}", occasions.week_by_number
    yield rf"{_LEFT}(?P<year>20\d\d)-?w{week}{_RIGHT}", occasions.week_by_number
    decades = rf"(?P<decade>{any_of(known.decade_of)}){_RIGHT}(?!\s+of\b)(?:\s+jahren?)?"
    century = r"(?:nineteen[\s-])?"
    article = r"(?:in\s+|from\s+|since\s+)?(?:the|den|die|der)\s+"
    yield rf"{_LEFT}{article}{century}{decades}", occasions.named_decade
    yield rf"{_LEFT}(?:the\s+)?(?:past|last)\s+fortnight{_RIGHT}", occasions.fortnight
    yield rf"{_LEFT}a\s+fortnight\s+ago(?:\s+today)?{_RIGHT}", occasions.fortnight_ago
    week = r"(?P<which>this|last)\s+week"
    yield rf"{_LEFT}(?:the\s+)?{name}\s+(?:of\s+)?{week}{_RIGHT}", occasions.weekday_of_week
    yield rf"{_LEFT}{name}\s+(?:dernier|pasado|passe){_RIGHT}", occasions.weekday_gone
    edge = r"(?:the\s+)?(?P<edge>first|last)\s+day\s+of\s+"
    yield rf"{_LEFT}{edge}{month}{opt_year}", occasions.edge_of_month
    yield rf"{_LEFT}(?:in|on|from|at|during)\s+{name}'s{_RIGHT}", occasions.weekday_gone
    yield (
        rf"{_LEFT}twenty[\s-](?P<words>{any_of(_spaced(known.years_in_words))})(?!-?[^\W_])",
        occasions.year_in_words,
    )


def _spaced(names: Iterable[str]) -> tuple[str, ...]:
    """Names with a hyphen, and with a space in its place."""
    return tuple(form for name in names for form in dict.fromkeys((name, name.replace("-", " "))))
