"""Gathers what a page says of itself from all places where pages do, and takes the best of each field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from lxml import html

from ingest.convert.page_metadata import markup, texts, titles
from ingest.convert.page_metadata.changes import last_change
from ingest.convert.page_metadata.header import Header
from ingest.convert.page_metadata.htmldate import dated_elsewhere
from ingest.convert.page_metadata.json_ld import nodes_of
from ingest.convert.page_metadata.language import primary_subtag
from ingest.convert.page_metadata.lines import lines, main_heading
from ingest.convert.page_metadata.meta_tags import meta_tags
from ingest.convert.page_metadata.names import names
from ingest.convert.page_metadata.places import Places
from ingest.convert.page_metadata.schema_org import SchemaOrg
from ingest.metadata import clean_metadata
from retrieve.schema import Metadata

_ORDER = ("json-ld", "opengraph", "citation", "dublin-core", "meta", "twitter", "microdata", "html")
"""Origins, the most trusted first. `_ORDERS` says which fields have another order: catalogues write a title
without the site's name, and the page's own elements know its language and its address best."""
_ORDERS = {
    "title": ("citation", "dublin-core", "json-ld", "opengraph", "meta", "twitter", "title", "microdata",
              "html"),
    "site": ("json-ld", "opengraph", "citation", "dublin-core", "title", "meta"),
    "language": ("html", "meta", "opengraph", "json-ld", "dublin-core", "citation", "microdata"),
    "url": ("html", "opengraph", "json-ld", "citation", "meta", "twitter"),
    "description": ("meta", "opengraph", "json-ld", "dublin-core", "citation", "twitter"),
}  # fmt: skip
_CATALOGUES = ("citation", "dublin-core")
_PROPERTIES = {
    "date": ("datePublished", "uploadDate", "dateCreated"),
    "updated": ("dateModified",),
    "language": ("inLanguage",),
    "url": ("url", "mainEntityOfPage"),
    "description": ("description",),
}
"""Of schema.org; the other fields need more than a look at a property."""
_MAX_LINKS = 500
_MAX_TAG_LINKS = 100
_MAX_LOGOS = 60

_Statement = tuple[str, str, list[str]]
"""Field, origin, and values that belong together."""


def page_metadata(tree: html.HtmlElement) -> tuple[Metadata, dict[str, str]]:
    """Metadata of a page, and the origin of each field.

    Only what the page says: no date out of running text, no author out of its address. The fields are
    ``title``, ``author`` (a name or a list), ``date``, ``updated`` (UTC), ``site``, ``language`` (primary
    subtag), ``url`` (absolute), ``tags`` and ``description``; those that the page does not state are absent.
    """
    page = _Page(tree)
    site, origin_of_site = page.site()
    chosen = {
        "title": page.title(),
        "author": page.author(),
        "date": page.date(),
        "updated": page.updated(),
        "site": (site, origin_of_site),
        "language": page.language(),
        "url": page.url(),
        "tags": page.tags(),
        "description": page.description(),
    }
    kept = {field: (value, origin) for field, (value, origin) in chosen.items() if value}
    metadata = clean_metadata({field: value for field, (value, _) in kept.items()})
    return metadata, {field: kept[field][1] for field in metadata}


class _Page:
    """All that a page states; each method gives a field's value, or something empty, and its origin."""

    def __init__(self, tree: html.HtmlElement) -> None:
        self._tree = tree
        self._title_element = texts.line(_title_text(tree))
        heading = main_heading(tree, self._title_element)
        self._heading = "" if heading is None else texts.line(markup.text_of(heading))
        self._places = Places(heading)
        self._found: dict[tuple[str, str], list[list[str]]] = {}
        for field, origin, values in self._statements():
            self._found.setdefault((field, origin), []).append(values)
        self._base = self._base_address()
        self._header = Header(lines(tree, heading, self._places))
        # The whole tag: it tells how dates are written.
        tag, _ = self._first("language", lambda values: _any(v.strip() for v in values if primary_subtag(v)))
        self._tag = tag.replace("_", "-")[:20] if tag else None

    def title(self) -> tuple[Any, str]:
        sites = self._sites()

        def accept(values: list[str]) -> Any:
            return _any(titles.without_site(text, sites) for text in _plain(values))

        return self._first("title", accept)

    def author(self) -> tuple[Any, str]:
        for origin in _ORDER:
            for values in self._found.get(("author", origin), []):
                if found := names(values, inverted=origin in _CATALOGUES):
                    return _one_or_all(found), origin
        return _one_or_all(self._header.authors()), "text"

    def date(self) -> tuple[Any, str]:
        found, origin = self._moment("date")
        if found is None:
            found, origin = self._header.date(self._tag), "text"
        if found is None:
            found, origin = texts.date_in_address(self.url()[0]), "url"
        if found is None:
            found, origin = self._date_in_title(), "title"
        if found is None:
            found, origin = dated_elsewhere(self._tree, self._tag), "htmldate"
        return found, origin

    def updated(self) -> tuple[Any, str]:
        found, origin = self._moment("updated")
        if found is None:
            found, origin = self._header.updated(self._tag), "text"
        return (found, origin) if found else (last_change(self._tree, self._tag), "text")

    def site(self) -> tuple[Any, str]:
        found, origin = self._first("site", lambda values: _any(_plain(values)))
        if found:
            return titles.shortened(found, self._sites()), origin
        return texts.host(self.url()[0]), "url"

    def language(self) -> tuple[Any, str]:
        return self._first("language", lambda values: _any(map(primary_subtag, values)))

    def url(self) -> tuple[Any, str]:
        return self._first("url", lambda values: _any(texts.address(value, self._base) for value in values))

    def tags(self) -> tuple[Any, str]:
        title = texts.letters(self._title_element)  # some programs repeat it as the only keyword
        for origin in _ORDER:
            stated = texts.tags(v for values in self._found.get(("tags", origin), []) for v in values)
            if found := [tag for tag in stated if texts.letters(tag) != title]:
                return found, origin
        return None, ""

    def description(self) -> tuple[Any, str]:
        return self._first("description", lambda values: _any(_plain(values)))

    def _statements(self) -> Iterator[_Statement]:
        for origin, field, values in meta_tags(self._tree):
            yield field, origin, values
        data = SchemaOrg(nodes_of(self._tree), [self._heading, self._title_element])
        for field, keys in _PROPERTIES.items():
            yield field, "json-ld", data.texts(*keys)
        yield "title", "json-ld", data.titles()
        yield "author", "json-ld", data.people()
        yield "site", "json-ld", data.sites()
        yield "tags", "json-ld", [*data.texts("articleSection"), *data.texts("keywords")]
        for field, values in _grouped(markup.microdata(self._tree, self._places)).items():
            yield field, "microdata", values
        for field, values in _grouped(markup.marked(self._tree, self._places)).items():
            yield field, "html", values
        yield from _of_elements(self._tree, self._places)
        yield "title", "html", [self._heading]
        yield "title", "title", [self._title_element]
        yield "site", "title", [self._site_in_title()]

    def _site_in_title(self) -> str:
        anchors = [text for _, values in self._groups("title") for text in _plain(values)]
        address = _any(texts.address(value, None) for _, values in self._groups("url") for value in values)
        other = [text for text in anchors if text != self._title_element]
        return titles.site_in_title(self._title_element, other, address, _logos(self._tree))

    def _sites(self) -> list[str]:
        """All names that the page gives its site."""
        stated = [text for _, values in self._groups("site") for text in _plain(values)]
        return [*stated, texts.host(self.url()[0]) or ""]

    def _base_address(self) -> str | None:
        stated = [value for _, values in self._groups("url") for value in values]
        bases = [element.get("href", "") for element in islice(self._tree.iter("base"), 1)]
        return next(filter(None, (texts.address(value, None) for value in [*bases, *stated])), None)

    def _moment(self, field: str) -> tuple[Any, str]:
        return self._first(field, lambda values: _any(texts.moment(value, self._tag) for value in values))

    def _date_in_title(self) -> datetime | None:
        after = titles.parts(self._title_element)[1:]  # a page that is only called after a day is of any day
        return next(filter(None, (texts.day(part, self._tag) for part in after)), None)

    def _groups(self, field: str) -> Iterator[tuple[str, list[str]]]:
        for origin in _ORDERS.get(field, _ORDER):
            for values in self._found.get((field, origin), []):
                yield origin, values

    def _first(self, field: str, accept: Callable[[list[str]], Any]) -> tuple[Any, str]:
        """The first value that a field accepts, and its origin."""
        for origin, values in self._groups(field):
            if value := accept(values):
                return value, origin
        return None, ""


def _any(values: Iterable[Any]) -> Any:
    return next(filter(None, values), None)


def _one_or_all(found: list[str]) -> str | list[str]:
    return found if len(found) > 1 else "".join(found)


def _plain(values: Iterable[str], longest: int = texts.LONGEST) -> Iterator[str]:
    """Texts on one line, without those that a program wrote in the place of one."""
    for value in values:
        text = texts.line(value, longest)
        if text and not texts.is_placeholder(text):
            yield text


def _grouped(statements: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for field, value in statements:
        groups.setdefault(field, []).append(value)
    return groups


def _title_text(tree: html.HtmlElement) -> str:
    element = tree.find(".//head/title")
    element = tree.find(".//title") if element is None else element
    return "" if element is None else markup.text_of(element)


def _of_elements(tree: html.HtmlElement, places: Places) -> Iterator[_Statement]:
    """What the attributes of the page itself and its links say."""
    attributes = ("lang", "{http://www.w3.org/XML/1998/namespace}lang", "xml:lang")
    yield "language", "html", [tree.get(name) or "" for name in attributes]
    links = islice(tree.iter("link"), _MAX_LINKS)
    yield "url", "html", [link.get("href", "") for link in links if _is_related(link, "canonical")]
    tagged = islice((link for link in tree.iter("a") if _is_related(link, "tag")), _MAX_TAG_LINKS)
    yield "tags", "html", [markup.text_of(link) for link in tagged if not places.is_elsewhere(link)]


def _is_related(link: html.HtmlElement, relation: str) -> bool:
    return relation in link.get("rel", "")[:200].lower().split()


def _logos(tree: html.HtmlElement) -> Iterator[str]:
    """Texts of what leads to the home page or is called a logo."""
    for element in islice(tree.iter("a", "img"), _MAX_LOGOS):
        hints = f"{element.get('class', '')} {element.get('id', '')} {element.get('rel', '')}"[:500].lower()
        if element.tag == "img" and ("logo" in hints or "logo" in element.get("src", "")[:300].lower()):
            yield texts.line(element.get("alt"))
        elif element.tag == "a" and (element.get("href") == "/" or "logo" in hints or "brand" in hints):
            yield texts.line(markup.text_of(element))
