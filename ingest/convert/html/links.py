"""Addresses on a page: resolved against where the page says it lives."""

from __future__ import annotations

import re
from urllib.parse import quote, urljoin, urlsplit

from ingest.convert.html.tree import Element

_SAFE = "!#$%&'()*+,/:;=?@[]~"
_SCHEMES = ("http", "https", "mailto", "tel", "ftp", "ftps", "")
_LONGEST = 2000


def page_address(tree: Element) -> str | None:
    """What relative addresses are relative to: ``base``, the canonical address, or OpenGraph's."""
    own = _first_http(
        tree.xpath(
            "//link[@rel='canonical']/@href | //meta[@property='og:url']/@content |"
            " //meta[@name='twitter:url']/@content"
        )
    )
    base = tree.xpath("string(//base/@href)").strip()
    if base:
        try:
            base = urljoin(own or "", base)
        except ValueError:
            base = ""
    return base if base.startswith(("http://", "https://")) else own


def _first_http(values: list[str]) -> str | None:
    return next(
        (value.strip() for value in values if value.strip().startswith(("http://", "https://"))), None
    )


def resolve(address: str, base: str | None) -> str:
    """An absolute address where that can be known; empty for scripts and data.

    A fragment of the page itself stays as it is.
    """
    address = re.sub(r"[\x00-\x1f]", "", address).strip()
    if not address or len(address) > _LONGEST or address == "#":
        return ""
    try:
        scheme = urlsplit(address).scheme.lower()
        if scheme not in _SCHEMES:
            return ""
        if not address.startswith("#"):
            if address.startswith("//"):
                address = (urlsplit(base).scheme if base else "https") + ":" + address
            if base and not urlsplit(address).scheme:
                address = urljoin(base, address)
            parts = urlsplit(address)
            if parts.scheme in ("http", "https") and not parts.path and parts.netloc:
                address = parts._replace(path="/").geturl()
    except ValueError:
        return ""
    address = (
        quote(address, safe=_SAFE, encoding="utf-8") if re.search(r"[\s<>\"\\^`{|}]", address) else address
    )
    return _balanced(address)


def _balanced(address: str) -> str:
    """Parentheses as markdown can read them in a link's target."""
    depth = 0
    for character in address:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            break
    return address if depth == 0 else address.replace("(", "%28").replace(")", "%29")
