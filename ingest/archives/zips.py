"""What a zip archive claims to hold."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO

from configs.errors import InputError
from ingest.archives.unpack import Budget, Item, LostError, SpentError, read_all

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY_BYTES = 600
"""Of the directory, for an entry with a long name and extra fields: far above what is usual."""


def zip_items(stream: IO[bytes], budget: Budget) -> Iterator[Item]:
    """The files of a zip archive, in the order of its directory.

    Raises:
        LostError: it is damaged. SpentError: it is beyond a limit.
    """
    if _directory_bytes(stream) > (budget.limits.files + 1000) * _ENTRY_BYTES:
        raise SpentError(f"the archive holds more than ingest.archive_files = {budget.limits.files}")
    try:
        archive = zipfile.ZipFile(stream)
    except Exception as error:  # a broken directory ends in many kinds of errors
        raise LostError(f"not a zip archive, or damaged: {error}") from None
    with archive:
        for info in archive.infolist():
            budget.count_entry()
            if not info.is_dir():
                yield Item(_name(info), _problem(info), _time(info), _Reader(archive, info, budget))


class _Reader:
    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> None:
        self._archive, self._info, self._budget = archive, info, budget

    def __call__(self) -> bytes:
        try:
            with self._archive.open(self._info) as stream:
                return read_all(stream, self._budget, packed=self._info.compress_size)
        except (InputError, SpentError, MemoryError):
            raise
        except Exception as error:  # broken data ends in many kinds of errors, too
            raise InputError(f"damaged: {error}") from None


def _directory_bytes(stream: IO[bytes]) -> int:
    """How long the directory says it is: it is read into memory whole, so one looks before.

    Source: PKWARE's APPNOTE.TXT 6.3, sections 4.3.14 to 4.3.16.
    """
    end = stream.seek(0, os.SEEK_END)
    start = max(0, end - (1 << 16) - _END.size)
    stream.seek(start)
    tail = stream.read(end - start)
    stream.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        return 0  # opening it will say what is wrong
    size = int(_END.unpack_from(tail, at)[5])
    if at >= _LOCATOR64.size and tail[at - _LOCATOR64.size :].startswith(b"PK\x06\x07"):
        stream.seek(min(end, int(_LOCATOR64.unpack_from(tail, at - _LOCATOR64.size)[2])))
        record = stream.read(_END64.size)
        stream.seek(0)
        if len(record) == _END64.size:
            size = max(size if size != 0xFFFFFFFF else 0, int(_END64.unpack(record)[8]))
    return size


def _problem(info: zipfile.ZipInfo) -> str | None:
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "a link; links in archives are not followed"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "a device or pipe, not a file"
    if info.flag_bits & 0x1:
        return "encrypted; unpack it and ingest what comes out"
    if info.compress_type not in _METHODS:
        return f"packed by method {info.compress_type}, which is not read here; pack it by deflate"
    return None


def _name(info: zipfile.ZipInfo) -> str:
    """The name; without a flag it is said to be in code page 437, while most tools write UTF-8."""
    name = info.orig_filename.partition("\0")[0]
    if info.flag_bits & 0x800:
        return name
    try:
        return name.encode("cp437").decode()
    except UnicodeError:
        return name


def _time(info: zipfile.ZipInfo) -> datetime | None:
    """Local time of an unknown place, taken as UTC."""
    try:
        return datetime(*info.date_time, tzinfo=UTC)
    except ValueError:
        return None
