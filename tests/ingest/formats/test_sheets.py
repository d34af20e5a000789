"""Workbooks and tables in text."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from typing import Any

import openpyxl
import pytest

from ingest.convert import grid
from ingest.convert.grid import Grid, sheet_markdown
from tests.ingest.formats.files import changed, convert, old_workbook, saved


def book() -> Any:
    workbook = openpyxl.Workbook()
    workbook.properties.title, workbook.properties.creator = "Sales", "Ada Byron"
    sheet = workbook.active
    sheet.title = "Sales"
    sheet.append(["Sales of 2024"])
    sheet.merge_cells("A1:C1")
    sheet.append(["Region", "Day", "Sum", "Share", "Done"])
    sheet.append(["North", date(2024, 1, 2), 10.1 + 0.2, 0.125, True])
    sheet["D3"].number_format = "0.0%"
    sheet.append([None, datetime(2024, 1, 3, 12, 30), 1_000_000, "a|b\nc", False])
    sheet.merge_cells("A3:A4")
    sheet.append([])
    sheet.append(["Part", "Size"])
    sheet.append(["Valve", 10])
    sheet.append(["All sizes in millimetres."])
    hidden = workbook.create_sheet("Secret")
    hidden.append(["do not tell"])
    hidden.sheet_state = "hidden"
    workbook.create_sheet("Empty")
    return workbook


EXPECTED = (
    "## Sales\n\nSales of 2024\n\n"
    "| Region | Day | Sum | Share | Done |\n| --- | --- | --- | --- | --- |\n"
    "| North | 2024-01-02 | 10.3 | 12.5% | TRUE |\n"
    "| North | 2024-01-03 12:30:00 | 1000000 | a\\|b c | FALSE |\n\n"
    "| Part | Size |\n| --- | --- |\n| Valve | 10 |\n\nAll sizes in millimetres.\n"
)


def test_a_workbook() -> None:
    converted = convert(saved(book()), ".xlsx")
    assert converted.body == EXPECTED
    assert converted.notes == ("hidden sheet 'Secret' is left out",)
    assert (converted.metadata["title"], converted.metadata["author"]) == ("Sales", "Ada Byron")


def test_what_a_sheet_says_of_its_size_is_not_believed() -> None:
    data = saved(book())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert '<dimension ref="A1:E8"' in sheet
    vast = sheet.replace('<dimension ref="A1:E8"', '<dimension ref="A1:XFD1048576"')
    assert convert(changed(data, {"xl/worksheets/sheet1.xml": vast}), ".xlsx").body == EXPECTED


def test_a_million_rows_are_read_one_by_one_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "MAX_ROWS", 3)
    monkeypatch.setattr(grid, "MAX_COLUMNS", 2)
    workbook = openpyxl.Workbook()
    for row in range(10):
        workbook.active.append([row, "x", "cut"])
    converted = convert(saved(workbook), ".xlsx")
    assert converted.body == "## Sheet\n\n| 0 | x |\n| --- | --- |\n| 1 | x |\n| 2 | x |\n"
    assert converted.notes == (
        "sheet 'Sheet': rows beyond the first 3 are left out (about 7)",
        "sheet 'Sheet': columns beyond the first 2 are left out (1)",
    )


def test_a_row_far_below_costs_nothing() -> None:
    workbook = openpyxl.Workbook()
    workbook.active["A1"], workbook.active["B200000"] = "top", "bottom"
    assert convert(saved(workbook), ".xlsx").body == "## Sheet\n\ntop\n\nbottom\n"


def test_an_older_workbook() -> None:
    rows: list[list[str | float]] = [["Part", "Size"], ["Valve", 10.0], ["", 2.5]]
    converted = convert(old_workbook(rows, merged=[(1, 2, 0, 0)]), ".xls")
    assert converted.body == "## Parts\n\n| Part | Size |\n| --- | --- |\n| Valve | 10 |\n| Valve | 2.5 |\n"
    assert converted.notes == ("hidden sheet 'Notes' is left out",)


@pytest.mark.parametrize(
    ("text", "suffix", "body"),
    [
        ("name,price\nA,1\nB,2\n", ".csv", "| name | price |\n| --- | --- |\n| A | 1 |\n| B | 2 |\n"),
        ('name;price\n"A; big";3,50\n', ".csv", "| name | price |\n| --- | --- |\n| A; big | 3,50 |\n"),
        ("a\tb\n1,5\t2\n", ".tsv", "| a | b |\n| --- | --- |\n| 1,5 | 2 |\n"),
        ("sep=|\na|b\n007|x\n", ".csv", "| a | b |\n| --- | --- |\n| 007 | x |\n"),
        ('a,b\n"two\nlines",2\n', ".csv", "| a | b |\n| --- | --- |\n| two lines | 2 |\n"),
        ('size,b\n5" pipe,2\n6,3\n', ".csv", '| size | b |\n| --- | --- |\n| 5" pipe | 2 |\n| 6 | 3 |\n'),
        ("1,2\n3,4\n", ".csv", "| column 1 | column 2 |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |\n"),
        ("2023,2024\n3,4\n", ".csv", "| 2023 | 2024 |\n| --- | --- |\n| 3 | 4 |\n"),
        ("word\nother\nthird\n", ".csv", "| word |\n| --- |\n| other |\n| third |\n"),
        ("", ".csv", ""),
        ("\ufeffa,b\n1,x\n", ".csv", "| a | b |\n| --- | --- |\n| 1 | x |\n"),
    ],
)
def test_tables_in_text(text: str, suffix: str, body: str) -> None:
    assert convert(text.encode(), suffix).body == body


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (45293, "yyyy\\-mm\\-dd", "2024-01-02"),
        (45293.5, 'd. mmmm yyyy "at" h:mm', "2024-01-02 12:00:00"),
        (0.25, "[h]:mm:ss", "6:00:00"),
        (0.5, '0.00" days"', "0.5"),
        (12.5, "[Red]#,##0.00;(General)", "12.5"),
        (1 / 3, "0%", "33.3333333333%"),
        (1e20, "General", "1e+20"),
        (1e300, "yyyy", "1e+300"),
    ],
)
def test_numbers_as_their_formats_show_them(value: float, form: str, shown: str) -> None:
    workbook = openpyxl.Workbook()
    workbook.active["A1"] = value
    workbook.active["A1"].number_format = form
    assert convert(saved(workbook), ".xlsx").body == f"## Sheet\n\n{shown}\n"


def test_a_table_in_another_encoding() -> None:
    converted = convert("Größe;Farbe\n1;grün\n".encode("cp1252"), ".csv")
    assert converted.body == "| Größe | Farbe |\n| --- | --- |\n| 1 | grün |\n"
    assert "read as cp1252" in converted.notes[0]


def test_a_caption_within_a_table_is_said_once_and_merged_columns_in_each() -> None:
    sheet = Grid()
    sheet.read([["Part", "2023", "2024"], ["Pumps", "", ""], ["small", "1", ""], ["large", "2", "3"]])
    sheet.spread([(1, 0, 1, 2), (2, 1, 2, 2)])
    assert sheet_markdown(sheet, 4)[0] == (
        "| Part | 2023 | 2024 |\n| --- | --- | --- |\n| Pumps |  |  |\n| small | 1 | 1 |\n| large | 2 | 3 |"
    )
