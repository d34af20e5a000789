"""Tables in text: CSV and TSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import Literal

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.convert.base import Converted, refuse_binary, tidy
from ingest.convert.encoding import decode
from ingest.convert.grid import Grid, sheet_markdown

_SAMPLE = 64_000
_LINES = 200
_MAX_FIELD = 1_000_000
_SEPARATORS = (",", ";", "\t", "|")
_SEP_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


class CsvConverter:
    """Finds out how the values are set apart; they stay as they are written."""

    def convert(self, data: bytes, suffix: str) -> Converted:
        refuse_binary(data, "a table in text")
        text, note = decode(data)
        text = text.removeprefix("\ufeff")
        if "\n" not in text:
            text = text.replace("\r", "\n")
        separator, text = _separator(text, suffix)
        grid = Grid()
        grid.read(_rows(text, separator))
        body, notes = sheet_markdown(grid, text.count("\n"))
        return Converted(tidy(body), {}, tuple(filter(None, (note, *notes))))


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    # A stray quote would swallow the rest of the file as one value: then lines are lines.
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if _quotes_close(text) else csv.QUOTE_NONE
    try:
        yield from csv.reader(_lines(text), delimiter=separator, quoting=quoting, skipinitialspace=True)
    except csv.Error as error:
        raise InputError(f"damaged: cannot be read as a table: {error}") from None


def _lines(text: str) -> Iterator[str]:
    """One line after the other, with its end, and without a copy of the whole."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _quotes_close(text: str) -> bool:
    return text.count('"') % 2 == 0


def _separator(text: str, suffix: str) -> tuple[str, str]:
    """What stands between values, and the text without a line that says so (Excel's ``sep=;``)."""
    stated = _SEP_LINE.match(text)
    if stated:
        return stated[1], text[stated.end() :]
    if suffix == ".tsv" or suffix == ".tab":
        return "\t", text
    lines = text[:_SAMPLE].splitlines()[:_LINES]
    whole = lines[:-1] if len(text) > _SAMPLE and len(lines) > 1 else lines
    return max(_SEPARATORS, key=lambda s: _regularity("\n".join(whole), s)), text


def _regularity(sample: str, separator: str) -> tuple[float, int]:
    """How well a separator cuts a sample into rows of one width: share of rows, and that width."""
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        widths = [len(row) for row in islice(reader, _LINES) if row]
    except csv.Error:
        return 0.0, 0
    wide = [width for width in widths if width > 1]
    if not wide:
        return 0.0, 0
    usual = max(sorted(set(wide), reverse=True), key=wide.count)
    return wide.count(usual) / len(widths), usual


def converter(settings: IngestSettings) -> CsvConverter:
    csv.field_size_limit(_MAX_FIELD)  # of this process; the default is an eighth of it
    return CsvConverter()
