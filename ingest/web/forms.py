"""What an answer's bytes are: the suffix that the copy of a page gets, and its text as UTF-8."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from mimetypes import MimeTypes
from pathlib import PurePosixPath

from ingest.archives.unpack import ArchiveLimits, Budget, LostError, SpentError, Unpacked, read_all
from ingest.convert.encoding import NO_TEXTS
from ingest.web.fetch import Answer
from ingest.web.urls import path_of

HTML = ("text/html", "application/xhtml+xml")
_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".xhtml",
    "text/markdown": ".md",
    "text/x-markdown": ".md",
    "text/plain": ".txt",
    "application/pdf": ".pdf",
}
_VAGUE = ("", "text/plain", "application/octet-stream", "binary/octet-stream", "application/x-download")


def suffix_of(answer: Answer, url: str, accepts: Callable[[str], bool]) -> str | None:
    """The suffix of the kind of file that a page is; None for one that cannot be converted.

    The content type decides; the address does where that says nothing, or names a kind whose suffix
    is the address's own.
    """
    own = PurePosixPath(path_of(url)).suffix.lower()
    named = _SUFFIXES.get(answer.type)
    if answer.type not in HTML and own and accepts(f"x{own}") and _may_be(answer.type, own):
        return own
    guessed = (named, *MimeTypes().guess_all_extensions(answer.type)) if answer.type else ()
    return next((suffix for suffix in guessed if suffix and accepts(f"x{suffix}")), None)


def is_worth_a_look(url: str, accepts: Callable[[str], bool]) -> bool:
    """Whether a link may lead to something that can be converted, by its address alone."""
    suffix = PurePosixPath(path_of(url)).suffix.lower()
    if not suffix or accepts(f"x{suffix}"):
        return True
    kind, packing = MimeTypes().guess_type(f"x{suffix}")
    return packing is None and (kind is None or kind in _SUFFIXES)


def as_utf8(answer: Answer) -> bytes:
    """A page's bytes; a text whose encoding only the header names is given in UTF-8 with a mark."""
    declared = answer.headers.get("content-type", "").lower().partition("charset=")[2]
    charset = declared.partition(";")[0].strip(" \"'")
    if not charset or not answer.type.startswith("text/") or answer.body.startswith(codecs.BOM_UTF8):
        return answer.body
    try:
        codec = codecs.lookup(charset).name
        if codec in ("utf-8", "ascii", *NO_TEXTS):
            return answer.body
        return codecs.BOM_UTF8 + answer.body.decode(codec, "replace").encode()
    except (LookupError, ValueError):
        return answer.body


def changed_at(answer: Answer, now: float) -> float | None:
    """When the server says that a page last changed, as a time stamp; None where it does not say."""
    try:
        when = parsedate_to_datetime(answer.headers.get("last-modified", ""))
        stamp = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return stamp if datetime(1990, 1, 1, tzinfo=UTC).timestamp() < stamp <= now else None


def gunzipped(data: bytes, mb: float) -> bytes:
    """What is in a packed sitemap; nothing where it is damaged or too large."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    budget = Budget(ArchiveLimits(1, mb, mb, 1000.0, 1))
    try:
        return read_all(io.BufferedReader(Unpacked(io.BytesIO(data), "gz", budget)), budget, counted=True)
    except (LostError, SpentError):
        return b""


def _may_be(kind: str, suffix: str) -> bool:
    return (
        kind in _VAGUE
        or not kind.startswith(("text/", "image/", "audio/", "video/"))
        or (suffix in MimeTypes().guess_all_extensions(kind))
    )
