"""The JSON-LD scripts of a page as nodes; those that are no JSON give what can be made out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from itertools import islice
from typing import Any

from lxml import html

Node = dict[str, Any]

MAX_ITEMS = 100
"""Of a list so many items are looked at."""
_MAX_SCRIPTS = 40
_MAX_CHARACTERS = 2_000_000
_MAX_NODES = 2_000
_MAX_DEPTH = 12
_TRAILING_COMMA = re.compile(r",(\s{0,200}[}\]])")
_SALVAGED = {
    name: re.compile(rf'"{name}"\s{{0,20}}:\s{{0,20}}"((?:[^"\\]|\\.){{1,500}})"', re.DOTALL)
    for name in ("headline", "datePublished", "dateModified", "inLanguage")
}
_ABOUT_OTHERS = {
    "itemListElement", "comment", "review", "reviews", "potentialAction", "image", "video", "hasPart",
    "citation", "liveBlogUpdate", "blogPost", "blogPosts", "mentions", "about", "isBasedOn", "relatedLink",
    "significantLink", "associatedMedia", "suggestedAnswer"
}  # fmt: skip
"""Properties whose nodes are other things than the page."""


def nodes_of(tree: html.HtmlElement) -> list[Node]:
    """All nodes with a type, those outside before those inside; of a page without types its objects."""
    roots: list[Any] = []
    left = _MAX_CHARACTERS
    scripts = (script for script in tree.iter("script") if "ld+json" in script.get("type", "")[:100].lower())
    for script in islice(scripts, _MAX_SCRIPTS):
        text = "".join(script.itertext())
        if len(text) <= left:
            left -= len(text)
            roots.extend(_parse(text))
    nodes = list(_walk(roots))
    return nodes or [root for root in roots if isinstance(root, dict)]


def types_of(node: Node) -> set[str]:
    """The names of a node's types, without the vocabulary's address."""
    values = node.get("@type")
    names = values if isinstance(values, list) else [values]
    return {re.split("[/#:]", name)[-1] for name in names[:10] if isinstance(name, str) and len(name) < 200}


def _parse(text: str) -> list[Any]:
    text = _unwrapped(text)
    if "&quot;" in text[:100]:
        text = unescape(text)
    for attempt in (text, _TRAILING_COMMA.sub(r"\1", text)):
        try:
            return list(_values(attempt))
        except (ValueError, RecursionError):
            continue
    found = {name: match[1] for name, form in _SALVAGED.items() if (match := form.search(text))}
    return [{"@type": "Article", **found}] if found else []


def _unwrapped(text: str) -> str:
    """A script without the comment or CDATA section that old pages put it into."""
    for start, end in (("<![CDATA[", "]]>"), ("<!--", "-->")):
        text = text.strip(" \t\r\n;/*").removeprefix(start).removesuffix(end)
    return text.strip(" \t\r\n;/*")


def _values(text: str) -> Iterator[Any]:
    """The value that a text is, or several that stand one after the other."""
    # Numbers stay text: one with a million digits would take minutes to become one.
    decoder = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)
    at = 0
    for _ in range(MAX_ITEMS):
        while at < len(text) and text[at] in " \t\r\n;,":
            at += 1
        if at == len(text):
            return
        value, at = decoder.raw_decode(text, at)
        yield value


def _walk(roots: list[Any]) -> Iterator[Node]:
    """Nodes with a type, breadth first, as deep and as many as any honest page needs."""
    level, seen = roots, 0
    for _ in range(_MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            seen += 1
            if seen > _MAX_NODES:
                return
            if isinstance(value, list):
                below.extend(value[:MAX_ITEMS])
            elif isinstance(value, dict):
                if types_of(value):
                    yield value
                inner = (v for k, v in value.items() if k not in _ABOUT_OTHERS and isinstance(v, dict | list))
                below.extend(islice(inner, MAX_ITEMS))
        level = below
