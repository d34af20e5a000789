"""``--watch``: a sync whenever files below the paths change, or when sites are due for another look.

It knows when to sync and says what came of it; how to sync is handed in.
"""

from __future__ import annotations

import contextlib
import os
import queue
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from configs.errors import DraftlineError, ExitCode, InputError, StoreError
from configs.settings import Settings
from ingest.convert.kinds import kind_of
from ingest.globs import MAGIC
from ingest.ignore import GIT, OWN
from ingest.report import Report
from ingest.sources import Failure, absolute, is_within, relative
from ingest.web.urls import is_url

QUIET_MS = 300
"""Changes belong together until nothing happened for so long ..."""
LONGEST_MS = 3000
"""... or for so long all in all."""
POLL_MS = 2000
RETRY_S = 10.0
"""After a sync that could not run."""
_READY_S = 30.0
_Identity = tuple[int, int] | None
"""Device and inode of a folder; None where there is none."""


@dataclass(frozen=True)
class Watched:
    """Folders to follow."""

    whole: tuple[str, ...]
    """With all folders below."""
    flat: tuple[str, ...]
    """For the files in them that are watched by name: editors replace a file rather than write to it."""


def watched(paths: Sequence[str]) -> Watched:
    """The folders in which changes concern these paths; of what is not there, the nearest one that is."""
    whole: dict[str, None] = {}
    flat: dict[str, None] = {}
    for path in paths:
        if is_url(path):
            continue
        place = absolute(path)
        if not place.exists() and MAGIC.search(path):
            first = next(i for i, part in enumerate(place.parts) if MAGIC.search(part))
            place = Path(*place.parts[:first])
        if place.is_dir():
            whole[str(place)] = None
        else:
            flat[str(next(parent for parent in place.parents if parent.is_dir()))] = None
    return Watched(tuple(whole), tuple(flat))


class Watch:
    """Syncs until it is told to end.

    Args:
        sync: one sync of the paths; looks at the sites among them first if it is told True.
        say: told what a sync changed, and that in words: of the first sync all, of the others one line.
        note: told what a person should know.
    """

    def __init__(
        self,
        paths: Sequence[str],
        settings: Settings,
        sync: Callable[[bool], Report],
        say: Callable[[Report, str], None],
        note: Callable[[str], None],
    ) -> None:
        self._folders, self._home = watched(paths), str(absolute(settings.home))
        self._crawl_s = settings.ingest.watch_crawl_s if any(map(is_url, paths)) else None
        self._sync, self._say, self._note = sync, say, note
        self._changes: queue.Queue[set[str]] = queue.Queue()
        self._failed: list[Failure] = []
        self._visit_at = self._retry_at = float("inf")
        self._trouble = ""
        """What was noted of the last sync, if it could not run."""
        self._visits = True
        """Whether the next sync looks at sites."""
        if not (self._folders.whole or self._folders.flat or self._crawl_s):
            raise InputError(
                "only addresses to watch: set ingest.watch_crawl_s to the seconds between visits"
            )

    def run(self) -> int:
        """Sync, and sync again after every change; returns the exit code."""
        with self._followers():
            try:
                self._first()
                while True:
                    self._wait()
                    self._again()
            except KeyboardInterrupt:
                self._note("ended: what was published stays")
                return ExitCode.INTERRUPTED

    @contextlib.contextmanager
    def _followers(self) -> Iterator[None]:
        stop = threading.Event()
        followers = [
            _Follower(folders, recursive, self._changes, stop, self._note)
            for folders, recursive in ((self._folders.whole, True), (self._folders.flat, False))
            if folders
        ]
        for follower in followers:
            follower.start()
        try:
            for follower in followers:  # a change during the first sync must not go unseen
                follower.ready.wait(_READY_S)
            yield
        finally:
            stop.set()
            for follower in followers:
                follower.join()

    def _first(self) -> None:
        """The first sync: what it cannot do at all ends the watch, but for a store that is busy."""
        try:
            report = self._once()
            self._say(report, "\n".join(report.lines()))
        except StoreError as error:
            self._fail(error)
        places = [*self._folders.whole, *self._folders.flat]
        self._note(f"watching {', '.join(places) or 'sites'}; Ctrl-C ends it")

    def _again(self) -> None:
        known = self._failed
        try:
            report = self._once()
        except (DraftlineError, OSError) as error:
            self._fail(error)
        except Exception as error:  # one bad moment must not end a watch of weeks
            self._fail(RuntimeError(f"a bug in Draftline: {type(error).__name__}: {error}"))
        else:
            new = [failure for failure in report.failed if failure not in known]
            mended = len(known) > len(report.failed) - len(new)
            if report.added or report.updated or report.deleted or new or mended:
                self._say(report, change_line(report, new))

    def _once(self) -> Report:
        visits = self._visits
        if visits:
            self._visit_at = float("inf")  # a visit that fails is tried again like any sync
        report = self._sync(visits)
        self._retry_at, self._trouble = float("inf"), ""
        if visits and self._crawl_s is not None:
            self._visit_at = time.monotonic() + self._crawl_s
        self._visits = False
        self._failed = report.failed
        return report

    def _fail(self, error: Exception) -> None:
        now, trouble = time.monotonic(), str(error)
        if trouble == self._trouble and now < self._retry_at:
            return  # a change called for a sync before its time: it comes as was noted
        self._note(f"{trouble}; trying again in {RETRY_S:g} s")
        self._retry_at, self._trouble = now + RETRY_S, trouble

    def _wait(self) -> None:
        """Return when there is something to do."""
        while True:
            now = time.monotonic()
            if now >= self._visit_at:
                self._visits = True
                return
            if now >= self._retry_at:
                return
            until = min(self._visit_at, self._retry_at)
            with contextlib.suppress(queue.Empty):
                changed = self._changes.get(timeout=None if until == float("inf") else until - now)
                while not self._changes.empty():
                    changed |= self._changes.get()
                if any(self._concerns(path) for path in changed):
                    return

    def _concerns(self, path: str) -> bool:
        """Whether a change there may change what is stored."""
        if is_within(path, self._home):
            return False
        inside = next(
            (relative(path, base) for base in self._folders.whole if path != base and is_within(path, base)),
            os.path.basename(path) if path not in self._folders.whole else "",  # noqa: PTH119 - a string
        )
        *folders, name = inside.split("/")
        if any(part.startswith(".") for part in folders) or (name.startswith(".") and name not in (GIT, OWN)):
            return False
        # Of what is not there any more, nobody can say whether it was a folder.
        return name in (GIT, OWN) or kind_of(name) is not None or not Path(path).is_file()


def change_line(report: Report, new: Sequence[Failure]) -> str:
    """What a sync did, in a line with the time."""
    counts = [(report.added, "added"), (report.updated, "updated"), (report.deleted, "deleted")]
    parts = [f"{count} {name}" for count, name in counts if count] or ["nothing changed"]
    parts += [f"{len(report.failed)} failed"] if report.failed else []
    parts += [f"{failure.path}: {failure.error}" for failure in new[:1]]
    parts += [f"{len(new) - 1} more that are new"] if len(new) > 1 else []
    return f"{datetime.now():%H:%M:%S} {', '.join(parts)} ({report.seconds:.1f} s)"


class _Follower(threading.Thread):
    """Hands on the paths that change, by the system's notifications or else by looking every so often."""

    def __init__(
        self,
        folders: Sequence[str],
        recursive: bool,
        changes: queue.Queue[set[str]],
        stop: threading.Event,
        note: Callable[[str], None],
    ) -> None:
        super().__init__(daemon=True)
        self._folders, self._recursive, self._changes = folders, recursive, changes
        self._stopping, self._note = stop, note
        self._polling: bool | None = None
        self.ready = threading.Event()

    def run(self) -> None:
        known = _identities(self._folders)
        while not self._stopping.is_set():
            there = [folder for folder, identity in zip(self._folders, known, strict=True) if identity]
            try:
                self._follow(there, known)
            except Exception as error:  # the library's own errors, and the system's
                if self._polling is None and all(map(os.path.isdir, there)):
                    self._polling = True
                    self._note(f"changes are looked for every {POLL_MS / 1000:g} s: {error}")
                else:
                    self._stopping.wait(1.0)
            before, known = known, _identities(self._folders)
            if self.ready.is_set() and (there or known != before):
                self._changes.put(set(self._folders))  # something may have changed while nobody followed

    def _follow(self, there: Sequence[str], known: Sequence[_Identity]) -> None:
        """Until told to stop, or one of the folders is another one than was known."""
        if not there:
            self.ready.set()
            self._stopping.wait(1.0)
            return
        from watchfiles import watch

        for changes in watch(
            *there,
            watch_filter=None,
            debounce=LONGEST_MS,
            step=QUIET_MS,
            stop_event=self._stopping,
            rust_timeout=500,
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=self._polling,
            poll_delay_ms=POLL_MS,
            recursive=self._recursive,
            ignore_permission_denied=True,
        ):
            self.ready.set()
            if changes:
                self._changes.put({path for _, path in changes})
            if _identities(self._folders) != known:
                return


def _identities(folders: Sequence[str]) -> list[_Identity]:
    return list(map(_identity, folders))


def _identity(folder: str) -> _Identity:
    try:
        status = Path(folder).stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None
