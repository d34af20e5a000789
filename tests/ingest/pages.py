"""A page around some content, and its conversion."""

from __future__ import annotations

from functools import cache

from configs.settings import load_settings
from ingest.convert.base import Converter, load_converter

PROSE = (
    "The pump moves water from the lower basin to the upper one, and it does so quietly, day and night. "
    "Nobody who lives next to it, neither man nor bird, has ever complained about the noise that it makes."
)


def body(content: str, head: str = "") -> str:
    """The markdown of a page with an article of this content."""
    page = f"<!doctype html><html><head><title>Pumps</title>{head}</head><body>{content}</body></html>"
    return _converter().convert(page.encode("utf-8", "surrogatepass"), ".html").body


@cache
def _converter() -> Converter:
    return load_converter("html", load_settings().ingest)


def article(content: str, head: str = "") -> str:
    """The markdown of content in an article, without the paragraphs around it."""
    found = body(f"<article><p>{PROSE}</p>{content}<p>{PROSE}</p></article>", head)
    before, inner, after = found.split(PROSE)
    assert (before, after) == ("", "\n")
    return inner.strip("\n")
