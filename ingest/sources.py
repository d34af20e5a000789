"""Finding files: from the paths a person names to a sorted list of sources.

It knows names, sizes and times; it never reads what is in a file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from configs.sections import IngestSettings
from ingest.globs import MAGIC, any_glob, compile_glob

Key = tuple[str, str]
"""Root and path of a document: what identifies it."""


@dataclass(frozen=True)
class Stamp:
    """What tells, without reading a file, that it has not changed."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True)
class Source:
    """A file to ingest."""

    root: str
    """Absolute path of the folder that `path` is relative to."""
    path: str
    """With forward slashes."""
    stamp: Stamp

    @property
    def key(self) -> Key:
        return (self.root, self.path)

    @property
    def file(self) -> Path:
        return Path(self.root, self.path)


@dataclass(frozen=True)
class Failure:
    """A file or path that could not be ingested, and why, in one line."""

    path: str
    error: str


@dataclass(frozen=True)
class Scope:
    """One path argument: a file, a folder, or the part of a folder that a glob names."""

    base: Path
    """Absolute; the folder, or the file itself."""
    pattern: str | None = None
    is_file: bool = False

    def covers(self, file: str) -> bool:
        """Whether an absolute path lies in this scope, be the file there or not."""
        base = str(self.base)
        if self.is_file:
            return file == base
        if not is_within(file, base):
            return False
        return self.pattern is None or bool(compile_glob(self.pattern).fullmatch(relative(file, base)))


@dataclass
class Listing:
    """What was found."""

    scopes: list[Scope] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Absolute paths that are there but could not be read: what is known of them is kept."""
    roots: list[str] = field(default_factory=list)
    """Folders that were given whole, so that later paths inside them belong to them."""
    missing: int = 0
    skipped: int = 0
    """Files of a kind that nobody here can convert."""


def is_within(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or lies below it (both absolute, without a look at the disk)."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def relative(path: str, folder: str) -> str:
    """``path`` below ``folder``, with forward slashes."""
    return path[len(folder.rstrip("/")) + 1 :]


def absolute(path: str | Path) -> Path:
    """Absolute and without ``..``, symbolic links kept: a link that moves to a new release stays one root."""
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - Path.resolve follows links


def list_sources(
    paths: Sequence[str],
    settings: IngestSettings,
    *,
    accepts: Callable[[str], bool],
    known_roots: Iterable[str] = (),
    avoid: Sequence[Path] = (),
) -> Listing:
    """Find the files that the paths name.

    A folder is its own root; a file's root is the folder it lies in; a path inside a folder that
    was ingested before (or is given too) belongs to that folder's root.

    Args:
        accepts: whether a file of this name can be converted.
        known_roots: folders ingested whole before.
        avoid: absolute folders never walked into (Draftline's own home).
    """
    listing = Listing()
    for path in paths:
        scope = _scope(path)
        if scope is None:
            hint = "no file matches" if MAGIC.search(path) else "no such file or folder"
            listing.failures.append(Failure(display(path), hint))
            listing.missing += 1
        else:
            listing.scopes.append(scope)
    listing.roots = sorted({str(s.base) for s in listing.scopes if not s.is_file and s.pattern is None})
    homes = sorted({*known_roots, *listing.roots}, key=len)
    found: dict[Key, Source] = {}
    for scope in listing.scopes:
        _Walk(scope, _home(scope, homes), settings, accepts, avoid, listing, found).run()
    used = {root for root, _ in found}
    listing.roots = [root for root in listing.roots if root in used and _outermost(root, homes) == root]
    listing.sources = [found[key] for key in sorted(found)]
    listing.failures = list(dict.fromkeys(listing.failures))
    return listing


def display(path: str) -> str:
    """A path that can be printed and stored even where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")


def _scope(path: str) -> Scope | None:
    target = absolute(path)
    if target.exists():
        return Scope(target, is_file=not target.is_dir())
    if not MAGIC.search(path):
        return None
    parts = target.parts
    first = next(i for i, part in enumerate(parts) if MAGIC.search(part))
    base, pattern = Path(*parts[:first]), "/".join(parts[first:])
    matches = compile_glob(pattern).fullmatch
    hit = base.is_dir() and any(
        matches(relative(os.path.join(folder, name), str(base)))  # noqa: PTH118 - strings in a hot loop
        for folder, _, names in os.walk(base)
        for name in names
    )
    return Scope(base, pattern) if hit else None


def _outermost(path: str, folders: Sequence[str]) -> str | None:
    return next((folder for folder in folders if is_within(path, folder)), None)


def _home(scope: Scope, homes: Sequence[str]) -> str:
    own = scope.base.parent if scope.is_file else scope.base
    return _outermost(str(scope.base), homes) or str(own)


class _Walk:
    """One scope's walk; every file and folder is taken once, whatever links lead to it.

    Real folders come first and symbolic links after them, so that a link into the same tree
    (a loop, or a second name) finds its target already taken.
    """

    def __init__(
        self,
        scope: Scope,
        root: str,
        settings: IngestSettings,
        accepts: Callable[[str], bool],
        avoid: Sequence[Path],
        listing: Listing,
        found: dict[Key, Source],
    ) -> None:
        self.scope, self.root, self.listing, self.found = scope, root, listing, found
        self.accepts, self.avoid = accepts, {str(folder) for folder in avoid}
        self.included, self.excluded = any_glob(settings.include), any_glob(settings.exclude)
        self.taken: set[tuple[int, int]] = set()
        self.links: list[str] = []

    def run(self) -> None:
        base = str(self.scope.base)
        if self.scope.is_file:
            if self.accepts(base):
                self._take(base)
            else:
                self._fail(base, f"no converter for {Path(base).suffix or 'a name without a suffix'}")
            return
        self._folder(base)
        while self.links:
            batch, self.links = sorted(self.links), []
            for link in batch:
                self._link(link)

    def _folder(self, path: str) -> None:
        pending = [path]
        while pending:
            folder = pending.pop()
            try:
                status = os.stat(folder)  # noqa: PTH116 - strings in a hot loop
                if (status.st_dev, status.st_ino) in self.taken:
                    continue
                with os.scandir(folder) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                self._fail(folder, f"cannot be listed: {error.strerror or error}")
                continue
            self.taken.add((status.st_dev, status.st_ino))
            for entry in listed:
                if self._skips(entry.path, entry.name):
                    continue
                if entry.is_symlink():
                    self.links.append(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    self._file(entry.path)

    def _link(self, path: str) -> None:
        if Path(path).is_dir():
            self._folder(path)
        else:
            self._file(path, linked=True)

    def _skips(self, path: str, name: str) -> bool:
        if name.startswith("."):
            return True
        if path in self.avoid:
            return True
        inside = relative(path, self.root)
        return self.excluded(inside) or self.excluded(inside + "/")

    def _file(self, path: str, *, linked: bool = False) -> None:
        if not self.scope.covers(path) or not self.included(relative(path, self.root)):
            return
        if self.accepts(path):
            self._take(path, linked=linked)
        else:
            self.listing.skipped += 1

    def _take(self, path: str, *, linked: bool = False) -> None:
        try:
            status = os.stat(path)  # noqa: PTH116 - strings in a hot loop
        except OSError as error:
            self._fail(path, f"cannot be read: {error.strerror or error}")
            return
        identity = (status.st_dev, status.st_ino)
        if not stat.S_ISREG(status.st_mode):
            self._fail(path, "not a regular file")
        elif not (linked and identity in self.taken):
            self.taken.add(identity)
            self._add(path, status)

    def _add(self, path: str, status: os.stat_result) -> None:
        if display(path) != path:
            self._fail(path, "its name is not valid UTF-8; rename it")
            return
        stamp = Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
        source = Source(self.root, relative(path, self.root), stamp)
        self.found[source.key] = source

    def _fail(self, path: str, error: str) -> None:
        inside = relative(path, self.root) if path != self.root else path
        self.listing.failures.append(Failure(display(inside), error))
        self.listing.unread.append(path)
