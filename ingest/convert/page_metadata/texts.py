"""Values as pages state them, made plain: entities, tags, placeholders, dates, addresses.

Everything here is handed text by whoever wrote the page, so every value is cut before it is looked at.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from html import unescape
from urllib.parse import urljoin, urlsplit

from ingest.fields.dates import moment_of_number, read_moment
from ingest.fields.spelling import Spelling, UnfitError

LONGEST = 500
"""Characters of a title, a name or a description."""
LONGEST_URL = 2000
MAX_TAGS = 100
_LONGEST_TAG = 100
NOTE_OF_CHANGE = re.compile(
    r"\b(?:updated|modified|revised)\s*:|\b(?:last\s+(?:updated?|modified|edited|changed|revised|reviewed)"
    r"|zuletzt\s+(?:geändert|aktualisiert|bearbeitet)|dernière\s+(?:mise\s+à\s+jour|modification)"
    r"|última\s+(?:actualización|modificación|atualização)|ultim[ao]\s+(?:modifica|aggiornamento))\b",
    re.IGNORECASE,
)
_TAG = re.compile(
    r"</?(?:em|i|b|strong|span|su[bp]|br|a|p|code|mark|q|small|u|cite|font|wbr)(?:\s[^<>]{0,300})?/?>",
    re.IGNORECASE,
)
_UNSEEN = dict.fromkeys([0xAD, 0x200B, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_PLACEHOLDER = re.compile(
    r"\{[{%].*[}%]\}|\$\{.*\}|<%.*%>|%[A-Za-z_]+%|\[object \w+\]|[\W_]*"
    r"|undefined|null|none|nil|nan|n/?a|false|true|unknown|tbd|todo|unset|default|untitled(?: \w+)?",
    re.IGNORECASE | re.DOTALL,
)
_SPACED = re.compile(r"\s+")
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|(?<![\d/.])(?:\d{4}([/.])\d{1,2}\1\d{1,2}|\d{1,2}([/.])\d{1,2}\2\d{4})(?![\d/.])"
    r"|\d{4}\s?年\s?\d{1,2}\s?月\s?\d{1,2}\s?日"
    r"|(?<![^\W_])[^\W\d_]{3,12}\.?\s\d{1,2}(?:st|nd|rd|th)?,?\s\d{4}(?!\d)"
    r"|(?<!\d)\d{1,2}(?:st|nd|rd|th|\.|er)?\s(?:(?:de|of)\s)?[^\W\d_]{3,12}\.?,?\s(?:de\s)?\d{4}(?!\d)",
    re.IGNORECASE,
)
_DATED_PATH = re.compile(r"(?<=/)((?:19|20)\d\d)([/_-])(\d\d?)\2(\d\d?)(?=[/_-]|$)")
_LONGEST_DATE = 80
_DIGITS = re.compile(r"(\d{8})\d{6}|\d{10}|\d{13}")
_EARLIEST_IN_TEXT = 1990
_NEVER = {(1, 1, 1), (1970, 1, 1), (1900, 1, 1)}
"""What programs write for no date."""


def line(value: object, longest: int = LONGEST) -> str:
    """A text on one line, without entities, inline tags, control and unseen characters; "" for no text."""
    if not isinstance(value, str):
        return ""
    text = value[: 4 * longest].encode("utf-8", "replace").decode("utf-8")
    for _ in range(2):  # an entity of an entity is common, a third one is somebody's joke
        text = unescape(text)
    text = _TAG.sub(" ", text) if "<" in text else text
    text = _SPACED.sub(" ", text.translate(_UNSEEN))
    text = "".join(letter for letter in text if unicodedata.category(letter) not in ("Cc", "Cs", "Cn"))
    return shorten(_SPACED.sub(" ", text).strip(), longest)


def shorten(text: str, longest: int) -> str:
    """The text, cut between two words where it is too long."""
    if len(text) <= longest:
        return text
    kept = text[: longest - 1]
    return (kept.rpartition(" ")[0] if " " in kept[longest // 2 :] else kept).rstrip() + "…"


def is_placeholder(text: str) -> bool:
    """Whether a program wrote this where a person would have written something."""
    return _PLACEHOLDER.fullmatch(text[:LONGEST]) is not None


def letters(text: str) -> str:
    """Letters and digits alone, for comparing what is set in different ways."""
    return "".join(filter(str.isalnum, text.casefold()))


def tags(values: Iterable[object]) -> list[str]:
    """Keywords, split at commas and semicolons, each once."""
    found: dict[str, str] = {}
    for value in values:
        for part in re.split("[,;，、；]", line(value, LONGEST * 8)):
            tag = part.strip(" \"'#")
            if tag and len(tag) <= _LONGEST_TAG and not is_placeholder(tag):
                found.setdefault(tag.casefold(), tag)
            if len(found) == MAX_TAGS:
                return list(found.values())
    return list(found.values())


def moment(value: object, language: str | None) -> datetime | None:
    """The moment that a declared date is, in UTC; a time without an offset is taken as UTC."""
    text = line(value, _LONGEST_DATE)
    if digits := _DIGITS.fullmatch(text):
        text = digits[1] or text
    try:
        found = moment_of_number(int(text)) if re.fullmatch(r"\d{10,13}", text) else _read(text, language)
    except UnfitError:
        return date_in(text, language)
    return None if (found.year, found.month, found.day) in _NEVER else found


def day(text: str, language: str | None) -> datetime | None:
    """The day that a text is, if it is nothing else and a page may have been written then."""
    try:
        found = _read(text[:_LONGEST_DATE], language, coarse=False)
    except UnfitError:
        return None
    return found if found.year >= _EARLIEST_IN_TEXT else None


def date_in(text: str, language: str | None) -> datetime | None:
    """The first date that stands in a short text; None where there is none."""
    for match in _DATE.finditer(text[: 2 * _LONGEST_DATE]):
        try:
            found = _read(match[0], language, coarse=False)
        except UnfitError:
            continue
        if found.year >= _EARLIEST_IN_TEXT:
            return found
    return None


def date_in_address(value: str | None) -> datetime | None:
    """The day in an address such as ``/2024/03/05/title``; None where there is none."""
    match = _DATED_PATH.search(value or "")
    try:
        return datetime(int(match[1]), int(match[3]), int(match[4]), tzinfo=UTC) if match else None
    except ValueError:
        return None


def before_date(text: str) -> str:
    """What stands in front of the first date of a text, or all of it."""
    match = _DATE.search(text)
    return text[: match.start()] if match else text


def without_date(text: str) -> str:
    """A text with a bar in the place of the first date in it."""
    return _DATE.sub(" | ", text, count=1)


def _read(text: str, language: str | None, *, coarse: bool = True) -> datetime:
    return read_moment(text, Spelling(language=language), coarse=coarse)


def address(value: object, base: str | None) -> str | None:
    """An absolute web address without a fragment; None for anything else."""
    text = line(value, LONGEST_URL + 1)
    if not text or len(text) > LONGEST_URL or " " in text:
        return None
    try:
        parts = urlsplit(urljoin(base, text) if base else text)
        usable = parts.scheme in ("http", "https") and "." in (parts.hostname or "") and not parts.username
    except ValueError:
        return None
    return parts._replace(fragment="").geturl() if usable else None


def host(value: str | None) -> str | None:
    """The host of an address as people say it: without ``www.``."""
    found = (urlsplit(value).hostname or "") if value else ""
    return found.removeprefix("www.") or None
