"""The systems whose metadata are measured: ours, trafilatura, and converters that have nearly none.

A peer is taken as it comes: what its own function calls title, author and so on, without help. unstructured
and markdownify give text, so their title is their first heading; unstructured guesses the language.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

FIELDS = ("title", "author", "date", "site", "language")

Find = Callable[[bytes], Mapping[str, Any]]


def draftline() -> Find:
    from ingest.convert.page import read_page
    from ingest.convert.page_metadata import page_metadata

    def run(html: bytes) -> Mapping[str, Any]:
        tree, _ = read_page(html)
        return {} if tree is None else page_metadata(tree)[0]

    return run


def trafilatura() -> Find:
    from trafilatura import extract_metadata

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)

    def run(html: bytes) -> Mapping[str, Any]:
        found = extract_metadata(html)
        return {
            "title": found.title,
            "author": (found.author or "").split("; "),
            "date": found.date,
            "site": found.sitename,
            "language": found.language,
        }

    return run


def markdownify() -> Find:
    from benchmarks.html.systems import SYSTEMS as BODIES

    convert = BODIES["markdownify"][0]()

    def run(html: bytes) -> Mapping[str, Any]:
        heading = re.search(r"^# +(.+)$", convert(html), re.MULTILINE)
        return {"title": heading[1] if heading else None}

    return run


def unstructured() -> Find:
    from benchmarks.html.systems import SYSTEMS as BODIES

    BODIES["unstructured"][0]()  # without reports to its makers, with its language model at hand
    from unstructured.partition.html import partition_html

    def run(html: bytes) -> Mapping[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                elements = partition_html(text=html.decode("utf-8", "replace"))
            except Exception:  # a page that it cannot read has no metadata
                return {}
        title = next((str(element) for element in elements if element.category == "Title"), None)
        languages = next((element.metadata.languages for element in elements), None) or [""]
        return {"title": title, "language": _ISO_639_1.get(languages[0], languages[0])}

    return run


_ISO_639_1 = {"eng": "en", "fra": "fr", "deu": "de", "spa": "es", "ces": "cs", "jpn": "ja", "zho": "zh"}
SYSTEMS: dict[str, Callable[[], Find]] = {
    "draftline": draftline,
    "trafilatura": trafilatura,
    "markdownify": markdownify,
    "unstructured": unstructured,
}
