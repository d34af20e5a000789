"""Web pages, by trafilatura: the main content as markdown, and what the page declares about itself."""

from __future__ import annotations

import logging
import re
from copy import deepcopy
from typing import Any

import lxml.html
from htmldate import find_date
from lxml import etree
from trafilatura import extract, extract_metadata, html2txt

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, refuse_binary, tidy
from ingest.convert.encoding import decode
from ingest.metadata import clean_metadata
from retrieve.schema import Metadata

_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w:.-]{2,40})""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w:.-]{2,40})["']""")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?=$|[-_])")
_HINTS = "translate(concat(@class, ' ', @id, ' ', @itemprop), 'BDEILNPSTU', 'bdeilnpstu')"
_DATE_PLACES = f"""//body//*[self::time or self::abbr or self::meta
    or self::script[contains(@type, 'ld+json')]
    or contains({_HINTS}, 'date') or contains({_HINTS}, 'publish') or contains({_HINTS}, 'byline')
    or ((self::p or self::div or self::span or self::a or self::small or self::em) and not(*/*)
        and not(ancestor::table or ancestor::li or ancestor::pre or ancestor::code
                or ancestor::aside or ancestor::nav or ancestor::footer))]"""
_LONGEST_DATE_LINE = 60
_CONTENT = """//body//*[{}][not(ancestor::nav or ancestor::header or ancestor::footer or ancestor::aside)]"""
_UNSEEN = "//script | //style | //noscript | //template | //head"


class HtmlConverter:
    """Keeps headings, lists, tables, code and links; leaves out navigation and the like."""

    def __init__(self) -> None:
        # It reports on pages to developers; what a person should know is raised or noted here.
        logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
        logging.getLogger("htmldate").setLevel(logging.CRITICAL)

    def convert(self, data: bytes, suffix: str) -> Converted:
        refuse_binary(data, "HTML")
        declared = _CHARSET.search(data[:4096]) or _XML_ENCODING.search(data[:4096])
        text, note = decode(data, declared[1].decode("ascii") if declared else None)
        notes = (note,) if note else ()
        if not text.strip():
            return Converted("", {}, notes)
        tree = _parse(text)
        if tree is None:
            return Converted("", {}, notes)
        try:
            return Converted(tidy(_body(tree)), _metadata(tree), notes)
        except (RecursionError, etree.LxmlError, AssertionError) as error:
            raise InputError(f"cannot be read as a page: {error}") from None


def _parse(text: str) -> lxml.html.HtmlElement | None:
    parser = lxml.html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, collect_ids=False)
    clean = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text)
    try:
        tree = lxml.html.document_fromstring(clean.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:
        return None  # comments and nothing else
    for entry in parser.error_log:
        if entry.type_name == "ERR_RESOURCE_LIMIT":
            raise InputError(f"cannot be read whole: {entry.message.partition(',')[0].lower()}")
    return tree


def _body(tree: lxml.html.HtmlElement) -> str:
    """The main content; a page that seems to have none gives all text that a reader would see."""
    markdown = _extracted(tree)
    if not tree.xpath("//article | //main") and _loses_structure(tree, markdown):
        # In a page without a marked article, paragraphs may be all that is taken for content.
        markdown = max(_extracted(_marked_main(tree)), markdown, key=len)
    if markdown.strip():
        return markdown
    seen = deepcopy(tree)  # the page's own head says what it is about
    for element in seen.xpath(_UNSEEN):
        element.drop_tree()
    return str(html2txt(seen, clean=False))


def _extracted(tree: lxml.html.HtmlElement) -> str:
    markdown = extract(
        deepcopy(tree),
        output_format="markdown",
        include_comments=False,
        include_tables=True,
        include_links=True,
        include_formatting=True,
    )
    return str(markdown or "")


def _loses_structure(tree: lxml.html.HtmlElement, markdown: str) -> bool:
    """Whether most of the headings or most of the list items outside of navigation are missing."""
    kept = _letters(markdown)
    for kind in ("self::h1 or self::h2 or self::h3 or self::h4 or self::h5 or self::h6", "self::li"):
        texts = [_letters(element.text_content()) for element in tree.xpath(_CONTENT.format(kind))]
        if 2 * sum(text not in kept for text in texts) > len(texts):
            return True
    return False


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _marked_main(tree: lxml.html.HtmlElement) -> lxml.html.HtmlElement:
    """The page with everything in its body marked as its main content."""
    marked = deepcopy(tree)
    body = marked.find("body")
    if body is not None:
        main = lxml.html.Element("main")
        main.text, body.text = body.text, None
        main.extend(list(body))
        body.append(main)
    return marked


def _metadata(tree: lxml.html.HtmlElement) -> Metadata:
    """Only what the page says: no date guessed from its text, no site name made from its address."""
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
    return clean_metadata({name: value for name, value in declared.items() if value})


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


def converter(settings: IngestSettings) -> HtmlConverter:
    return HtmlConverter()
