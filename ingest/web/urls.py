"""Addresses of pages: one spelling each, and what belongs to a site."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urljoin, urlsplit

from configs.errors import InputError

LONGEST = 2000
WEB = "web"
"""The folder with the copies of pages, below Draftline's home."""
_PORTS = {"http": 80, "https": 443}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_SAFE = "/?%:@!$&'()*+,;=~-._"


@dataclass(frozen=True)
class Area:
    """What of a host belongs to an address: pages below it if it ends in a slash, else itself alone."""

    origin: str
    path: str
    """With a leading slash, without the query."""
    page: str | None = None
    """The only address that belongs to it."""

    def holds(self, url: str) -> bool:
        if self.page is not None:
            return url == self.page
        path = url[len(self.origin) :].partition("?")[0]
        return url.startswith(f"{self.origin}/") and (path.startswith(self.path) or f"{path}/" == self.path)


def area_of(url: str) -> Area:
    """The area of a normalised address."""
    origin, path = origin_of(url), path_of(url)
    if path.endswith("/") and "?" not in url:
        return Area(origin, path)
    return Area(origin, path, url)


def shown(text: str) -> str:
    """A path or address for people, without the user name and password that it may hold."""
    return re.sub(r"^(https?://)[^/]*@", r"\1***@", text, flags=re.IGNORECASE)


def given_url(text: str) -> str:
    """The address that a person gave, normalised.

    Raises:
        InputError: it is none that could be fetched.
    """
    url = normalise(text)
    if url is None:
        hint = " without a user name and password" if "@" in text.partition("//")[2].partition("/")[0] else ""
        raise InputError(f"{shown(text)}: not an address that can be fetched; write https://host/path{hint}")
    return url


def normalise(url: str, base: str = "") -> str | None:
    """An address in the one spelling that we know it by; None where it is nothing to fetch.

    Source: RFC 3986, section 6.2.2 (case, percent-encoding, dot segments) and 6.2.3 (default ports).
    """
    if len(url) > 2 * LONGEST:
        return None
    url = re.sub(r"[\t\r\n]", "", url).strip(" \f\0")
    try:
        parts = urlsplit(urljoin(base, url))
        host, port = parts.hostname, parts.port
        host = host.encode("idna").decode("ascii") if host and ":" not in host else host
    except (ValueError, UnicodeError):
        return None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not host or parts.username is not None or re.search(r"[^\w.:-]", host):
        return None
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != _PORTS[scheme]:
        netloc += f":{port}"
    path = _without_dots(encoded(parts.path)) or "/"
    query = f"?{encoded(parts.query)}" if parts.query else ""
    whole = f"{scheme}://{netloc}{path}{query}"
    return whole if len(whole) <= LONGEST else None


def origin_of(url: str) -> str:
    """``https://host:port``."""
    return "/".join(url.split("/", 3)[:3])


def path_of(url: str) -> str:
    """The path of a normalised address, with its leading slash, without the query."""
    return url[len(origin_of(url)) :].partition("?")[0]


def document_path(url: str) -> str:
    """What a page's document is called below its origin: path and query; the first page is ``/``."""
    return url[len(origin_of(url)) + 1 :] or "/"


def is_url(path: str) -> bool:
    """Whether a path argument is an address on the web."""
    return re.match(r"https?://", path, re.IGNORECASE) is not None


def page_file(path: str, suffix: str) -> str:
    """A relative file name for a page's document path: readable, and safe in every folder."""
    bare, _, query = path.partition("?")
    parts = [part for part in unquote(bare, errors="replace").split("/") if part not in ("", ".", "..")]
    if not parts or bare.endswith("/"):
        parts.append("index")
    parts[-1] += f"@{unquote(query, errors='replace')}" if query else ""
    if not parts[-1].lower().endswith(suffix):
        parts[-1] += suffix
    safe = [re.sub(r"[\x00-\x1f\x7f/\\]", "_", part)[-100:] for part in parts]
    return str(PurePosixPath(*safe))


def same_place_secured(url: str, other: str) -> bool:
    """Whether ``other`` is on the host of ``url``, by https instead of http on their usual ports."""
    return origin_of(url).startswith("http://") and origin_of(other) == "https" + origin_of(url)[4:]


def encoded(text: str) -> str:
    """A path or query in the one spelling: escaped where it must be and nowhere else, by capital letters."""
    quoted = quote(text, safe=_SAFE, errors="replace")
    quoted = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", quoted)

    def spell(match: re.Match[str]) -> str:
        letter = chr(int(match[1], 16))
        return letter if _UNRESERVED.fullmatch(letter) else match[0].upper()

    return _ESCAPE.sub(spell, quoted)


def _without_dots(path: str) -> str:
    kept: list[str] = []
    parts = path.split("/")
    for index, part in enumerate(parts):
        if part == "..":
            kept = kept[: max(1, len(kept) - 1)]
        elif part != ".":
            kept.append(part)
        if part in (".", "..") and index == len(parts) - 1:
            kept.append("")
    return "/".join(kept)
