"""Dates as people and programs write them, to moments in UTC.

Strict: the whole text must be a date with its year. What two countries read differently is decided by
the document's language or the settings, or not at all.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from ingest.fields.spelling import LONGEST, Spelling, UnfitError, locale_of
from retrieve.self_query.calendar_words import calendar_words
from retrieve.self_query.text import fold

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "nb", "fi", "pl", "cs", "ro", "hu", "tr")
"""Whose names of months are known in any document; those that mean two months are not."""

_ISO = re.compile(r"\d{4}-\d\d-\d\d(?!\d)|\d{4}-W\d\d|\d{8}T\d", re.IGNORECASE)
_TIME = re.compile(
    r"(?:\s*[t,]\s*|\s+(?:at|um|a|kl\.?)\s+|\s+)"
    r"(?P<hour>\d{1,2})[:.h](?P<minute>\d\d)(?:[:.](?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?(?:\s*(?P<zone>z|utc|gmt)|\s*(?P<sign>[+-])(?P<oh>\d\d):?(?P<om>\d\d))?$"
)
_COMMENT = re.compile(r"\s*\([a-z /_]{1,30}\)$")
_LEADING = re.compile(r"^(?:(?:the|der|den|am|le|el|il|de)\s+)+")
_YEAR_WORD = re.compile(r"(?<=\d)\s?г\.?$")
_WEEKDAY = re.compile(r"([^\W\d_]+)[.,]{0,2}\s+(?=\S)")

_DAY, _MONTH, _YEAR = r"(?P<day>\d{1,2})", r"(?P<name>[^\W\d_]{3,})\.?", r"(?P<year>\d{4})"
_OF = r"(?:\s+(?:of|de|del)(?=\s))?"
_DATES = tuple(
    re.compile(form)
    for form in (
        rf"{_YEAR}(?P<sep>[-/.])(?P<month>\d{{1,2}})(?P=sep){_DAY}\.?",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)",
        rf"{_YEAR}\s?年\s?(?P<month>\d{{1,2}})\s?月\s?{_DAY}\s?日",
        rf"(?P<first>\d{{1,2}})(?P<sep>[-/.])\s?(?P<second>\d{{1,2}})(?P=sep)\s?{_YEAR}",
        rf"{_DAY}(?:st|nd|rd|th|er|\.|º|ª)?{_OF}[\s-]*{_MONTH},?{_OF}[\s-]*{_YEAR}",
        rf"{_MONTH}[\s-]*{_DAY}(?:st|nd|rd|th)?,?[\s-]+{_YEAR}",
        rf"{_YEAR}[\s.-]+{_MONTH}[\s-]*{_DAY}\.?",
    )
)
_COARSE = tuple(
    re.compile(form)
    for form in (rf"{_MONTH},?{_OF}[\s-]*{_YEAR}", rf"{_YEAR}[-/](?P<month>\d\d)", r"(?P<year>1\d{3}|2\d{3})")
)
_HOUR = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])")
_SECONDS, _MILLISECONDS = range(10**9, 10**10), range(10**12, 10**13)
"""Numbers that are moments, counted from 1970: from 2001 to 2286."""


def read_moment(text: str, spelling: Spelling, *, coarse: bool = True) -> datetime:
    """The moment that a text is; a day means its midnight, and a time without a zone is taken as UTC.

    Args:
        coarse: a month or a year will do; its first day is meant.

    Raises:
        UnfitError: it is no date, or may be two.
    """
    if len(text) > LONGEST:
        raise UnfitError("is no date")
    if (moment := _iso(text.strip())) is not None:
        return moment
    plain = _YEAR_WORD.sub("", _COMMENT.sub("", " ".join(fold(text).split())))
    time = _TIME.search(plain)
    day = _day(plain[: time.start()] if time else plain, spelling, coarse=coarse and time is None)
    return day if time is None else _at(day, time)


def moment_of_number(number: int | float) -> datetime:
    """The moment that a number is: a year, a day as in 20240305, or seconds or milliseconds since 1970.

    Raises:
        UnfitError: it is none of these.
    """
    if number == int(number) and 1000 <= number <= 2999:
        return datetime(int(number), 1, 1, tzinfo=UTC)
    if number == int(number) and 1000_00_00 <= number <= 2999_99_99:
        return _day(str(int(number)), Spelling(), coarse=False)
    if number == int(number) and _HOUR.fullmatch(str(int(number))):
        raise UnfitError("may be two dates: an hour of a day, or seconds since 1970")
    for known, unit in ((_SECONDS, 1.0), (_MILLISECONDS, 1000.0)):
        if known.start <= number < known.stop:
            return datetime.fromtimestamp(number / unit, UTC)
    raise UnfitError("is no date")


def _iso(text: str) -> datetime | None:
    if not _ISO.match(text):
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r"\s(?=[Zz+-])", "", text))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _day(text: str, spelling: Spelling, *, coarse: bool) -> datetime:
    plain = _LEADING.sub("", _without_weekday(text.strip(" ,")), count=1)
    for form in (*_DATES, *(_COARSE if coarse else ())):
        if match := form.fullmatch(plain):
            found = match.groupdict()
            if "first" in found:
                month, day = _ordered(int(found["first"]), int(found["second"]), found["sep"], spelling)
            else:
                month, day = _month(found, spelling.language), int(found.get("day") or 1)
            try:
                return datetime(int(found["year"]), month, day, tzinfo=UTC)
            except ValueError:
                raise UnfitError("is no day of the calendar") from None
    raise UnfitError("is no date")


def _without_weekday(text: str) -> str:
    match = _WEEKDAY.match(text)
    return text[match.end() :] if match and match[1] in calendar_words().weekday_of else text


def _ordered(first: int, second: int, separator: str, spelling: Spelling) -> tuple[int, int]:
    """Month and day of two numbers."""
    if first == second or first > 12 or second > 12:
        return (second, first) if first > 12 else (first, second)
    day_first = spelling.puts_day_first()
    if day_first is None and separator == ".":
        day_first = True
    if day_first is None:
        raise UnfitError("may be two dates; ingest.day_first says which is meant")
    return (second, first) if day_first else (first, second)


def _month(found: dict[str, str | None], language: str | None) -> int:
    number, name = found.get("month"), found.get("name")
    if name is None:
        return int(number or 1)
    month = _own_months(language).get(name) or _months().get(name)
    if month is None:
        raise UnfitError("is no date")
    return month


@lru_cache(maxsize=1)
def _months() -> dict[str, int]:
    """Folded names of months in many languages."""
    numbers: dict[str, set[int]] = {}
    for language in LANGUAGES:
        for name, month in _own_months(language).items():
            numbers.setdefault(name, set()).add(month)
    clear = {name: min(found) for name, found in numbers.items() if len(found) == 1}
    return clear | dict(calendar_words().month_of)


@lru_cache(maxsize=64)
def _own_months(language: str | None) -> dict[str, int]:
    locale = locale_of(language) if language else None
    found: dict[str, int] = {}
    for widths in locale.months.values() if locale else ():
        for width in ("wide", "abbreviated"):
            found |= {fold(name).strip("."): number for number, name in widths.get(width, {}).items()}
    return found


def _at(day: datetime, time: re.Match[str]) -> datetime:
    hour, minute, second = (int(time[name] or 0) for name in ("hour", "minute", "second"))
    if time["half"]:
        if not 1 <= hour <= 12:
            raise UnfitError("is no time of day")
        hour = hour % 12 + (12 if time["half"] == "p" else 0)
    offset = timedelta()
    if time["sign"]:
        offset = timedelta(hours=int(time["oh"]), minutes=int(time["om"]))
        offset = -offset if time["sign"] == "-" else offset
    micros = int(f"{time['fraction'] or '0':0<6}"[:6])
    try:
        moment = day.replace(hour=hour, minute=minute, second=second, microsecond=micros)
        return moment.replace(tzinfo=timezone(offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnfitError("is no time of day") from None
