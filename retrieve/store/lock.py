"""One writer at a time on this machine, with a message that says who is in the way."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import filelock

from configs.errors import InputError, StoreError
from configs.folders import make_folder

LOCK, OWNER = "lock", "lock.owner"


class LockedError(StoreError):
    """Somebody else holds a store's write lock."""


@contextlib.contextmanager
def write_lock(folder: Path, wait_s: float) -> Iterator[None]:
    """Hold a store folder's write lock; the system frees it when the process dies.

    Raises:
        LockedError: somebody else held it for longer than ``wait_s``.
        StoreError: the folder cannot be written.
    """
    try:
        make_folder(folder)
        lock = filelock.FileLock(folder / LOCK)
        lock.acquire(timeout=wait_s)
    except filelock.Timeout:
        raise LockedError(
            f"the store in {folder} is being written by {_owner(folder)}; wait until it is done, "
            "or give it longer with --set ingest.lock_wait_s=SECONDS"
        ) from None
    except InputError as error:
        raise StoreError(f"cannot write the store in {folder}: {error}") from error
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise StoreError(f"cannot write the store in {folder}: {error.strerror}") from error
    try:
        _sign(folder / OWNER)
        yield
    finally:
        (folder / OWNER).unlink(missing_ok=True)
        lock.release()


@contextlib.contextmanager
def lock_if_there(folder: Path) -> Iterator[None]:
    """`write_lock` without waiting; where there is no such folder, nothing is locked or made."""
    if not folder.is_dir():
        yield
        return
    with write_lock(folder, 0):
        yield


def _sign(path: Path) -> None:
    try:
        path.write_text(str(os.getpid()), encoding="utf-8")
    except OSError as error:
        error.filename = str(path)  # a failed write does not say where
        raise


def _owner(folder: Path) -> str:
    try:
        return f"process {int((folder / OWNER).read_text(encoding='utf-8'))}"
    except (OSError, ValueError):
        return "another process"
