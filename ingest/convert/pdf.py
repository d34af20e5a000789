"""PDFs with a text layer, by pdfium."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pypdfium2 as pdfium

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, tidy
from ingest.metadata import clean_metadata
from retrieve.schema import Metadata

_PLACEHOLDERS = {"untitled", "anonymous", "unspecified", "(anonymous)", "(unspecified)", "unknown"}
_PDF_DATE = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:([+-])(\d{2})'?(\d{2})?'?|Z)?")


class PdfConverter:
    """Reads the text layer; pages are set apart by an empty line."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        if b"%PDF-" not in data[:1024]:
            raise InputError(
                "not a PDF: it does not begin with %PDF-" if data else "not a PDF: the file is empty"
            )
        try:
            document = pdfium.PdfDocument(data)
        except pdfium.PdfiumError as error:
            if "password" in str(error).lower():
                raise InputError(
                    "encrypted: it opens only with a password; save a copy without one"
                ) from None
            raise InputError(f"damaged PDF: {error}") from None
        with document:
            return _read(document)


def _read(document: pdfium.PdfDocument) -> Converted:
    pages = []
    for index in range(len(document)):
        try:
            with closing(document[index]) as page, closing(page.get_textpage()) as text_page:
                pages.append(_page_text(text_page.get_text_bounded()))
        except pdfium.PdfiumError as error:
            raise InputError(f"damaged PDF: page {index + 1}: {error}") from None
    empty = [str(number) for number, text in enumerate(pages, 1) if not text]
    if len(empty) == len(pages):
        raise InputError(f"no text layer in its {len(pages)} pages (a scan?); run it through OCR first")
    notes = (
        (f"no text layer on page {', '.join(empty[:10])}{'...' if len(empty) > 10 else ''}",) if empty else ()
    )
    return Converted(tidy("\n\n".join(filter(None, pages))), _metadata(document.get_metadata_dict()), notes)


def _page_text(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    # pdfium marks the hyphen that only the line break needed.
    text = re.sub("[\ufffe\u0002]\n?", "", text)
    text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\uffff]", "", text)
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def _metadata(info: dict[str, str]) -> Metadata:
    found: dict[str, object] = {}
    for name, key in (("title", "Title"), ("author", "Author")):
        value = " ".join(info.get(key, "").split())
        if value and value.lower() not in _PLACEHOLDERS:
            found[name] = value
    tags = [tag.strip() for tag in re.split("[,;]", info.get("Keywords", "")) if tag.strip()]
    if tags and not _PLACEHOLDERS.intersection(tag.lower() for tag in tags):
        found["tags"] = tags
    if (moment := _date(info.get("CreationDate", ""))) is not None:
        found["date"] = moment
    return clean_metadata(found)


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
        local = datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0)
        )
        return local.replace(tzinfo=timezone(offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def converter(settings: IngestSettings) -> PdfConverter:
    return PdfConverter()
