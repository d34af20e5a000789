"""PDFs by pdfium: the text layer with reading order, headings, lists, tables and code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pypdfium2 as pdfium

from configs.errors import InputError, install
from configs.sections import IngestSettings
from ingest.convert.base import Converted
from ingest.convert.ocr import Wish, ocr_is_installed
from ingest.convert.pdf.document import convert_pages, numbers, read_pages
from ingest.convert.pdf.hi_res import read_hi_res
from ingest.convert.pdf.info import metadata_of
from ingest.convert.pdf.page import Page
from ingest.convert.pdf.scan import read_scans


class PdfConverter:
    """Reads the text layer, page by page, and recognises the text of pages that have none."""

    def __init__(self, ocr: Wish = "auto", way: Literal["text", "hi_res"] = "text") -> None:
        self._ocr = ocr
        self._way = way

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
            return self._read(document, data)

    def _read(self, document: pdfium.PdfDocument, data: bytes) -> Converted:
        if self._way == "hi_res":
            body, regions = read_hi_res(data)
            metadata = metadata_of(document, data)
            notes = () if body else ("the layout model found no text",)
            return Converted(body, metadata, notes, dict.fromkeys(metadata, "pdf"), regions)
        return self._read_text(document, data)

    def _read_text(self, document: pdfium.PdfDocument, data: bytes) -> Converted:
        pages, notes = read_pages(document)
        if not pages:
            raise InputError("a PDF without pages")
        wanted = self._to_recognise(pages)
        if wanted:
            recognised, _ = read_scans(document, pages, wanted)
            if recognised:
                notes.append(f"text recognised in the picture (OCR) of page {numbers(recognised)}")
        empty = [number for number, page in enumerate(pages, 1) if page.is_empty()]
        if len(empty) == len(pages):
            raise InputError(f"no text layer on any page (a scan?); {self._advice()}")
        if empty:
            notes.append(f"no text layer on page {numbers(empty)}")
        return convert_pages(document, data, pages, notes)

    def _to_recognise(self, pages: Sequence[Page]) -> list[int]:
        """The pages whose text is to be recognised, from 0."""
        if self._ocr == "always":
            return list(range(len(pages)))
        if self._ocr == "off" or not ocr_is_installed():
            return []
        return [index for index, page in enumerate(pages) if page.is_empty()]

    def _advice(self) -> str:
        if self._ocr == "off":
            return "ingest.ocr is off; set it to auto, or run the file through OCR first"
        if not ocr_is_installed():
            return f"install the extra ocr ({install('ocr')}), or run it through OCR first"
        return "text recognition found none either"


def converter(settings: IngestSettings) -> PdfConverter:
    return PdfConverter(settings.ocr, settings.pdf)
