"""Web pages, by trafilatura: the main content as markdown, and what the page declares about itself."""

from __future__ import annotations

import logging
from copy import deepcopy

import lxml.html
from lxml import etree
from trafilatura import extract, html2txt

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, tidy
from ingest.convert.page import read_page
from ingest.convert.page_metadata import page_metadata

_CONTENT = """//body//*[{}][not(ancestor::nav or ancestor::header or ancestor::footer or ancestor::aside)]"""
_UNSEEN = "//script | //style | //noscript | //template | //head"


class HtmlConverter:
    """Keeps headings, lists, tables, code and links; leaves out navigation and the like."""

    def __init__(self) -> None:
        # It reports on pages to developers; what a person should know is raised or noted here.
        logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
        logging.getLogger("htmldate").setLevel(logging.CRITICAL)

    def convert(self, data: bytes, suffix: str) -> Converted:
        tree, notes = read_page(data)
        if tree is None:
            return Converted("", {}, notes)
        try:
            metadata, origins = page_metadata(tree)
            return Converted(tidy(_body(tree)), metadata, notes, origins)
        except (RecursionError, etree.LxmlError, AssertionError) as error:
            raise InputError(f"cannot be read as a page: {error}") from None


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


def converter(settings: IngestSettings) -> HtmlConverter:
    return HtmlConverter()
