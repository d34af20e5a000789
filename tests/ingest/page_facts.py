"""Small pages and what is read from them."""

from __future__ import annotations

import json
from typing import Any

from ingest.convert.page import read_page
from ingest.convert.page_metadata import page_metadata
from retrieve.schema import Metadata

FIELDS = {"title", "author", "date", "updated", "site", "language", "url", "tags", "description"}
TEXT = "Words of the page that go on for a while, so that nobody takes them for a line of the header. " * 3


def read(head: str = "", body: str = "", html: str = "") -> tuple[Metadata, dict[str, str]]:
    page = html or f"<!doctype html><html><head>{head}</head><body>{body}<p>{TEXT}</p></body></html>"
    tree, _ = read_page(page.encode("utf-8", "replace"))
    assert tree is not None
    return page_metadata(tree)


def found(head: str = "", body: str = "") -> Metadata:
    return read(head, body)[0]


def script(*values: Any) -> str:
    escaped = (json.dumps(value).replace("</", "<\\/") for value in values)
    return "".join(f'<script type="application/ld+json">{text}</script>' for text in escaped)


def meta(**values: str) -> str:
    return "".join(
        f'<meta name="{name.replace("__", ":").replace("_", ".")}" content="{value}">'
        for name, value in values.items()
    )
