"""What a PDF says about itself: its document information, its XMP packet, its language."""

from __future__ import annotations

import ctypes
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw
from lxml import etree

from ingest.convert.pdf.headings import Bookmark
from ingest.metadata import clean_metadata
from retrieve.schema import Metadata

_PLACEHOLDERS = {"untitled", "anonymous", "unspecified", "(anonymous)", "(unspecified)", "unknown"}
_FILE_NAME = re.compile(r"\S+\.(?:docx?|odt|tex|dvi|indd|pptx?|xlsx?|qxd|pages|rtf|pmd|fm)", re.I)
_PDF_DATE = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:([+-])(\d{2})'?(\d{2})?'?|Z)?")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(?:-[a-zA-Z0-9]{2,8}){0,3}")
_MAX_PACKET = 1_000_000
_MAX_BOOKMARKS = 5_000
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_XMP = "{http://ns.adobe.com/xap/1.0/}"


def metadata_of(document: Any, data: bytes) -> Metadata:
    """Title, author, tags, date and language; the XMP packet fills what the information leaves out."""
    info = document.get_metadata_dict()
    xmp = _xmp(data)
    found: dict[str, object] = {}
    if title := _name(info.get("Title", "")) or _name(" ".join(xmp.get("title", [])[:1])):
        found["title"] = title
    names = list(filter(None, (_name(name) for name in xmp.get("creator", []))))
    author = _name(info.get("Author", ""))
    if len(names) > 1 or (names and not author):
        found["author"] = names if len(names) > 1 else names[0]
    elif author:
        found["author"] = author
    tags = [tag.strip() for tag in re.split("[,;]", info.get("Keywords", "")) if tag.strip()]
    tags = tags or [tag.strip() for tag in xmp.get("subject", []) if tag.strip()]
    if tags and not _PLACEHOLDERS.intersection(tag.lower() for tag in tags):
        found["tags"] = list(dict.fromkeys(tags))[:50]
    if (moment := _date(info.get("CreationDate", "")) or _iso(xmp.get("date", []))) is not None:
        found["date"] = moment
    if language := _language(document) or next(filter(_LANGUAGE.fullmatch, xmp.get("language", [])), ""):
        found["language"] = language
    return clean_metadata(found)


def _name(value: str) -> str:
    """A title or a name; empty for placeholders and for names of files that programs put there."""
    value = re.sub(r"[\x00-\x1f\ufffe\uffff\ud800-\udfff]", " ", value)
    value = re.sub(r"^Microsoft (?:Word|PowerPoint|Excel) - ", "", " ".join(value.split()))[:500]
    return "" if value.lower() in _PLACEHOLDERS or _FILE_NAME.fullmatch(value) else value


def _date(text: str) -> datetime | None:
    match = _PDF_DATE.match(text)
    if match is None:
        return None
    *parts, sign, off_hour, off_minute = match.groups()
    year, month, day, hour, minute, second = (
        int(p or d) for p, d in zip(parts, (0, 1, 1, 0, 0, 0), strict=True)
    )
    offset = timedelta(hours=int(off_hour or 0), minutes=int(off_minute or 0)) * (-1 if sign == "-" else 1)
    try:
        local = datetime(year, month or 1, day or 1, hour, minute, second)
        return local.replace(tzinfo=timezone(offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _iso(values: list[str]) -> datetime | None:
    for value in values:
        try:
            moment = datetime.fromisoformat(value.strip())
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None


def _language(document: Any) -> str:
    size = 64
    buffer = (ctypes.c_ushort * size)()
    length = raw.FPDFCatalog_GetLanguage(document.raw, buffer, size * 2)
    if not 2 < length <= size * 2:
        return ""
    language = bytes(buffer)[: length - 2].decode("utf-16-le", "replace").strip("\x00 ")
    return language if _LANGUAGE.fullmatch(language) else ""


def _xmp(data: bytes) -> dict[str, list[str]]:
    """The values of the last XMP packet that is stored as plain text.

    Packets are made to be found by a plain search (XMP specification part 3, section 1.1).
    """
    end = data.rfind(b"</x:xmpmeta>")
    start = data.rfind(b"<x:xmpmeta", max(end - _MAX_PACKET, 0), max(end, 0))
    if start < 0:
        return {}
    # No entities, no network, and no trees of a depth that only a bomb has.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    try:
        root = etree.fromstring(data[start : end + 12], parser)
    except (etree.XMLSyntaxError, ValueError):
        return {}
    wanted = {f"{_DC}{name}": name for name in ("title", "creator", "subject", "language")}
    wanted[f"{_XMP}CreateDate"] = "date"
    found: dict[str, list[str]] = {}
    for element in root.iter() if root is not None else ():
        if (name := wanted.get(str(element.tag))) is not None:
            values = [item.text or "" for item in element.iter(f"{_RDF}li")] or [element.text or ""]
            found.setdefault(name, [v for v in values[:50] if v.strip()])
        if element.tag == f"{_RDF}Description":
            for key, name in wanted.items():
                if value := element.get(key):
                    found.setdefault(name, [value])
    return found


def bookmarks_of(document: Any) -> list[Bookmark]:
    """The outline, as far as it can be read."""
    found: list[Bookmark] = []
    try:
        for entry in document.get_toc(max_depth=10):
            place = entry.get_dest()
            page = place.get_index() if place is not None else None
            title = " ".join(entry.get_title().split())
            if title:
                found.append(Bookmark(title, entry.level + 1, page))
            if len(found) >= _MAX_BOOKMARKS:
                break
    except (pdfium.PdfiumError, ValueError, RecursionError):
        pass
    return found
