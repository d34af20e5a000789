"""Workbooks in Excel's older binary form, by xlrd."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, tidy
from ingest.convert.grid import Grid, sheet_markdown
from ingest.convert.markup import blocks, heading
from ingest.convert.properties import declared
from ingest.convert.xlsx_parts import MAX_SHEETS, plain_number


class XlsConverter:
    """Reads stored values; macros and hidden sheets are left out."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        from xlrd.biffh import error_text_from_code

        book = _open(data)
        parts, notes = [], []
        for sheet in book.sheets()[:MAX_SHEETS]:
            if sheet.visibility:
                notes.append(f"hidden sheet {sheet.name!r} is left out")
                continue
            grid = Grid()
            grid.read(_rows(sheet, book.datemode, error_text_from_code))
            grid.spread((top, left, bottom - 1, right - 1) for top, bottom, left, right in sheet.merged_cells)
            body, cut = sheet_markdown(grid, sheet.nrows)
            parts += [heading(2, sheet.name), body] if body else []
            notes += [f"sheet {sheet.name!r}: {note}" for note in cut]
        metadata, origins = declared({"author": book.user_name}, "xls")
        return Converted(tidy(blocks(parts)), metadata, tuple(notes), origins)


def _open(data: bytes) -> Any:
    import xlrd

    if not data:
        raise InputError("not an older Excel workbook: the file is empty")
    if data.startswith(b"PK"):
        raise InputError("not an older Excel workbook: its content is a ZIP archive; rename it to .xlsx")
    try:
        return xlrd.open_workbook(
            file_contents=data, logfile=io.StringIO(), formatting_info=True, ragged_rows=True
        )
    except Exception as error:  # it has one of its own, and lets through what damaged bytes cause
        if "encrypted" in str(error).lower():
            raise InputError("encrypted: it opens only with a password; save a copy without one") from None
        why = " ".join(str(error).split())[:200]
        raise InputError(f"damaged: cannot be opened as an older Excel workbook: {why}") from None


def _rows(sheet: Any, datemode: int, errors: dict[int, str]) -> Iterator[list[str]]:
    for index in range(sheet.nrows):
        yield [_text(cell, datemode, errors) for cell in sheet.row(index)]


def _text(cell: Any, datemode: int, errors: dict[int, str]) -> str:
    from xlrd import XL_CELL_BOOLEAN, XL_CELL_DATE, XL_CELL_ERROR, XL_CELL_NUMBER, xldate_as_datetime

    if cell.ctype == XL_CELL_NUMBER:
        return plain_number(cell.value)
    if cell.ctype == XL_CELL_BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    if cell.ctype == XL_CELL_ERROR:
        return errors.get(cell.value, "#ERROR")
    if cell.ctype == XL_CELL_DATE:
        try:
            moment: datetime = xldate_as_datetime(cell.value, datemode)
        except (ValueError, OverflowError):
            return plain_number(cell.value)
        midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
        return moment.date().isoformat() if midnight else moment.isoformat(" ", "seconds")
    return str(cell.value)


def converter(settings: IngestSettings) -> XlsConverter:
    return XlsConverter()
