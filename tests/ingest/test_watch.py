"""``--watch``: in a real process on a real folder, and its decisions one by one."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from configs.errors import InputError, StoreError
from configs.settings import Settings
from ingest.report import Report
from ingest.sources import Failure
from ingest.watch import Watch, change_line, watched
from retrieve.store import open_store
from tests.ingest.site import Reply, page, serve
from tests.ingest.stored import Ran, stored


class Watching:
    """A process that watches; its lines as they come."""

    def __init__(self, *words: object, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ingest", *map(str, words), "--watch"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {}), "OMP_NUM_THREADS": "1"},
        )
        self._out: queue.Queue[str] = queue.Queue()
        self._err: queue.Queue[str] = queue.Queue()
        self.threads = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.process.stdout, self._out), (self.process.stderr, self._err))
        ]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _read(stream: Any, lines: queue.Queue[str]) -> None:
        for line in stream:
            lines.put(line)

    def report(self) -> dict[str, Any]:
        """The next line of JSON."""
        value: dict[str, Any] = json.loads(self._out.get(timeout=120))
        return value

    def until(self, text: str) -> str:
        """The next line on stderr with this in it."""
        while text not in (line := self._err.get(timeout=120)):
            pass
        return line

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=60)


@contextmanager
def watching(*words: object, env: dict[str, str] | None = None) -> Iterator[Watching]:
    watch = Watching(*words, env=env)
    try:
        yield watch
    finally:
        watch.process.kill()
        watch.process.wait()
        for thread in watch.threads:
            thread.join()
        for stream in (watch.process.stdout, watch.process.stderr):
            assert stream is not None
            stream.close()


def test_a_process_follows_a_folder_until_ctrl_c(docs: Path, sync: Callable[..., Ran]) -> None:
    sync(docs)
    with watching("--json", docs) as watch:
        assert watch.report()["unchanged"] == 3
        watch.until("watching")
        (docs / "sub" / "led.html").unlink()
        assert watch.report()["deleted"] == 1
        (docs / "note.bin").write_text("of no kind that is read")
        (docs / "new").mkdir()
        (docs / "new" / "fan.md").write_text("# Fan\n\nThe fan turns at night.\n")
        report = watch.report()
        assert (report["added"], report["unchanged"]) == (1, 2)
        assert watch.end(signal.SIGINT) == 130
    assert set(stored()) == {"pump.md", "valve.txt", "new/fan.md"}


@pytest.mark.deep
def test_a_process_waits_for_a_store_that_is_busy_and_ends_on_sigterm(
    docs: Path, sync: Callable[..., Ran], settings: Settings
) -> None:
    sync(docs)
    store = open_store(settings)
    info = store.info()
    assert info.embedder is not None
    assert info.dimension is not None
    fast = ("--set", "ingest.lock_wait_s=0")
    with watching("--json", docs, *fast, env={"WATCHFILES_FORCE_POLLING": "1"}) as watch:
        assert watch.report()["unchanged"] == 3
        watch.until("watching")
        with store.writer(embedder=info.embedder, dimension=info.dimension, fields={}, wait_s=0):
            (docs / "fan.md").write_text("# Fan\n\nThe fan turns at night.\n")
            watch.until("trying again")
        assert watch.report()["added"] == 1
        assert watch.end(signal.SIGTERM) == 130


class Script:
    """A `Watch` whose syncs are made up, and which ends when they are used up."""

    def __init__(self, settings: Settings, paths: list[str], *outcomes: Report | Exception) -> None:
        self.visits: list[bool] = []
        self.said: list[str] = []
        self.notes: list[str] = []
        self._outcomes, self._path = list(outcomes), paths[0]
        self.watch = Watch(paths, settings, self.sync, self.say, self.notes.append)

    def say(self, report: Report, text: str) -> None:
        self.said.append(text)
        if not self._outcomes:
            self.watch._changes.put({self._path})

    def sync(self, visits: bool) -> Report:
        self.visits.append(visits)
        if not self._outcomes:
            raise KeyboardInterrupt
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def run(self, monkeypatch: pytest.MonkeyPatch, **constants: object) -> int:
        for name, value in constants.items():
            monkeypatch.setattr(f"ingest.watch.{name}", value)
        return self.watch.run()


def test_errors_are_survived_and_tried_again(
    docs: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = Failure("a.md", "bad")
    script = Script(
        settings,
        [str(docs)],
        StoreError("locked"),
        InputError("no such file"),
        OSError(28, "No space left on device"),
        ValueError("oh"),
        Report(added=1, failed=[bad]),
    )
    script.watch._retry_at = 0.0
    assert script.run(monkeypatch, RETRY_S=0.01) == 130
    assert [note.partition(";")[0] for note in script.notes[:1] + script.notes[2:5]] == [
        "locked",
        "no such file",
        "[Errno 28] No space left on device",
        "a bug in Draftline: ValueError: oh",
    ]
    assert "1 added, 1 failed, a.md: bad" in script.said[0]


def test_a_note_on_a_site_is_written_once_and_sigterm_ends_it_like_ctrl_c(run: Callable[..., Ran]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with serve() as site:
        site.pages = {
            "/robots.txt": Reply(b"User-agent: *\nDisallow: /d/secret\n", type="text/plain"),
            "/d/": page("Start", "secret"),
        }
        words = ("ingest.crawl_private=true", "ingest.crawl_delay_s=0", "ingest.watch_crawl_s=0.05")
        settings = [word for setting in words for word in ("--set", setting)]
        assert run(f"{site.origin}/d/", *settings).code == 0

        def end() -> None:
            site.seen.clear()
            while [path for path, _ in site.seen].count("/d/") < 4:
                time.sleep(0.02)
            os.kill(os.getpid(), signal.SIGTERM)

        thread = threading.Thread(target=end)
        thread.start()
        ran = run(f"{site.origin}/d/", "--watch", *settings)
        thread.join()
    assert ran.code == 130
    assert ran.err.count("bars 1 address") == 1
    assert ran.err.splitlines()[-1] == "ended: what was published stays"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_first_sync_that_makes_no_sense_ends_the_watch(
    docs: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError):
        Script(settings, [str(docs)], InputError("no such file")).run(monkeypatch)


def test_sites_are_visited_when_due(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="watch_crawl_s"):
        Script(make_settings(), ["https://example.org/"])
    settings = make_settings("ingest.watch_crawl_s=0.01")
    script = Script(settings, ["https://example.org/"], Report(), Report(), Report(updated=1))
    assert script.run(monkeypatch) == 130
    assert script.visits[:3] == [True] * 3
    assert [line.partition(" ")[2].partition(" (")[0] for line in script.said[1:]] == ["1 updated"]


def test_a_visit_that_cannot_run_waits_like_any_sync(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings("ingest.watch_crawl_s=0.01")
    script = Script(settings, ["https://example.org/"], Report(), InputError("gone"))
    began = time.monotonic()
    assert script.run(monkeypatch, RETRY_S=0.5) == 130
    assert time.monotonic() - began >= 0.5
    assert script.visits == [True] * 3


def test_which_changes_concern_us(docs: Path, home: Path, make_settings: Callable[..., Settings]) -> None:
    (docs / "file.bin").touch()
    (docs / "v1.2").mkdir()
    watch = Script(make_settings(), [str(docs)]).watch
    concerns = {
        "a.md": True,
        "file.bin": False,
        "gone.bin": True,
        "v1.2": True,
        ".gitignore": True,
        "sub/.draftlineignore": True,
        ".a.md.swp": False,
        ".git/a.md": False,
        "": True,
    }
    for name, expected in concerns.items():
        assert watch._concerns(f"{docs}/{name}".rstrip("/")) is expected, name
    assert not watch._concerns(f"{home}/x.md")


def test_what_is_watched(docs: Path) -> None:
    assert watched([str(docs), "https://example.org/"]).whole == (str(docs),)
    assert watched([str(docs / "pump.md")]).flat == (str(docs),)
    assert watched([f"{docs}/sub/**/*.html"]).whole == (f"{docs}/sub",)
    assert watched([str(docs / "later" / "on.md")]).flat == (str(docs),)


def test_where_notifications_run_out_changes_are_looked_for(
    docs: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import watchfiles

    real = watchfiles.watch

    def limited(*paths: str, **options: Any) -> Any:
        if not options["force_polling"]:
            raise OSError(28, "inotify watch limit reached")
        return real(*paths, **options)

    monkeypatch.setattr("watchfiles.watch", limited)
    script = Script(settings, [str(docs)], Report(), Report(updated=1))
    changer = threading.Timer(1.5, lambda: (docs / "pump.md").write_text("changed"))
    changer.start()
    assert script.run(monkeypatch, POLL_MS=100) == 130
    changer.join()
    assert any("changes are looked for every" in note for note in script.notes)


def test_a_folder_that_is_made_anew_is_followed_again(
    docs: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(settings, [str(docs)], Report(), Report(deleted=3), Report(added=3))

    def replace() -> None:
        docs.rename(docs.with_name("old"))

    def renew() -> None:
        docs.mkdir()
        (docs / "a.md").write_text("a")

    timers = [threading.Timer(1.0, replace), threading.Timer(2.5, renew)]
    for timer in timers:
        timer.start()
    assert script.run(monkeypatch) == 130
    for timer in timers:
        timer.join()
    assert len(script.said) == 3


def test_a_folder_that_is_gone_is_noted_once_and_seen_when_it_is_back(
    docs: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(settings, [str(docs)])
    away = docs.with_name("away")
    syncs: list[str] = []

    def sync(visits: bool) -> Report:
        if not docs.is_dir():
            syncs.append("gone")
            raise InputError("no such file or folder")
        if "gone" in syncs:
            raise KeyboardInterrupt
        return Report()

    monkeypatch.setattr(script.watch, "_sync", sync)
    timers = [
        threading.Timer(0.7, lambda: docs.rename(away)),
        threading.Timer(4.0, lambda: away.rename(docs)),
    ]
    for timer in timers:
        timer.start()
    began = time.monotonic()
    assert script.run(monkeypatch, RETRY_S=60.0) == 130
    assert time.monotonic() - began < 30, "the folder itself called for a sync"
    assert [note for note in script.notes if "trying again" in note] == [
        "no such file or folder; trying again in 60 s"
    ]
    assert len(syncs) <= 2


def test_trouble_is_noted_again_when_it_is_another_or_was_tried_again(
    docs: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = (script := Script(settings, [str(docs)])).watch
    for text in ("locked", "locked", "gone", "gone"):
        watch._fail(InputError(text))
    watch._retry_at = 0.0
    watch._fail(InputError("gone"))
    monkeypatch.setattr(watch, "_sync", lambda visits: Report())
    watch._once()
    watch._fail(InputError("gone"))
    assert [note.partition(";")[0] for note in script.notes] == ["locked", "gone", "gone", "gone"]


def test_a_line_a_change_set() -> None:
    failures = [Failure("a.md", "bad"), Failure("b.md", "worse"), Failure("c.md", "old")]
    line = change_line(Report(added=2, deleted=1, failed=failures), failures[:2])
    assert line[9:].startswith("2 added, 1 deleted, 3 failed, a.md: bad, 1 more that are new (")
    assert change_line(Report(), [])[9:].startswith("nothing changed (")
