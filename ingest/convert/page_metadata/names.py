"""Names of authors, out of what pages write where an author's name belongs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ingest.convert.page_metadata.texts import is_placeholder, line, without_date

MAX_NAMES = 50
_LONGEST, _LONGEST_NAME = 2_000, 100
_ADDRESS = re.compile(r"[<(\[]?(?:mailto:)?[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+[>)\]]?")
_URL = re.compile(r"(?:https?:)?//\S*|\bwww\.\S+|(?<!\S)[\w.-]{2,80}\.[a-z]{2,6}/\S*", re.IGNORECASE)
_HANDLE = re.compile(r"[(\[]?(?<![\w.])@[\w.]+[)\]]?")
_BY = re.compile(
    r"(?:(?:article|story|text|words|written|posted|published|submitted|reported|created|contributed|authored|"
    r"reviewed|edited|post|photos?)(?:\s+and\s+\w{5,12})?\s+)?by\s*[:\s]\s*"
    r"|(?:authors?|by(?:line)?|written|text|autore?n?|auteure?|autora?|författare|skribent|tekst|texte?)\s*:\s*"
    r"|(?:von|par|por|door|af|av|di)\s+(?=(?-i:[^\W\d_a-z]))|(?:作者|文|记者|記者)\s*[：:/]\s*",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"\s*[|•·].*|\s(?:[–—-]\s|\(?(?:updated|published|posted|last\s+(?:updated|modified)|in\s+collaboration|"
    r"(?:edited|reviewed|illustrated|photographed|fact[- ]checked|translated)\s+by|is\s+an?|"
    r"on\s+(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*|\d+\s+(?:min(?:ute)?s?|hours?|days?))\b|[–—-]$).*",
    re.IGNORECASE | re.DOTALL,
)
_BETWEEN = re.compile(r"\s*[;|/]\s*|\s+(?:&|and|und|et|y|e|en|og|och)\s+(?=[^\Wa-z\d_])|\s*[、，]\s*")
_ROLE = re.compile(
    r"\b(?:editors?|reporters?|correspondents?|writers?|journalists?|columnists?|contributors?|analysts?|"
    r"scientists?|researchers?|engineers?|developers?|managers?|directors?|officers?|presidents?|founders?|"
    r"co-?founders?|professors?|fellows?|staff|chiefs?|heads?|leads?|CEO|CTO|CFO|COO|VP|SVP|Ph\.?D|M\.?D|"
    r"MBA|MSc|RN|producers?|critics?|bureau|redakteur(?:in)?|journaliste)\b\.?",
    re.IGNORECASE,
)
_BODY = re.compile(
    r"\b(?:university|institute|research|inc|ltd|llc|gmbh|news|team|company|college|department|group|labs?|"
    r"press|media|times|magazine|agency)\b",
    re.IGNORECASE,
)
_NOBODY = {
    "published", "posted", "updated", "written", "staff", "admin", "administrator", "root", "webmaster",
    "user", "guest", "author", "authors", "by", "anonymous", "editor", "editors", "wordpress", "superuser",
    "sysadmin", "website", "unknown author", "no author", "about the author", "view all posts",
}  # fmt: skip
_DANGLING = re.compile(r"\s+(?:on|at|am|le|el|in)\s*$", re.IGNORECASE)
_NUMBERED = re.compile(r"\b(?:19|20)\d\d\b|\d\.\d")
"""A year or a version is in no name."""
_SUFFIX = re.compile(r"(?:Jr|Sr|II|III|IV|Esq)\.?", re.IGNORECASE)


def names(values: Iterable[object], *, inverted: bool = False) -> list[str]:
    """The authors that some texts name, each once, in their order.

    Left out: "By" and its like, job titles, addresses, handles, dates, and what is no name at all.

    Args:
        inverted: "Doe, Jane" is one person, as catalogues write it.
    """
    found: dict[str, str] = {}
    for value in values:
        text = line(value, _LONGEST)
        text = "" if is_placeholder(text) else _stripped(text)
        for part in [_turned(text)] if inverted and _is_inverted(text) else _parts(text):
            name = _name(part)
            if name:
                found.setdefault(name.casefold(), name)
            if len(found) == MAX_NAMES:
                return list(found.values())
    return list(found.values())


def _stripped(text: str) -> str:
    for form in (_URL, _ADDRESS, _HANDLE):
        text = form.sub(" ", text)
    return _unsigned(" ".join(without_date(text).split()))


def _unsigned(text: str) -> str:
    """A text without the "By" that it begins with."""
    match = _BY.match(text)
    return text[match.end() :] if match else text


def _is_inverted(text: str) -> bool:
    last, comma, first = text.partition(",")
    return bool(comma) and "," not in first and len(last.split()) == 1 and 0 < len(first.split()) <= 3


def _turned(text: str) -> str:
    last, _, first = text.partition(",")
    return f"{first.strip()} {last.strip()}"


def _parts(text: str) -> list[str]:
    """A text at what stands between names; commas part names too, unless a role or "Jr." follows."""
    parts: list[str] = []
    for chunk in _BETWEEN.split(text):
        role = False
        for piece in re.split(r"\s*,\s*(?:and\s+|&\s*)?", chunk):
            if parts and _SUFFIX.fullmatch(piece):
                parts[-1] = f"{parts[-1]} {piece}"
            elif parts and (_ROLE.search(piece) or (role and _BODY.search(piece))):
                role = True
            else:
                parts.append(piece)
    return parts


def _name(text: str) -> str:
    text = _DANGLING.sub("", _AFTER.sub("", _unsigned(text.strip())))
    name = " ".join(text.strip(" ,.;:|/-–—·•*\"'()[]<>").split())
    if text.rstrip().endswith((" Jr.", " Sr.")):
        name += "."
    if "(" in name and ")" not in name:
        name = name.partition("(")[0].strip()
    if (
        len(name) > _LONGEST_NAME
        or is_placeholder(name)
        or name.casefold() in _NOBODY
        or _NUMBERED.search(name)
    ):
        return ""
    return name if sum(map(str.isalpha, name)) > 1 or (len(name) == 1 and name.isalpha()) else ""
