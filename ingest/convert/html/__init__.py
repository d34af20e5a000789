"""Web pages: the main content as markdown, and what the page declares about itself."""

from __future__ import annotations

import logging

from lxml import etree

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, tidy
from ingest.convert.html.body import page_body
from ingest.convert.page import read_page
from ingest.convert.page_metadata import page_metadata


class HtmlConverter:
    """Keeps headings, lists, tables, code and links; leaves out navigation and the like."""

    def __init__(self) -> None:
        # It reports on pages to developers; what a person should know is raised or noted here.
        logging.getLogger("htmldate").setLevel(logging.CRITICAL)

    def convert(self, data: bytes, suffix: str) -> Converted:
        tree, notes = read_page(data)
        if tree is None:
            return Converted("", {}, notes)
        try:
            metadata, origins = page_metadata(tree)
            return Converted(tidy(page_body(tree)), metadata, notes, origins)
        except (RecursionError, etree.LxmlError, AssertionError) as error:
            raise InputError(f"cannot be read as a page: {error}") from None


def converter(settings: IngestSettings) -> HtmlConverter:
    return HtmlConverter()
