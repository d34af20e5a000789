"""Excel workbooks: a section a sheet, its tables below it."""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, tidy
from ingest.convert.grid import Area, Grid, sheet_markdown
from ingest.convert.markup import blocks, heading
from ingest.convert.package import DAMAGE, Package
from ingest.convert.properties import core_properties, declared

MAX_SHEETS = 200
MAX_SEEN = 1_048_576
"""Rows of a sheet, empty ones too: more than these Excel does not write."""
_MAX_AREAS = 10_000
_TAIL = 4_000_000
"""Bytes behind a sheet's rows that are looked at for merged cells."""
_ROWS_END = re.compile(rb"</(?:\w+:)?sheetData\s*>|<(?:\w+:)?sheetData\s*/>")
_MERGED = re.compile(
    rb"""<(?:\w+:)?mergeCell\s[^>]{0,100}?ref=["']([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})["']"""
)


class XlsxConverter:
    """Reads stored values row by row: formulas are not computed, macros and hidden sheets are left out."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        package = Package(data, "an Excel workbook")
        package.require("xl/workbook.xml")
        package.refuse_entities()
        metadata, origins = declared(core_properties(package), "xlsx")
        parts, notes = [], []
        for sheet, title, hidden in _sheets(data):
            if hidden:
                notes.append(f"hidden sheet {title!r} is left out")
                continue
            grid = Grid()
            try:
                grid.read(_rows(sheet))
            except _BROKEN as error:
                raise InputError(f"damaged: sheet {title!r} cannot be read: {_why(error)}") from None
            grid.spread(_merged(package, sheet))
            body, cut = sheet_markdown(grid)
            parts += [heading(2, title), body] if body else []
            notes += [f"sheet {title!r}: {note}" for note in cut]
        return Converted(tidy(blocks(parts)), metadata, tuple(notes), origins)


_BROKEN = (*DAMAGE, TypeError, AttributeError, SyntaxError, ArithmeticError)
"""What openpyxl lets through when a part is not as it expects (XML errors are SyntaxErrors)."""


def _sheets(data: bytes) -> Iterator[tuple[Any, str, bool]]:
    import warnings

    from openpyxl import load_workbook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parts that it does not keep when it saves
        try:
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        except _BROKEN as error:
            raise InputError(f"damaged: cannot be opened as an Excel workbook: {_why(error)}") from None
        for sheet in book.worksheets[:MAX_SHEETS]:
            yield sheet, sheet.title, sheet.sheet_state != "visible"


def _why(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _rows(sheet: Any) -> Iterator[list[str]]:
    # What a sheet states as its size may be wrong, and openpyxl would fill rows up to it.
    sheet.reset_dimensions()
    for row in sheet.iter_rows(max_row=MAX_SEEN):
        yield [_text(cell.value, cell) if cell.value is not None else "" for cell in row]


def _text(value: Any, cell: Any) -> str:
    """A value about as Excel shows it."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        midnight = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
        return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, int | float):
        percent = "%" in (cell.number_format or "")
        return number(value * 100) + "%" if percent else number(value)
    return str(value)


def number(value: float) -> str:
    """Without the last digits that only binary arithmetic knows; whole numbers without a point."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.12g}"
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else text


def _merged(package: Package, sheet: Any) -> list[Area]:
    """The merged areas, which stand behind the rows and which openpyxl's streaming mode does not tell."""
    name = posixpath.normpath(str(sheet._worksheet_path).lstrip("/"))
    tail = _behind_rows(package, name) if name in package else b""
    areas = []
    for match in _MERGED.finditer(tail):
        left, top, right, bottom = match.groups()
        areas.append((int(top) - 1, _column(left), int(bottom) - 1, _column(right)))
        if len(areas) >= _MAX_AREAS:
            break
    return areas


def _behind_rows(package: Package, name: str) -> bytes:
    kept, found = b"", False
    try:
        with package.stream(name) as part:
            while (block := part.read(1 << 20)) and len(kept) < _TAIL:
                kept = kept + block if found else kept[-64:] + block
                if not found and (end := _ROWS_END.search(kept)):
                    kept, found = kept[end.end() :], True
    except DAMAGE:
        return b""  # the rows could be read all the same
    return kept if found else b""


def _column(letters: bytes) -> int:
    index = 0
    for letter in letters:
        index = index * 26 + letter - 64
    return index - 1


def converter(settings: IngestSettings) -> XlsxConverter:
    return XlsxConverter()
