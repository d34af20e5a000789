"""Walking through an archive and the archives in it: what is read, under which name, and what is refused."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.archives.tars import tar_items
from ingest.archives.unpack import ArchiveLimits, Budget, Item, LostError, SpentError, Unpacked, read_all
from ingest.archives.zips import zip_items
from ingest.globs import any_glob
from ingest.members import Member
from ingest.reading import UnreadableError
from ingest.sources import display

REST = "(the rest)"
"""The name of what could not be read after the last good member."""
_FORMS = {
    ".zip": ("zip", ""),
    ".tar": ("tar", "plain"),
    ".tar.gz": ("tar", "gz"),
    ".tgz": ("tar", "gz"),
    ".tar.bz2": ("tar", "bz2"),
    ".tbz2": ("tar", "bz2"),
    ".tar.xz": ("tar", "xz"),
    ".txz": ("tar", "xz"),
    ".gz": ("file", "gz"),
    ".bz2": ("file", "bz2"),
    ".xz": ("file", "xz"),
}
_LONGEST_NAME = 1000
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:[/\\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def is_archive(name: str) -> bool:
    """Whether `members` can look into a file of this name."""
    return _form(name) is not None


def members(
    file: Path, limits: ArchiveLimits, wants: Callable[[str], bool] = lambda name: True
) -> Iterator[Member]:
    """The files in an archive and in the archives in it, in their order.

    Hidden files and folders and macOS resource forks are passed over, as are files that nobody wants.
    What lies in an inner archive is named ``inner.zip/path``. Where a limit or damage ends the
    reading, the last member is named `REST`.

    Args:
        wants: whether a file or inner archive of this name is to be read.

    Raises:
        InputError: nothing of the archive can be read.
    """
    walk = _Walk(limits, wants)
    given = False
    try:
        with file.open("rb") as stream:
            for member in walk.archive(stream, file.name, "", ()):
                yield member
                given = True
    except (LostError, SpentError, OSError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        reason = " ".join(reason.split())
        if not given:
            passing = isinstance(error, OSError) and error.errno is not None  # not the archive's own damage
            raise (UnreadableError if passing else InputError)(reason) from None
        yield walk.refused(REST, f"{reason}; what follows is left out", cut=True)


def wanted(settings: IngestSettings, accepts: Callable[[str], bool], path: str) -> Callable[[str], bool]:
    """The test of names in the archive at ``path`` below its root, by the rules for files in a folder."""
    included, excluded = any_glob(settings.include), any_glob(settings.exclude)

    def wants(name: str) -> bool:
        ends = [i for i, c in enumerate(f"{name}/") if c == "/"]
        levels = [f"{path}/{name[:end]}" for end in ends]
        if any(excluded(level) or excluded(level + "/") for level in levels):
            return False
        return is_archive(name) or (accepts(name) and included(levels[-1]))

    return wants


def _form(name: str) -> tuple[str, str] | None:
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
    return _FORMS.get("".join(suffixes[-2:])) or _FORMS.get("".join(suffixes[-1:]))


class _Walk:
    """One archive with all inside it: one budget, and every name once."""

    def __init__(self, limits: ArchiveLimits, wants: Callable[[str], bool]) -> None:
        self._budget, self._wants = Budget(limits), wants
        self._names: set[str] = set()

    def refused(self, name: str, error: str, *, cut: bool = False) -> Member:
        return Member(self._unique(name), None, error, cut=cut)

    def archive(self, stream: IO[bytes], name: str, prefix: str, inside: Sequence[str]) -> Iterator[Member]:
        """The members of one archive; ``inside``: digests of the archives that it lies in."""
        for item in self._items(stream, name):
            parts = [part for part in re.split(r"[/\\]", item.name) if part not in ("", ".", "..")]
            if any(part.startswith(".") or part == "__MACOSX" for part in parts):
                continue
            inner = display(prefix + "/".join(parts))[:_LONGEST_NAME]
            if self._wants(inner):
                yield from self._member(inner, item, inside)

    def _items(self, stream: IO[bytes], name: str) -> Iterator[Item]:
        form, packing = _form(name) or ("", "")
        if form == "zip":
            return zip_items(stream, self._budget)
        if form == "tar":
            return tar_items(stream, packing, self._budget)
        return self._compressed_file(stream, packing, PurePosixPath(name).stem)

    def _compressed_file(self, stream: IO[bytes], packing: str, name: str) -> Iterator[Item]:
        self._budget.count_entry()
        unpacked = io.BufferedReader(Unpacked(stream, packing, self._budget))
        yield Item(name, None, None, lambda: read_all(unpacked, self._budget, counted=True))

    def _member(self, name: str, item: Item, inside: Sequence[str]) -> Iterator[Member]:
        problem = _misnamed(item.name) or item.problem
        if problem is None and name in self._names:
            problem = "a second member of the same name; the first one is read"
        if problem is not None:
            yield self.refused(name, problem)
            return
        try:
            data = item.read()
        except InputError as error:
            yield self.refused(name, " ".join(str(error).split()), cut=is_archive(name))
            return
        if is_archive(name):
            yield from self._inner(name, data, inside)
        else:
            yield Member(self._unique(name), data, modified=item.modified)

    def _inner(self, name: str, data: bytes, inside: Sequence[str]) -> Iterator[Member]:
        digest, limit = hashlib.sha256(data).hexdigest(), self._budget.limits.depth
        if digest in inside:
            yield self.refused(name, "an archive that contains itself")
        elif len(inside) + 1 >= limit:
            reason = f"archives in archives go deeper than ingest.archive_depth = {limit}"
            yield self.refused(name, reason, cut=True)
        else:
            given = False
            try:
                for member in self.archive(io.BytesIO(data), name, f"{name}/", (*inside, digest)):
                    yield member
                    given = True
            except LostError as error:
                where = f"{name}/{REST}" if given else name
                yield self.refused(where, " ".join(str(error).split()), cut=True)

    def _unique(self, name: str) -> str:
        free, number = name, 1
        while free in self._names:
            number += 1
            free = f"{name} ({number})"
        self._names.add(free)
        return free


def _misnamed(raw: str) -> str | None:
    """Why a member's own name is not one to go by."""
    shown = repr(display(raw)[:200])
    if ".." in re.split(r"[/\\]", raw):
        return f"its name leads out of the archive: {shown}"
    if _ABSOLUTE.match(raw):
        return f"its name is absolute: {shown}"
    if display(raw) != raw:
        return "its name is not valid UTF-8"
    if _CONTROL.search(raw):
        return f"its name has control characters: {shown}"
    if not raw.strip("./\\"):
        return "it has no name"
    if len(raw) > _LONGEST_NAME:
        return f"its name is longer than {_LONGEST_NAME} characters"
    return None
