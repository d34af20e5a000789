"""Unpacking what nobody vouches for: streams that count what comes out, and limits that end them."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Protocol

from configs.errors import InputError
from configs.sections import IngestSettings

STEP = 1 << 16
"""Bytes unpacked at a time."""
SURE = 1_000_000
"""Bytes from which on a ratio tells something: a short text of one letter is no bomb."""
LZMA_MEMORY = 256 << 20


@dataclass(frozen=True)
class ArchiveLimits:
    """What may come out of one archive, with all the archives in it."""

    files: int
    mb: float
    file_mb: float
    """The same limit that files in folders have."""
    ratio: float
    depth: int
    """1: no archives in archives."""

    @classmethod
    def of(cls, settings: IngestSettings) -> ArchiveLimits:
        """The limits that the settings name."""
        return cls(
            settings.archive_files,
            settings.archive_mb,
            settings.max_file_mb,
            settings.archive_ratio,
            settings.archive_depth,
        )


class SpentError(Exception):
    """The archive as a whole is beyond a limit; the message says which."""


class LostError(Exception):
    """The stream of an archive cannot be read any further; the message says why."""


@dataclass
class Budget:
    """What one archive has used of its limits."""

    limits: ArchiveLimits
    entries: int = 0
    unpacked: int = 0

    def count_entry(self) -> None:
        """Another file, folder or link was found.

        Raises:
            SpentError: there are too many.
        """
        self.entries += 1
        if self.entries > self.limits.files:
            raise SpentError(f"the archive holds more than ingest.archive_files = {self.limits.files}")

    def count(self, size: int) -> None:
        """So many more bytes came out.

        Raises:
            SpentError: they are too many together.
        """
        self.unpacked += size
        if self.unpacked > self.limits.mb * 1e6:
            raise SpentError(f"the archive unpacks to more than ingest.archive_mb = {self.limits.mb:g}")

    def ratio_problem(self, unpacked: int, packed: int) -> str | None:
        """Why what came out looks like a bomb, beside the bytes that it was made of."""
        ratio = self.limits.ratio
        if unpacked <= SURE or unpacked <= ratio * max(packed, 1):
            return None
        return f"it grows more than ingest.archive_ratio = {ratio:g} times when unpacked"


def read_all(stream: IO[bytes], budget: Budget, *, packed: int | None = None, counted: bool = False) -> bytes:
    """What one member's stream gives, read in steps; sizes that a header declares play no part.

    Args:
        packed: bytes it takes in the archive, where they tell whether it is a bomb.
        counted: the stream itself counts towards the budget.

    Raises:
        InputError: it is too large, or grows too much. SpentError: the archive is beyond a limit.
    """
    limit = budget.limits.file_mb
    data = bytearray()
    while step := stream.read(STEP):
        data += step
        if not counted:
            budget.count(len(step))
        if packed is not None and (problem := budget.ratio_problem(len(data), packed)):
            raise InputError(problem)
        if len(data) > limit * 1e6:
            raise InputError(f"unpacked it is more than ingest.max_file_mb = {limit:g}")
    return bytes(data)


@dataclass(frozen=True)
class Item:
    """A file that an archive claims to hold."""

    name: str
    """As the archive says it."""
    problem: str | None
    """Why it is not read."""
    modified: datetime | None
    read: Callable[[], bytes]
    """Raises InputError for this item alone, LostError and SpentError for all that follow, too."""


def utc(seconds: float) -> datetime | None:
    """A time stamp as a date; None for one beyond the calendar."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def take(self, data: bytes) -> bytes:
        """At most about `STEP` bytes; empty data asks for what is still inside."""


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def take(self, data: bytes) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, STEP)


class _Other:
    def __init__(self, inner: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self._inner = inner

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def take(self, data: bytes) -> bytes:
        return self._inner.decompress(data, STEP)


class Unpacked(io.RawIOBase):
    """The bytes inside a ``gz``, ``bz2`` or ``xz`` stream (``plain``: as they are), counted as they come.

    Several compressed streams one after the other are read as one, as their tools do.

    Raises:
        LostError: the stream is damaged, ends in the middle or grows too much.
        SpentError: the archive is beyond a limit.
    """

    def __init__(self, stream: IO[bytes], packing: str, budget: Budget) -> None:
        super().__init__()
        self._stream, self._packing, self._budget = stream, packing, budget
        self._inner = self._fresh()
        self._pending = b""
        self._begun = False
        self.packed = self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if not self._pending:
            self._pending = self._next()
        size = min(len(buffer), len(self._pending))
        buffer[:size] = self._pending[:size]
        self._pending = self._pending[size:]
        return size

    def _next(self) -> bytes:
        data = self._raw() if self._inner is None else self._unpack(self._inner)
        self.count += len(data)
        self._budget.count(len(data))
        if self._inner is not None and (problem := self._budget.ratio_problem(self.count, self.packed)):
            raise LostError(problem)
        return data

    def _fresh(self) -> _Decompressor | None:
        if self._packing == "gz":
            return _Gzip()
        if self._packing == "bz2":
            return _Other(bz2.BZ2Decompressor())
        if self._packing == "xz":
            return _Other(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=LZMA_MEMORY))
        return None

    def _raw(self) -> bytes:
        data = self._stream.read(STEP)
        self.packed += len(data)
        return data

    def _unpack(self, inner: _Decompressor) -> bytes:
        """The next bytes; none at the end."""
        more = b""
        while True:
            if inner.eof:
                more = (inner.unused_data or self._raw()).lstrip(b"\0")
                fresh = self._fresh()
                if not more or fresh is None:  # nothing but padding follows
                    return b""
                inner = self._inner = fresh
            try:
                data = inner.take(more)
            except (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError) as error:
                raise LostError(f"damaged: {error}") from None
            if data:
                return data
            if not inner.eof and not (more := self._raw()):
                raise LostError("damaged: it ends in the middle")
