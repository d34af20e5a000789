"""Where a page leads, and what a sitemap lists."""

from __future__ import annotations

import html
import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from ingest.web.urls import normalise

_MOST_BYTES = 5_000_000
_MOST_LINKS = 5000
_MOST_LISTED = 50_000
"""The most addresses in a sitemap, by its protocol."""
_SITEMAPS = 50
_LOCATION = re.compile(rb"<loc>([^<]{1,4000})</loc>")
_SITEMAP = re.compile(rb"<(urlset|sitemapindex)[\s>]")


def links_of(page: bytes, url: str) -> list[str]:
    """The addresses that a page's links lead to, normalised, each once; nothing of a page without any."""
    from lxml import etree
    from lxml import html as pages

    parser = pages.HTMLParser(recover=True, no_network=True, remove_comments=True)
    try:
        tree: Any = pages.document_fromstring(page[:_MOST_BYTES], parser=parser)
    except (etree.LxmlError, ValueError):
        return []
    base = normalise(next(iter(tree.xpath("//base/@href")), ""), url) or url
    links: dict[str, None] = {}
    for link in tree.iter("a", "area"):
        href = link.get("href")
        if href and "nofollow" not in (link.get("rel") or "").lower().split():
            links[href] = None
    targets = (normalise(href, base) for href in islice(links, _MOST_LINKS))
    return list(dict.fromkeys(target for target in targets if target is not None))


def sitemap_kind(data: bytes) -> str | None:
    """``urlset`` for a sitemap, ``sitemapindex`` for a list of sitemaps; None for anything else."""
    match = _SITEMAP.search(data[:4000])
    return match[1].decode() if match else None


def sitemap_urls(data: bytes) -> list[str]:
    """The addresses that a sitemap lists, normalised, each once.

    Source: sitemaps.org, protocol 0.9.
    """
    listed = dict.fromkeys(match[1].strip() for match in islice(_LOCATION.finditer(data), _MOST_LISTED))
    urls = (normalise(html.unescape(url.decode("utf-8", "replace"))) for url in listed)
    return list(dict.fromkeys(url for url in urls if url is not None))


def sitemap_pages(
    data: bytes, holds: Callable[[str], bool], fetch: Callable[[str], bytes]
) -> Iterator[list[str]]:
    """The pages that a sitemap and the sitemaps that it names list, a sitemap at a time.

    Args:
        holds: whether an address is looked at.
        fetch: gives the sitemap at an address.
    """
    pending, read = deque[str](), 0
    while True:
        read += 1
        listed = [found for found in sitemap_urls(data) if holds(found)]
        if sitemap_kind(data) == "urlset":
            yield listed
        else:
            pending.extend(listed[: _SITEMAPS - read])
        if not pending or read == _SITEMAPS:
            return
        data = fetch(pending.popleft())  # one at a time: each may be large
