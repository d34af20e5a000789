"""Titles without the name of the site, and the site's name out of titles.

A page's ``<title>`` often reads "Page - Section | Site". Which part is which shows in what else the page
says: the site that it declares, its heading, its address, the words on its logo.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from ingest.convert.page_metadata.texts import is_placeholder, letters

_SEPARATOR = re.compile(r"\s+(?:[-–—|·•»«›‹/~]|::|//|<|>)\s+|\s*[|｜]\s*|\s+::\s+")
_MAX_PARTS = 8
_LONGEST_SITE = 60
_MOST_WORDS_OF_SITE = 6
_GENERIC = {
    "blog",
    "home",
    "news",
    "docs",
    "documentation",
    "index",
    "main",
    "page",
    "article",
    "welcome",
    "reference",
    "manual",
    "guide",
    "tutorial",
    "api",
    "help",
    "wiki",
    "support",
    "about",
    "faq",
    "archive",
}


def parts(title: str) -> list[str]:
    """What a title's bars and dashes part, in order."""
    return [text for _, text in _split(title)]


def without_site(title: str, sites: Iterable[str]) -> str:
    """A title without parts at its ends that name the site; all of it where nothing else would be left."""
    known = {letters(site) for site in sites} - {""}
    kept = _split(title)
    while len(kept) > 1 and letters(kept[-1][1]) in known:
        kept.pop()
    while len(kept) > 1 and letters(kept[0][1]) in known:
        kept.pop(0)
    return "".join([kept[0][1], *(separator + text for separator, text in kept[1:])]) if kept else title


def site_in_title(title: str, anchors: Iterable[str], address: str | None, logos: Iterable[str]) -> str:
    """The part of a title that names the site; "" where nothing else confirms it.

    Args:
        title: the whole ``<title>``.
        anchors: what the page calls itself elsewhere: headings, other titles.
        address: its address; "LeetCode" is the site of leetcode.com.
        logos: texts of logos and of links to the home page.
    """
    found = parts(title)
    if len(found) < 2:
        return ""
    named = {letters(anchor) for anchor in anchors} - {""}
    labels, marks = _labels(address), {letters(logo) for logo in logos} - {""}
    for site, rest in ((found[-1], found[:-1]), (found[0], found[1:])):
        compact = letters(site)
        if not compact or compact in named or not _can_be_a_site(site):
            continue
        if compact in marks or compact in labels:
            return site
        if site is found[-1] and any(letters("".join(rest[: n + 1])) in named for n in range(len(rest))):
            return site
    return ""


def shortened(site: str, others: Iterable[str]) -> str:
    """A site's name without its slogan, where something else on the page gives the name alone."""
    name = "".join(parts(site)[:1])
    return name if letters(name) in {letters(other) for other in others} - {""} else site


def _split(title: str) -> list[tuple[str, str]]:
    """Separator and text of each part; the first separator is empty."""
    found: list[tuple[str, str]] = []
    separator, start = "", 0
    for match in _SEPARATOR.finditer(title):
        if len(found) == _MAX_PARTS:
            break
        found.append((separator, title[start : match.start()]))
        separator, start = match[0], match.end()
    found.append((separator, title[start:]))
    return [(mark, text.strip()) for mark, text in found if text.strip()]


def _can_be_a_site(text: str) -> bool:
    return (
        len(text) <= _LONGEST_SITE
        and len(text.split()) <= _MOST_WORDS_OF_SITE
        and not is_placeholder(text)
        and letters(text) not in _GENERIC
        and not letters(text).isdigit()
    )


def _labels(address: str | None) -> set[str]:
    """The names in an address's host: "bbc" of www.bbc.co.uk."""
    host = urlsplit(address or "").hostname or ""
    labels = host.removeprefix("www.").split(".")
    return {letters(label) for label in labels[:-1] if len(label) > 2} | {
        letters(host.removeprefix("www."))
    } - {""}
