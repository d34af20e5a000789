"""What a page declares about itself: title, author, date, site, language, address and tags."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import lxml.html
from htmldate import find_date
from trafilatura import extract_metadata

from ingest.metadata import clean_metadata
from retrieve.schema import Metadata

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?=$|[-_])")
_HINTS = "translate(concat(@class, ' ', @id, ' ', @itemprop), 'BDEILNPSTU', 'bdeilnpstu')"
_DATE_PLACES = f"""//body//*[self::time or self::abbr or self::meta
    or self::script[contains(@type, 'ld+json')]
    or contains({_HINTS}, 'date') or contains({_HINTS}, 'publish') or contains({_HINTS}, 'byline')
    or ((self::p or self::div or self::span or self::a or self::small or self::em) and not(*/*)
        and not(ancestor::table or ancestor::li or ancestor::pre or ancestor::code
                or ancestor::aside or ancestor::nav or ancestor::footer))]"""
_LONGEST_DATE_LINE = 60


def page_metadata(tree: lxml.html.HtmlElement) -> tuple[Metadata, dict[str, str]]:
    """Metadata of a page and where each field came from.

    Only what the page says: no date guessed from its text, no site name made from its address.
    """
    found = extract_metadata(tree, extensive=False)
    declared: dict[str, Any] = {
        "title": _line(found.title),
        "author": _authors(found.author),
        "date": found.date if found.date and _states_a_date(tree) else None,
        "site": None if _is_host(found.sitename, found.url) else _line(found.sitename),
        "language": _language(tree),
        "url": found.url if (found.url or "").startswith(("http://", "https://")) else None,
        "tags": _tags([*(found.categories or []), *(found.tags or [])]),
    }
    metadata = clean_metadata({name: value for name, value in declared.items() if value})
    return metadata, dict.fromkeys(metadata, "trafilatura")


def _states_a_date(tree: lxml.html.HtmlElement) -> bool:
    """Whether there is a date where pages say theirs: meta data, marked elements, short lines of their own.

    trafilatura also takes the first date in running text, which may be any date at all.
    """
    head, places = tree.find(".//head"), lxml.html.Element("html")
    body = lxml.html.Element("body")
    places.extend([body] if head is None else [deepcopy(head), body])
    for element in tree.xpath(_DATE_PLACES):
        if element.tag == "script" or len(_line(element.text_content())) < _LONGEST_DATE_LINE:
            place = deepcopy(element)
            place.tail = None
            body.append(place)
    return find_date(places, original_date=True, extensive_search=False) is not None


def _line(value: str | None) -> str:
    return " ".join((value or "").split())


def _authors(value: str | None) -> str | list[str]:
    names = list({name.casefold(): name for name in map(_line, (value or "").split(";")) if name}.values())
    return names if len(names) > 1 else "".join(names)


def _tags(values: list[str]) -> list[str]:
    return list(dict.fromkeys(tag for value in values for tag in map(_line, re.split("[,;]", value)) if tag))


def _is_host(site: str | None, url: str | None) -> bool:
    host = (url or "").partition("://")[2].partition("/")[0].removeprefix("www.")
    return bool(site) and str(site).lower().removeprefix("www.") == host.lower()


def _language(tree: lxml.html.HtmlElement) -> str | None:
    """The primary language subtag that the page declares: ``en`` for ``en-GB``."""
    values = [tree.get("lang"), tree.get("{http://www.w3.org/XML/1998/namespace}lang"), tree.get("xml:lang")]
    values += tree.xpath("//meta[translate(@http-equiv, 'CL', 'cl')='content-language']/@content")
    values += tree.xpath("//meta[@property='og:locale']/@content")
    for value in values:
        match = _LANGUAGE.match((value or "").strip())
        if match:
            return match[0].lower()
    return None
