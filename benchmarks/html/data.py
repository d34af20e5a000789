"""Pages with what a converter should make of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lxml.html

_UNSTATED = Path(__file__).with_name("unstated.json")
SMALL_GROUP = 4  # kinds with fewer pages than this are put together as "other"


@dataclass(frozen=True)
class Page:
    """A page and its reference."""

    name: str
    group: str
    html: bytes
    expected: str
    """Markdown, or the plain text of the main content."""
    declared: Mapping[str, Any] = field(default_factory=dict)
    """The reference metadata as the data has it."""

    @property
    def half(self) -> str:
        """``tune`` or ``watch``: which half of the pages this one is in, by its name alone."""
        return ("tune", "watch")[hashlib.sha256(self.name.encode()).digest()[0] % 2]


def markdown_pages(folder: Path) -> list[Page]:
    """Pages in ``html/``, each with ``expected/<stem>.md``: a fenced JSON block, then markdown."""
    pages = []
    for file in sorted((folder / "html").glob("*.html")):
        reference = (folder / "expected" / f"{file.stem}.md").read_text(encoding="utf-8")
        block, _, body = reference.removeprefix("```json").partition("\n```")
        pages.append(
            Page(file.stem, file.stem.partition("--")[0], file.read_bytes(), body.strip(), json.loads(block))
        )
    sizes: dict[str, int] = {}
    for page in pages:
        sizes[page.group] = sizes.get(page.group, 0) + 1
    return [
        page if sizes[page.group] >= SMALL_GROUP else Page(**{**vars(page), "group": "other"})
        for page in pages
    ]


def articles(folder: Path) -> list[Page]:
    """Folders with ``source.html``, ``expected.html`` (the main content) and ``expected-metadata.json``."""
    return [
        Page(
            file.parent.name,
            "articles",
            file.read_bytes(),
            visible_text((file.parent / "expected.html").read_text(encoding="utf-8")),
            json.loads((file.parent / "expected-metadata.json").read_text(encoding="utf-8")),
        )
        for file in sorted(folder.glob("*/source.html"))
    ]


def completed(pages: list[Page]) -> list[Page]:
    """Articles whose references also have what they leave out and the pages state.

    The references hold what one reader of meta tags and JSON-LD found. ``unstated.json`` has dates, authors
    and sites that stand elsewhere on the pages, in the text or in attributes. Two annotators read all 65
    pages without any extractor's findings before them; they agreed on 64 dates, 63 authors, 65 sites, and
    on all that the file holds. Three dates (in a title, of an agency's report, in numbers) were mended with
    these pages in sight, of either half: what the others are worth is told better by new pages.
    """
    more = json.loads(_UNSTATED.read_text(encoding="utf-8"))
    return [
        Page(**{**vars(page), "declared": {**page.declared, **more.get(page.name, {})}}) for page in pages
    ]


def visible_text(html: str) -> str:
    """The words of a page that are not script, a space between any two elements' texts."""
    if not html.strip():
        return ""
    tree = lxml.html.document_fromstring(html.encode(), parser=lxml.html.HTMLParser(encoding="utf-8"))
    for element in tree.xpath("//script | //style | //noscript | //template"):
        element.drop_tree()
    return " ".join(tree.itertext())
