"""Pages that are pictures of text."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw

from ingest.convert.ocr import READ_SIDE, Found, text_reader
from ingest.convert.pdf.native import Style
from ingest.convert.pdf.page import Page
from ingest.convert.pdf.pieces import Frame, Piece
from ingest.convert.pdf.rulings import Rulings

_MAX_SCALE = 8.0
_USUAL = (0.75, 1.3)
"""Line heights in shares of the median: those between are taken for one size of type."""


def read_scan(document: Any, index: int) -> Page:
    """A page's text by text recognition; empty where nothing is drawn on it.

    Raises:
        pypdfium2.PdfiumError: it is damaged.
        InputError: text recognition is not installed.
    """
    with closing(document[index]) as page:
        if not raw.FPDFPage_CountObjects(page.raw):
            return Page()
        width, height = page.get_size()
        if not (width >= 1 and height >= 1):
            return Page()
        scale = min(READ_SIDE / max(width, height), _MAX_SCALE)
        with closing(page.render(scale=scale, rev_byteorder=False)) as bitmap:
            pixels = bitmap.to_numpy()
            if pixels.ndim == 2:
                pixels = pixels[:, :, None]
            colours = [0, 1, 2] if pixels.shape[2] >= 3 else [0, 0, 0]
            picture = np.ascontiguousarray(pixels[:, :, colours])
    return Page([frame_of(text_reader().read(picture), width, height)])


def read_scans(document: Any, pages: list[Page], wanted: list[int]) -> tuple[list[int], list[int]]:
    """Put recognised text in place of pages; which ones now have text, and which are damaged."""
    read, damaged = [], []
    for index in wanted:
        try:
            page = read_scan(document, index)
        except pdfium.PdfiumError:
            damaged.append(index + 1)
            continue
        if not page.is_empty():
            pages[index] = page
            read.append(index + 1)
    return read, damaged


def frame_of(found: Sequence[Found], width: float, height: float) -> Frame:
    """Lines that were read as a frame of a page of this size, to be laid out like a text layer."""
    if not found:
        return Frame(0, width, height, [], Rulings())
    heights = [(line.box[3] - line.box[1]) * height for line in found]
    usual = float(np.median(heights))
    pieces = []
    for line, high in zip(found, heights, strict=True):
        x0, y0, x1, y1 = line.box
        like = usual if _USUAL[0] * usual <= high <= _USUAL[1] * usual else high
        style = Style(max(round(like * 0.75), 1))
        pieces.append(Piece(line.text, x0 * width, y0 * height, x1 * width, y1 * height, style))
    return Frame(0, width, height, pieces, Rulings())
