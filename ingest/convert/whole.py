"""Trees of HTML's elements as markdown, whole: without looking for what is a page's main content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ingest.convert.html.body import settle
from ingest.convert.html.links import page_address
from ingest.convert.html.markdown import Writer, write_notes


def whole_page(tree: Any) -> str:
    """All that a reader would see of a page, an e-book or a message, as markdown; the tree is used up."""
    body = tree.find("body")
    if body is None:
        return ""
    base = page_address(tree)
    notes = settle(body).definitions
    for root in (body, *notes):
        for link in root.iter("a"):
            if link.get("href", "").startswith("#"):
                del link.attrib["href"]  # a place in the page, which the text has no more
    return settled_markdown(body, notes, base)


def settled_markdown(root: Any, notes: Sequence[Any] = (), base: str | None = None) -> str:
    """A tree that holds only what `Writer` knows, with its footnotes at the end."""
    writer = Writer(base)
    text = writer.write([root])
    foot = write_notes(enumerate(notes, 1), writer)
    return f"{text}\n\n{foot}" if foot else text
