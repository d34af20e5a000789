"""The parts of an Excel workbook, read as streams (ECMA-376 Part 1, section 18).

openpyxl's streaming mode reads a sheet that does not state its size twice, the first time into memory, and
parses in Python; a sheet of a million rows must do neither.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from lxml import etree

from configs.errors import InputError
from ingest.convert.package import DAMAGE, Package

MAX_SHEETS = 200
MAX_STRINGS = 3_000_000
MAX_STRING_CHARACTERS = 100_000_000
MAX_SEEN = 1_048_576
"""Rows of a sheet, empty ones too: more than these Excel does not write."""
MAX_ELEMENT = 8_000_000
"""Bytes of a row or a string."""
MAX_WIDTH = 16_384
_DATE_IDS = frozenset([*range(14, 18), 22, *range(27, 37), *range(50, 59)])
_TIME_IDS = frozenset([18, 19, 20, 21, 45, 46, 47])
_QUOTED = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]')
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_PARSING = {"resolve_entities": False, "no_network": True, "load_dtd": False, "remove_comments": True}

Row = list[str]


class Workbook:
    """The sheets of a workbook, by name; values are written about as Excel shows them."""

    def __init__(self, package: Package, main: str) -> None:
        self._package, self._folder = package, posixpath.dirname(main)
        root = package.tree(main)
        properties = root.find("{*}workbookPr")
        self._old_epoch = properties is not None and properties.get("date1904") in ("1", "true")
        targets = self._targets(main)
        self.sheets: list[tuple[str, bool, str]] = []
        """Title, whether it is hidden, and the part that holds it."""
        for sheet in root.iterfind("{*}sheets/{*}sheet"):
            identity = next((text for name, text in sheet.attrib.items() if name.endswith("}id")), "")
            hidden = sheet.get("state", "visible") != "visible"
            self.sheets.append((sheet.get("name", ""), hidden, targets.get(identity, "")))
        self._formats = self._read_formats(posixpath.join(self._folder, "styles.xml"))
        self._strings = self._read_strings(posixpath.join(self._folder, "sharedStrings.xml"))

    def _targets(self, main: str) -> dict[str, str]:
        folder, name = posixpath.split(main)
        relations = self._package.optional_tree(f"{folder}/_rels/{name}.rels")
        found = relations.iterfind("{*}Relationship") if relations is not None else ()
        return {
            one.get("Id", ""): posixpath.normpath(posixpath.join("/" + folder, one.get("Target", ""))).lstrip(
                "/"
            )
            for one in found
        }

    def _read_formats(self, name: str) -> list[str]:
        """What each style of cells shows a number as: ``date``, ``time``, ``percent`` or nothing special."""
        root = self._package.optional_tree(name)
        if root is None:
            return []
        own = {f.get("numFmtId", ""): f.get("formatCode", "") for f in root.iterfind("{*}numFmts/{*}numFmt")}
        return [_kind(x.get("numFmtId", "0"), own) for x in root.iterfind("{*}cellXfs/{*}xf")]

    def _read_strings(self, name: str) -> list[str]:
        strings: list[str] = []
        room = MAX_STRING_CHARACTERS
        for item in self._elements(name, "si") if name in self._package else ():
            strings.append(_plain(item))
            room -= len(strings[-1])
            if room < 0 or len(strings) >= MAX_STRINGS:
                break
        return strings

    def rows(self, name: str) -> Iterator[Row]:
        """The rows of a sheet one by one, those between that are missing as empty ones."""
        expected = 1
        for row in self._elements(name, "row"):
            number = row.get("r", "")
            place = int(number) if number.isdecimal() and len(number) < 8 else expected
            if place > MAX_SEEN:
                return
            for _ in range(expected, place):
                yield []
            expected = max(expected, place) + 1
            yield self._cells(row)

    def _cells(self, row: Any) -> Row:
        values: Row = []
        for cell in row.iterfind("{*}c"):
            found = _REFERENCE.match(cell.get("r", ""))
            place = column(found[1].encode()) if found else len(values)
            if len(values) <= place < MAX_WIDTH:
                values += [""] * (place - len(values))
                values.append(self._value(cell))
        return values

    def _value(self, cell: Any) -> str:
        kind, text = cell.get("t", "n"), cell.findtext("{*}v") or ""
        if kind == "inlineStr":
            inline = cell.find("{*}is")
            return _plain(inline) if inline is not None else ""
        if kind == "s":
            return self._strings[int(text)] if text.isdecimal() and int(text) < len(self._strings) else ""
        if kind == "b":
            return "TRUE" if text == "1" else "FALSE"
        if kind != "n" or not text:
            return text.replace("T", " ") if kind == "d" else text
        style = cell.get("s", "0")
        shown = self._formats[int(style)] if style.isdecimal() and int(style) < len(self._formats) else ""
        return number_text(text, shown, old_epoch=self._old_epoch)

    def _elements(self, name: str, tag: str) -> Iterator[Any]:
        """The elements of a name in a part, each forgotten after it was used."""
        if name not in self._package:
            raise InputError(f"damaged: it has no part {name[:80]!r}")
        try:
            with self._package.stream(name) as part:
                guarded = _Guarded(part)
                for _, element in etree.iterparse(guarded, tag=f"{{*}}{tag}", **_PARSING):
                    guarded.since = 0
                    yield element
                    parent = element.getparent()
                    element.clear()
                    while parent is not None and element.getprevious() is not None:
                        del parent[0]
        except _TooMuch:
            return
        except (*DAMAGE, etree.LxmlError, SyntaxError) as error:
            why = " ".join(str(error).split())[:200]
            raise InputError(f"damaged: its part {name[:80]!r} cannot be read: {why}") from None


class _TooMuch(Exception):  # noqa: N818 - it is no error: nothing that is looked for comes any more
    pass


class _Guarded:
    """A stream that ends where one element, or what follows the last, would fill the memory."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self.since = 0
        """Bytes since the last element."""

    def read(self, size: int) -> bytes:
        block: bytes = self._part.read(size)
        self.since += len(block)
        if self.since > MAX_ELEMENT:
            raise _TooMuch
        return block


def number_text(text: str, shown: str, *, old_epoch: bool = False) -> str:
    """A stored number as its format shows it: a date, a time, a share, or without binary noise."""
    try:
        number = float(text)
        if shown == "date":
            moment = datetime(1904, 1, 1) if old_epoch else datetime(1899, 12, 30)
            moment += timedelta(seconds=round(number * 86_400))
            midnight = (moment.hour, moment.minute, moment.second) == (0, 0, 0)
            return moment.date().isoformat() if midnight else moment.isoformat(" ")
        if shown == "time":
            return str(timedelta(seconds=round(number * 86_400)))
    except (ValueError, OverflowError):
        return text
    return plain_number(number * 100) + "%" if shown == "percent" else plain_number(number)


def plain_number(value: float) -> str:
    """Without the last digits that only binary arithmetic knows; whole numbers without a point."""
    return str(int(value)) if abs(value) < 1e15 and value.is_integer() else f"{value:.12g}"


def column(letters: bytes) -> int:
    """A column's number from 0 by its letters."""
    index = 0
    for letter in letters:
        index = index * 26 + letter - 64
    return index - 1


def _kind(identity: str, own: dict[str, str]) -> str:
    code = own.get(identity)
    if code is None:
        number = int(identity) if identity.isdecimal() and len(identity) < 6 else 0
        return (
            "date"
            if number in _DATE_IDS
            else "time"
            if number in _TIME_IDS
            else "percent" * (number in (9, 10))
        )
    bare = _QUOTED.sub("", code[:200]).split(";")[0].lower()
    if "general" in bare:
        return ""
    if "y" in bare or "d" in bare or ("m" in bare and not re.search("[hs]", bare)):
        return "date"
    if re.search("[hs]", bare):
        return "time"
    return "percent" if "%" in bare else ""


def _plain(item: Any) -> str:
    """The text of a string with its runs; how Japanese is read aloud is left out."""
    parts = (t.text or "" for t in item.iter("{*}t") if not t.getparent().tag.endswith("}rPh"))
    return "".join(parts)
