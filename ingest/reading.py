"""Reading a file whole, as it was at one moment."""

from __future__ import annotations

import errno
import os
import stat
import time

from configs.errors import InputError
from ingest.sources import Source, Stamp

UNSETTLED_NS = 50_000_000
"""A file changed this recently may change again without its times showing it."""
ATTEMPTS = 3
PAUSE_S = 0.2
_PASSING = {errno.EIO, errno.ESTALE, errno.EAGAIN, errno.EBUSY, errno.ETIMEDOUT, errno.EINTR}
"""Errors of network file systems and devices that a second try often does not meet."""


class UnreadableError(InputError):
    """A file that could not be read now; the file itself need not change to be read later."""


def read_source(source: Source, max_mb: float) -> tuple[bytes, Stamp]:
    """A file's bytes, and the stamp that it had while all of them were read.

    Raises:
        UnreadableError: it cannot be read, is no regular file any more, keeps changing, or grew
            beyond the limit.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            data, before, after = _read(source, int(max_mb * 1e6) + 1)
        except OSError as error:
            if error.errno in _PASSING and attempt < ATTEMPTS:
                time.sleep(PAUSE_S * attempt)
                continue
            raise UnreadableError(f"cannot be read: {error.strerror or error}") from None
        if len(data) > max_mb * 1e6:
            raise UnreadableError(f"it grew beyond ingest.max_file_mb = {max_mb:g}")
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            return data, _stamp(after)
        time.sleep(PAUSE_S * attempt)
    raise UnreadableError("it changes while it is read; the next run tries it again")


def stamp_of(source: Source) -> Stamp:
    """A file's stamp now; raises UnreadableError when it is gone."""
    try:
        status = source.file.stat()
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror or error}") from None
    return _stamp(status)


def _stamp(status: os.stat_result) -> Stamp:
    fresh = time.time_ns() - status.st_mtime_ns < UNSETTLED_NS
    return Stamp(status.st_size, status.st_mtime_ns, -1 if fresh else status.st_ino)


def _read(source: Source, limit: int) -> tuple[bytes, os.stat_result, os.stat_result]:
    # A FIFO in the file's place would block a plain open until somebody writes to it.
    descriptor = os.open(source.file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise UnreadableError("not a regular file")
        data = file.read(limit)
        return data, before, os.fstat(descriptor)
