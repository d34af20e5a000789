"""Excel workbooks: a section a sheet, its tables below it."""

from __future__ import annotations

import re

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, tidy
from ingest.convert.grid import Area, Grid, sheet_markdown
from ingest.convert.markup import blocks, heading
from ingest.convert.package import DAMAGE, Package
from ingest.convert.properties import core_properties, declared
from ingest.convert.xlsx_parts import MAX_SHEETS, Workbook, column

_MAIN = "xl/workbook.xml"
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
        package.require(_MAIN)
        package.refuse_entities()
        book = Workbook(package, _MAIN)
        metadata, origins = declared(core_properties(package), "xlsx")
        parts, notes = [], []
        for title, hidden, name in book.sheets[:MAX_SHEETS]:
            if hidden:
                notes.append(f"hidden sheet {title!r} is left out")
            elif "/chartsheets/" not in name and "/dialogsheets/" not in name:
                body, cut = _sheet(package, book, name)
                parts += [heading(2, title), body] if body else []
                notes += [f"sheet {title!r}: {note}" for note in cut]
        if len(book.sheets) > MAX_SHEETS:
            notes.append(
                f"sheets beyond the first {MAX_SHEETS} are left out ({len(book.sheets) - MAX_SHEETS})"
            )
        return Converted(tidy(blocks(parts)), metadata, tuple(notes), origins)


def _sheet(package: Package, book: Workbook, name: str) -> tuple[str, list[str]]:
    """A sheet's markdown, and notes of what was cut."""
    if name not in package:
        raise InputError(f"damaged: it has no part {name[:80]!r}")
    grid = Grid()
    grid.read(book.rows(name))
    areas, total = _around(package, name)
    grid.spread(areas)
    return sheet_markdown(grid, total)


def _around(package: Package, name: str) -> tuple[list[Area], int]:
    """The merged areas, which stand behind the rows, and about how many rows there are."""
    tail, rows = _behind_rows(package, name)
    areas = []
    for match in _MERGED.finditer(tail):
        left, top, right, bottom = match.groups()
        areas.append((int(top) - 1, column(left), int(bottom) - 1, column(right)))
        if len(areas) >= _MAX_AREAS:
            break
    return areas, rows


def _behind_rows(package: Package, name: str) -> tuple[bytes, int]:
    kept, found, rows = b"", False, 0
    try:
        with package.stream(name) as part:
            while (block := part.read(1 << 20)) and len(kept) < _TAIL:
                rows += block.count(b"<row ")
                kept = kept + block if found else kept[-64:] + block
                if not found and (end := _ROWS_END.search(kept)):
                    kept, found = kept[end.end() :], True
    except DAMAGE:
        return b"", rows  # the rows could be read all the same
    return kept if found else b"", rows


def converter(settings: IngestSettings) -> XlsxConverter:
    return XlsxConverter()
