"""One walk through a folder: which files are there, and which of them are taken."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from configs.sections import IngestSettings
from ingest.convert.kinds import suffix_of
from ingest.globs import any_glob
from ingest.ignore import GIT, OWN, Rules, rules_above
from ingest.sources import Failure, Key, Listing, Scope, Source, Stamp, display, relative


class Walk:
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
        self.ignore_files = (GIT, OWN) if settings.gitignore else (OWN,)
        self.taken: set[tuple[int, int]] = set()
        self.links: list[tuple[str, Rules]] = []

    def run(self) -> None:
        base = self.scope.base
        if self.scope.is_file:
            if self.accepts(base):
                self._take(base)
            else:
                self._fail(base, f"no converter for {Path(base).suffix or 'a name without a suffix'}")
            return
        self._folder(base, rules_above(base, self.root, self.ignore_files))
        while self.links:
            batch, self.links = sorted(self.links, key=lambda link: link[0]), []
            for link, rules in batch:
                self._link(link, rules)

    def _folder(self, path: str, above: Rules) -> None:
        pending = [(path, above)]
        while pending:
            folder, rules = pending.pop()
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
            if any(entry.name in self.ignore_files for entry in listed):
                rules = rules.within(folder, self.ignore_files)
            for entry in listed:
                is_folder = entry.is_dir(follow_symlinks=False)
                if self._skips(entry.path, entry.name) or rules.ignores(entry.path, is_folder):
                    continue
                if entry.is_symlink():
                    self.links.append((entry.path, rules))
                elif is_folder:
                    pending.append((entry.path, rules))
                else:
                    self._file(entry.path)

    def _link(self, path: str, rules: Rules) -> None:
        try:
            status = os.stat(path)  # noqa: PTH116 - strings in a hot loop
        except OSError as error:  # such as a disk that is not mounted now: what it holds stays
            may_be_folder = not Path(path).suffix and self.scope.covers(path)
            if may_be_folder or (self.accepts(path) and self._takes(path)):
                nowhere = error.errno == errno.ENOENT
                self._fail(
                    path, "a link that leads nowhere" if nowhere else f"cannot be read: {error.strerror}"
                )
            else:
                self.listing.unread.append(path)
            return
        if stat.S_ISDIR(status.st_mode):
            self._folder(path, rules)
        else:
            self._file(path, linked=True)

    def _skips(self, path: str, name: str) -> bool:
        if name.startswith("."):
            return True
        if path in self.avoid:
            return True
        inside = relative(path, self.root)
        return self.excluded(inside) or self.excluded(inside + "/")

    def _takes(self, path: str) -> bool:
        return self.scope.covers(path) and self.included(relative(path, self.root))

    def _file(self, path: str, *, linked: bool = False) -> None:
        if not self._takes(path):
            return
        if self.accepts(path):
            self._take(path, linked=linked)
        else:
            self.listing.skipped[suffix_of(path)] += 1

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
