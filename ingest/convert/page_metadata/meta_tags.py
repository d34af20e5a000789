"""What a page says of itself in ``<meta>`` elements: OpenGraph, Dublin Core, citations, publishers' own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from lxml import html

_MAX_ELEMENTS = 2_000
_MAX_VALUES = 200

_DUBLIN_CORE = ("dc.{}", "dcterms.{}", "dcterm.{}")
_SOURCES = {
    "opengraph": {
        "title": "og.title",
        "author": "article.author og.article.author og.author book.author",
        "date": "article.published.time article.published article.published.date og.published.time "
        "og.article.published.time og.pubdate og.publish.date og.regdate",
        "updated": "article.modified.time article.modified article.modified.date "
        "og.updated.time og.modified.time",
        "site": "og.site.name og.site",
        "language": "og.locale",
        "url": "og.url",
        "tags": "article.section article.tag og.article.tag video.tag book.tag",
        "description": "og.description",
    },
    "dublin-core": {
        "title": "title",
        "author": "creator creator.aut contributor.author",
        "date": "date.issued issued date.created created date.published date.publication date",
        "updated": "date.modified modified",
        "site": "publisher",
        "language": "language",
        "tags": "subject",
        "description": "description abstract description.abstract",
    },
    "citation": {
        "title": "citation.title",
        "author": "citation.author citation.authors",
        "date": "citation.publication.date citation.online.date citation.date citation.year",
        "site": "citation.journal.title citation.conference.title",
        "language": "citation.language",
        "url": "citation.public.url citation.abstract.html.url",
        "tags": "citation.keywords citation.keyword",
        "description": "citation.abstract",
    },
    "meta": {
        "title": "parsely.title sailthru.title headline hdl rbtitle title",
        "author": "author parsely.author sailthru.author byl authors dcsext.author rbauthors",
        "date": "parsely.pub.date sailthru.date datepublished date.published published.time publishdate "
        "publish.date publish.time publication.date publicationdate published.date publisheddate "
        "published.at pubdate pub.date bt.pubdate rbpubdate article.created article.post.date "
        "article.date.original originalpublicationdate "
        "displaydate pdate ptime release.date dateposted datecreated date.created "
        "timestamp date created",
        "updated": "datemodified date.modified last.modified lastmodified lastmod last.updated modified "
        "revised revision.date bt.moddate utime",
        "site": "application.name apple.mobile.web.app.title al.ios.app.name al.android.app.name cre",
        "language": "content.language language",
        "url": "parsely.link",
        "tags": "news.keywords keywords parsely.section parsely.tags sailthru.tags tags",
        "description": "description sailthru.description",
    },
    "twitter": {
        "title": "twitter.title",
        "url": "twitter.url",
        "description": "twitter.description",
    },
}
"""By origin and field the names that are in use, the better ones first, with dots for all separators."""


_AUTHOR_LABEL = re.compile(r"\b(?:by|authors?|von|par|por|door|di|auteur|autore?)\b", re.IGNORECASE)
"""What stands in front of the author's name in a preview that a page makes for Twitter."""
_SEPARATORS = str.maketrans(":-_", "...")


def _known() -> dict[str, tuple[str, str, int]]:
    known: dict[str, tuple[str, str, int]] = {}
    for origin, fields in _SOURCES.items():
        for field, listed in fields.items():
            names = listed.split()
            if origin == "dublin-core":
                names = [form.format(name) for name in names for form in _DUBLIN_CORE]
            known |= {name: (origin, field, order) for order, name in enumerate(names)}
    return known


_KNOWN = _known()


def meta_tags(tree: html.HtmlElement) -> Iterator[tuple[str, str, list[str]]]:
    """Origin, field and values of each name that pages use, the better ones of an origin first."""
    found: dict[tuple[str, str, int, bool], list[str]] = {}
    previews: dict[str, str] = {}
    for name, content, is_property in _statements(tree):
        if name.startswith("twitter."):
            previews.setdefault(name, content)
        if known := _KNOWN.get(name):
            values = found.setdefault((*known, not is_property), [])
            if len(values) < _MAX_VALUES:
                values.append(content)
    for (origin, field, _, _), values in sorted(found.items(), key=lambda item: item[0]):
        yield origin, field, values
    for name, label in previews.items():
        if name.startswith("twitter.label") and _AUTHOR_LABEL.search(label[:100]):
            yield "twitter", "author", [previews.get(name.replace("label", "data"), "")]


def _statements(tree: html.HtmlElement) -> Iterator[tuple[str, str, bool]]:
    """Name, content and whether the name is a property; an element may have several names."""
    for element in islice(tree.iter("meta"), _MAX_ELEMENTS):
        content = (element.get("content") or "").strip()
        if content:
            for attribute in ("property", "name", "http-equiv"):
                for name in (element.get(attribute) or "")[:200].lower().split():
                    yield name.translate(_SEPARATORS), content, attribute == "property"
