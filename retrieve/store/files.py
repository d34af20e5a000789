"""Files of the embedded store: sparse copies, durable writes, free space."""

from __future__ import annotations

import contextlib
import errno
import json
import mmap
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

SPARE_BYTES = 32 * 2**20
"""Free space that a writer leaves untouched: Edge writes through memory maps, and a full disk under
a memory map kills the process instead of raising an error."""

SPARE_BYTES_WITHOUT_HOLES = 256 * 2**20
"""The same where holes fill up when they are read (tmpfs): Edge's files come in pages of 32 MiB."""

SYNCING = 16
"""Files that are made durable at the same time."""


def footprint(folder: Path) -> int:
    """Bytes that the files below a folder occupy on disk, or will as soon as they are read."""
    statuses = [path.stat() for path in _files(folder)]
    if _keeps_holes(folder):
        return sum(status.st_blocks * 512 for status in statuses)
    return sum(status.st_size for status in statuses)


def sizes(folder: Path) -> dict[str, int]:
    """The size of every file below a folder, by relative path."""
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in _files(folder)}


def require_space(folder: Path, needed: int) -> None:
    """Raise OSError(ENOSPC) unless ``needed`` bytes and some to spare can be written in a folder."""
    if free_space(folder) < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def free_space(folder: Path) -> int:
    """Bytes that a writer may fill in a folder: those free, less what it leaves untouched."""
    spare = SPARE_BYTES if _keeps_holes(folder) else SPARE_BYTES_WITHOUT_HOLES
    return shutil.disk_usage(folder).free - spare


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder's files with their holes; nothing is shared with the source.

    Raises:
        OSError: ENOSPC before anything is written when the copy would not fit.
    """
    require_space(target.parent, footprint(source))
    target.mkdir()
    for path in _files(source):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        _copy_sparse(path, copy)


def sync_tree(folder: Path) -> None:
    """Make everything below a folder durable, names included."""
    paths = [Path(path) / name for path, _, names in os.walk(folder) for name in (*names, ".")]
    # Side by side: the file system then writes many files with one commit of its journal.
    with ThreadPoolExecutor(SYNCING) as pool:
        for _ in pool.map(_sync, paths):
            pass


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file atomically and durably."""
    text = json.dumps(value, ensure_ascii=False)
    write_durably(path, lambda file: file.write(text.encode()))


def write_durably(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Replace a file atomically and durably by what ``write`` puts into it."""
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync(path.parent)


def remove(path: Path) -> None:
    """Delete a file or folder; one that is already gone is fine."""
    if path.is_dir() and not path.is_symlink():
        # A reader that is just opening an old shard may put a small file back: swept next time.
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        # A reader that opens a shard rewrites its configuration, unchanged, through such a folder.
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(path) / name
            if not name.startswith(".") and stat.S_ISREG(file.lstat().st_mode):
                yield file


def _keeps_holes(folder: Path) -> bool:
    with tempfile.TemporaryFile(dir=folder) as file:
        try:  # room for the page that is read below: without it, reading would kill the process
            os.pwrite(file.fileno(), bytes(mmap.PAGESIZE), 0)
        except OSError as error:
            error.filename = str(folder)
            raise
        file.truncate(0)
        file.truncate(mmap.PAGESIZE)
        with mmap.mmap(file.fileno(), mmap.PAGESIZE, access=mmap.ACCESS_READ) as view:
            _ = view[0]
        return os.fstat(file.fileno()).st_blocks == 0


def _copy_sparse(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("wb") as write:
        size = os.fstat(read.fileno()).st_size
        write.truncate(size)
        position = 0
        while position < size:
            try:
                start = os.lseek(read.fileno(), position, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # only a hole is left
                    break
                raise
            position = os.lseek(read.fileno(), start, os.SEEK_HOLE)
            _copy_range(read.fileno(), write.fileno(), start, position)


def _copy_range(source: int, target: int, start: int, end: int) -> None:
    while start < end:
        count = 0
        with contextlib.suppress(OSError):  # not every file system offers it
            count = os.copy_file_range(source, target, end - start, start, start)
        if not count:
            data = os.pread(source, min(end - start, 2**20), start)
            if not data:
                raise OSError(errno.EIO, "a file shrank while it was copied")
            count = os.pwrite(target, data, start)
        start += count


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
