"""Files that hold many documents: JSON lines, JSON arrays and mailboxes, one record at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ingest.convert.encoding import decode
from ingest.members import Member

KINDS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".mbox": "mbox"}
"""What holds records, by its suffix; a ``.json`` file does only if its value is a list of objects."""
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_IDS = ("id", "_id", "doc_id", "key", "uuid")
_BLOCK = 1 << 16
_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_ENDS = "the file ends in the middle of its list"
_NO_MAILBOX = "not a mailbox: it does not begin with a line 'From '"


@dataclass(frozen=True)
class RecordLimits:
    """How much of a file of records is read."""

    records: int = 1_000_000
    record_bytes: int = 20_000_000


def holds_records(file: Path) -> bool:
    """Whether a file with a container's suffix is one: a JSON file by its first characters.

    Raises:
        OSError: it cannot be read.
    """
    kind = KINDS.get(file.suffix.lower())
    if kind != "json":
        return kind is not None
    with file.open("rb") as stream:
        return begins_records(stream.read(_BLOCK))


def begins_records(head: bytes) -> bool:
    """Whether a JSON file that begins so is a list of objects."""
    head = head.removeprefix(_BOM).lstrip(_SPACE)
    return head[:1] == b"[" and head[1:].lstrip(_SPACE)[:1] == b"{"


def may_hold_records(file: Path) -> bool:
    """Whether a JSON file that held records may go on to: nothing in it yet says otherwise.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        head = stream.read(_BLOCK).removeprefix(_BOM).lstrip(_SPACE)
    return head[:1] in (b"", b"[")


def records(file: Path, kind: str, limits: RecordLimits) -> Iterator[Member]:
    """The records of a file, in order, streamed: memory holds one at a time.

    A JSON record is handed on as JSON of its own, named by its place (``000012.json``, from 1) or, where
    that is short, safe and new, by its own id; a message as ``000012.eml``. What cannot be read, is too
    large or is beyond the limits is a member with an error.

    Args:
        kind: ``jsonl``, ``json`` (an array) or ``mbox``.

    Raises:
        OSError: the file cannot be read.
    """
    found = {"jsonl": _lines, "json": _items, "mbox": _messages}[kind]
    names = _Names(".eml" if kind == "mbox" else ".json")
    with file.open("rb") as stream:
        for number, (data, error) in enumerate(found(stream, limits), 1):
            if number > limits.records:
                beyond = f"records beyond the first {limits.records} are left out"
                yield Member(f"{number:06d}", None, beyond, cut=True)
                return
            yield names.member(number, data, error, parse=kind != "mbox")


class _Names:
    def __init__(self, suffix: str) -> None:
        self.suffix, self.used = suffix, set[str]()

    def member(self, number: int, data: bytes, error: str | None, *, parse: bool) -> Member:
        value: Any = None
        if parse and error is None:
            value, data, error = _parsed(data)
        name = self._own(value) or f"{number:06d}"
        if name.casefold() in self.used:
            name = f"{number:06d}-{number}" if name == f"{number:06d}" else f"{number:06d}"
        self.used.add(name.casefold())
        return Member(name + self.suffix, None if error else data, error, cut=error in (_ENDS, _NO_MAILBOX))

    def _own(self, value: Any) -> str:
        """Its own id, where that makes a name that no other can be taken for."""
        found = next((value[key] for key in _IDS if key in value), None) if isinstance(value, dict) else None
        name = str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""
        plain_number = name.isdigit()
        return (
            name if _SAFE_ID.fullmatch(name) and not plain_number and name.casefold() not in self.used else ""
        )


def _parsed(data: bytes) -> tuple[Any, bytes, str | None]:
    """A record's value, its bytes as UTF-8, and what is wrong with it."""
    text = decode(data)[0]
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return None, b"", f"not valid JSON: column {error.colno}: {error.msg.lower()}"
    except (RecursionError, ValueError):
        return None, b"", "its JSON is nested too deeply or holds a number too long to be read"
    if not isinstance(value, dict | list | str):
        return None, b"", "not a record: it is a bare number or truth value"
    return value, text.strip().encode("utf-8", "replace"), None


Found = Iterator[tuple[bytes, str | None]]


def _lines(stream: BinaryIO, limits: RecordLimits) -> Found:
    first = True
    while line := stream.readline(limits.record_bytes + 1):
        whole = line.endswith(b"\n") or len(line) <= limits.record_bytes
        if not whole:
            while (rest := stream.readline(_BLOCK)) and not rest.endswith(b"\n"):
                pass
            yield b"", _too_large(limits)
            continue
        line = line.removeprefix(_BOM) if first else line
        first = False
        if line.strip():
            yield line, None


def _items(stream: BinaryIO, limits: RecordLimits) -> Found:
    """The items of one array, cut at the commas between them."""
    cutter = _Cutter()
    item, oversized = bytearray(), False
    while block := stream.read(_BLOCK):
        rest = 0
        for start, end in cutter.pieces(block):
            item += block[start:end]
            if item.strip() or oversized:
                yield (b"", _too_large(limits)) if oversized else (bytes(item), None)
            item, oversized, rest = bytearray(), False, end + 1
        if cutter.closed:
            return
        item += block[max(rest, cutter.begin) :]
        if len(item) > limits.record_bytes:
            item, oversized = bytearray(), True
    yield b"", _ENDS


class _Cutter:
    """Where the items of an array end in a text that comes in blocks; it knows strings and nesting only."""

    _SIGNS = re.compile(rb'["\\\[\]{},]')

    def __init__(self) -> None:
        self.depth, self.offset = 0, 0
        self.begin = 0
        """Where the first item begins in the block that holds the array's bracket; 0 in all others."""
        self.quoted, self.closed = False, False
        self.escaped = -1
        """The place of the character that a backslash stands before."""

    def pieces(self, block: bytes) -> Iterator[tuple[int, int]]:
        """For each item that ends in this block: where its part in the block starts and ends."""
        start = 0
        self.begin = 0 if self.depth else len(block)
        for match in self._SIGNS.finditer(block):
            at, sign = match.start(), match[0]
            if self.quoted:
                self._in_string(self.offset + at, sign)
            elif sign == b'"':
                self.quoted = True
            elif sign in b"[{":
                self.depth += 1
                if self.depth == 1:
                    start = self.begin = at + 1
            else:
                self.depth -= sign != b","
                self.closed = self.depth == 0
                if self.closed or (sign == b"," and self.depth == 1):
                    yield start, at
                    start = at + 1
                if self.closed:
                    return
        self.offset += len(block)

    def _in_string(self, place: int, sign: bytes) -> None:
        if place == self.escaped:
            return
        if sign == b"\\":
            self.escaped = place + 1
        elif sign == b'"':
            self.quoted = False


def _messages(stream: BinaryIO, limits: RecordLimits) -> Found:
    """The messages of a mailbox: each begins with a line ``From `` behind an empty line."""
    message, oversized, after_empty = bytearray(), False, True
    begun = False
    while line := stream.readline(_BLOCK):
        if after_empty and line.startswith(b"From "):
            if begun and (message.strip() or oversized):
                yield (b"", _too_large(limits)) if oversized else (bytes(message), None)
            message, oversized, begun = bytearray(), False, True
        elif begun and not oversized:
            message += line[1:] if line.startswith(b">From ") else line
            if len(message) > limits.record_bytes:
                message, oversized = bytearray(), True
        elif not begun and line.strip():
            yield b"", _NO_MAILBOX
            return
        after_empty = not line.strip()
    if begun and (message.strip() or oversized):
        yield (b"", _too_large(limits)) if oversized else (bytes(message), None)


def _too_large(limits: RecordLimits) -> str:
    return f"larger than {limits.record_bytes / 1e6:g} MB, which is the most a record may have"
