"""Ingest stopped at random moments: what is in the store is whole, and the next run finishes."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.holdings import Versions, data_below, held, payloads_in
from tests.faults.processes import Ingest, Processes

Start = Callable[..., Ingest]

EACH = ("--set", "ingest.commit_every_s=0.000001", "--set", "ingest.embed_batch=2")
"""Publish after every document."""


class Folder:
    """A folder that changes at random; each content has a mark of its own that is found nowhere else."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path, self.random, self.marks = path, random.Random(seed), 0
        path.mkdir()
        for number in range(5):
            self.write(f"page-{number}.{self.random.choice(['md', 'txt', 'html'])}")

    def write(self, name: str) -> None:
        self.marks += 1
        mark = f"märk{self.marks:04d}q"
        parts = [
            f"<h2>Part {number}</h2>\n<p>{mark} {number}: {'words about the pump ' * 25}</p>\n"
            if name.endswith("html")
            else f"## Part {number}\n\n{mark} {number}: {'words about the pump ' * 25}\n\n"
            for number in range(self.random.randint(1, 4))
        ]
        front = f"---\ntitle: {mark}\nfield-{mark}: 1\n---\n" if name.endswith("md") else ""
        (self.path / name).write_text(front + "".join(parts), encoding="utf-8")

    def mark(self, name: str) -> bytes:
        """The mark in a file's content, with the bytes around it that no other mark shares."""
        text = (self.path / name).read_text(encoding="utf-8")
        start = text.index("märk")
        return text[start : start + 9].encode()

    def change(self) -> list[bytes]:
        """Edit, rename, delete and add files; returns the marks of what is nowhere any more."""
        names = sorted(path.name for path in self.path.iterdir())
        self.random.shuffle(names)
        edited, deleted, renamed = names[:1], names[1:2], names[2:4]
        gone = [*map(self.mark, (*edited, *deleted)), *(name.encode() for name in deleted)]
        for name in edited:
            self.write(name)
        for name in deleted:
            (self.path / name).unlink()
        for name in renamed:
            (self.path / name).rename(self.path / f"moved-{name}")
        self.write(f"new-{self.marks}.md")
        return gone


def generation(home: Path) -> int:
    manifest = home / "store" / "manifest.json"
    return int(json.loads(manifest.read_text())["generation"]) if manifest.exists() else 0


def stop(running: Ingest, how: signal.Signals, before: int, moment: random.Random, commits: int) -> None:
    """Stop an ingest that would make so many commits: a little after one of them, or before the first."""
    number = moment.randrange(commits)
    if number:
        running.until_generation(before + number)
    time.sleep(moment.uniform(0, 0.35 if number else 1.5))
    assert running.signal(how).code in (-signal.SIGKILL if how == signal.SIGKILL else 130, 0)


def check_between(before: dict[str, str], now: dict[str, str], target: dict[str, str]) -> None:
    """Each document is as it was or as it should be, and none that stays is missing or there twice."""
    for path in before.keys() | now.keys() | target.keys():
        assert now.get(path) in (before.get(path), target.get(path)), path
    count = Counter(now.values())
    assert all(count[digest] == 1 for digest in set(before.values()) & set(target.values()))


def check_remains(home: Path, gone: list[bytes], there: list[bytes]) -> None:
    """No byte of what is gone is in any file, and only one generation is there."""
    left = data_below(home)
    assert [word for word in gone if word in left] == []
    assert all(word in left for word in there)
    names = sorted(path.name.partition("-")[0] for path in (home / "store").iterdir())
    assert names == ["lock", "manifest.json", "shard", "side"]


KILL, INTERRUPT = signal.SIGKILL, signal.SIGINT
SEEDS = [
    (KILL, 0),
    *(pytest.param(KILL, seed, marks=pytest.mark.deep) for seed in range(1, 50)),
    *(pytest.param(INTERRUPT, seed, marks=pytest.mark.deep) for seed in range(50, 60)),
]


@pytest.mark.parametrize(("how", "seed"), SEEDS)
def test_stopped_at_a_random_moment(
    how: signal.Signals, seed: int, ingest: Start, processes: Processes, home: Path, tmp_path: Path
) -> None:
    moment, versions, folder = random.Random(seed), Versions(), Folder(tmp_path / "docs", seed)
    before: dict[str, str] = {}
    target = versions.look(folder.path)
    gone: list[bytes] = []
    for round in range(2):
        if round:
            gone = folder.change()
            target = versions.look(folder.path)
        published = generation(home)
        stop(ingest(folder.path, *EACH), how, published, moment, commits=5 - round)
        now = held(home, versions)
        check_between(before, now, target)
        before = now
    finished = ingest(folder.path).wait()
    assert finished.code == 0, finished.err
    assert held(home, versions) == target
    check_remains(home, gone, [folder.mark(name) for name in target])
    undisturbed = Ingest(processes, tmp_path / "undisturbed", folder.path)
    assert undisturbed.wait().report["added"] == len(target)
    assert payloads_in(home) == payloads_in(undisturbed.home)


@pytest.mark.parametrize("way", ["deleted and ingested", "removed"])
def test_a_removed_document_is_in_no_file(way: str, ingest: Start, home: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / "sub").mkdir(parents=True)
    secret = docs / "sub" / "Geheimnisträger.md"
    secret.write_text("---\nzyxfield: Quetzalcoatl\n---\n# Überschrift X7\n\nXanthippe schläft.\n", "utf-8")
    (docs / "broken-Ypsilanti.md").write_text("---\nauthor: [Ypsilanti\n---\n")
    (docs / "plain.md").write_text("# Plain\n\nAda stays awake.\n")
    words = [
        word.encode()
        for word in ("Geheimnisträger", "zyxfield", "Quetzalcoatl", "Überschrift X7", "Xanthippe")
    ]
    assert ingest(docs).wait().code == 1
    left = data_below(home)
    assert all(word in left for word in (*words, b"Ypsilanti"))
    if way == "removed":
        assert ingest("remove", docs / "sub", docs / "broken-Ypsilanti.md").wait().report["deleted"] == 1
    else:
        secret.unlink()
        (docs / "broken-Ypsilanti.md").unlink()
        assert ingest(docs).wait().report["deleted"] == 1
    check_remains(home, [*words, b"Ypsilanti"], [b"Ada stays awake", b"plain.md"])
