"""What a tar archive claims to hold, read as a stream."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import closing
from typing import IO, Self

from ingest.archives.unpack import STEP, Budget, Item, LostError, Unpacked, read_all, utc

_HEADER_BYTES = 1 << 20
"""Of an extended header: it holds a member's name and times, so it is far shorter."""
_EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


def tar_items(stream: IO[bytes], packing: str, budget: Budget) -> Iterator[Item]:
    """The files of a tar archive, in their order; each is read before the next one is asked for.

    Raises:
        LostError: it is damaged. SpentError: it is beyond a limit.
    """
    unpacked = io.BufferedReader(Unpacked(stream, packing, budget), STEP)
    try:
        archive = tarfile.open(fileobj=unpacked, mode="r|", tarinfo=_CarefulTarInfo, encoding="utf-8")  # noqa: SIM115 - closed below
    except (tarfile.TarError, ValueError) as error:
        raise LostError(f"not a tar archive, or damaged: {error}") from None
    with closing(archive):
        while (info := _next(archive)) is not None:
            budget.count_entry()
            if not info.isdir():
                yield Item(info.name, _problem(info), utc(info.mtime), _Reader(archive, info, budget))


class _Reader:
    def __init__(self, archive: tarfile.TarFile, info: tarfile.TarInfo, budget: Budget) -> None:
        self._archive, self._info, self._budget = archive, info, budget

    def __call__(self) -> bytes:
        try:
            stream = self._archive.extractfile(self._info)
            assert stream is not None, "links and folders are not read"
            return read_all(stream, self._budget, counted=True)
        except tarfile.TarError as error:
            raise LostError(f"damaged: {error}") from None


class _CarefulTarInfo(tarfile.TarInfo):
    """A header that is looked at before its claims are followed."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            info = super().frombuf(buf, encoding, errors)
        except (tarfile.EOFHeaderError, tarfile.EmptyHeaderError):  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            # `tarfile` takes a broken header for the end of the archive and says nothing.
            raise LostError(f"damaged: {error}") from None
        if info.size < 0 or (info.type in _EXTENDED and info.size > _HEADER_BYTES):
            raise LostError("damaged: a header of an impossible size")
        return info


def _next(archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return archive.next()
    except (tarfile.TarError, ValueError, OverflowError, IndexError) as error:
        raise LostError(f"damaged: {error}") from None


def _problem(info: tarfile.TarInfo) -> str | None:
    if info.issym() or info.islnk():
        return "a link; links in archives are not followed"
    if not info.isreg():
        return "a device or pipe, not a file"
    if info.issparse():
        return "a sparse file; pack it without --sparse"
    return None
