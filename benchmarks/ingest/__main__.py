"""Many small files: the first ingest beside the bare embedder, the second, and one after some edits.

    python -m benchmarks ingest --corpus FOLDER --files 10000

Every run is the command as people run it, in a process of its own, its start and the loading of the model
included. The embedder alone gets the very texts of the stored chunks, sorted by length, in batches of
the same size. Memory is that of the command and its workers together, sampled.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parents[1] / "results" / "ingest.json"
WORDS = 60
"""Of a file: a heading, and about 80 tokens of text."""
CHANGED = 0.01


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="a folder of .md or .txt files")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    rounds = [_round(args.corpus, args.files, number) for number in range(args.rounds)]
    result = {
        "files": args.files,
        "cores": os.cpu_count(),
        "note": "first: files in an empty home; second: nothing changed; edited: 1 % of the files changed",
        "rounds": rounds,
    }
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    _show(rounds)
    return 0


def _round(corpus: Path, files: int, seed: int) -> dict[str, Any]:
    with TemporaryDirectory() as place:
        folder, home = Path(place, "files"), Path(place, "home")
        names = write_files(corpus, folder, files, seed)
        first = ingest(folder, home)
        alone = _alone(home)
        second = ingest(folder, home)
        edited = random.Random(seed).sample(names, max(1, int(files * CHANGED)))
        for path in edited:
            path.write_text(path.read_text(encoding="utf-8") + "\nA line that was added.\n", encoding="utf-8")
        third = ingest(folder, home)
    share = alone["seconds"] / first["seconds"]
    return {
        "first": first,
        "embedder_alone": alone,
        "share_of_embedder": share,
        "second": second,
        "edited": third,
    }


def write_files(corpus: Path, folder: Path, files: int, seed: int) -> list[Path]:
    """Small markdown files of passages of the corpus, no two alike; returns their paths."""
    text = " ".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(corpus.rglob("*"))
        if path.suffix in (".md", ".txt")
    )
    words = re.findall(r"\S+", re.sub(r"[#`*_|>\[\]]", " ", text))
    if len(words) < WORDS * 10:
        raise SystemExit(f"error: --corpus {corpus}: too little text in .md and .txt files")
    draw, names = random.Random(seed), []
    for number in range(files):
        start = draw.randrange(len(words) - WORDS)
        path = folder / f"{number // 500:03d}" / f"note-{number:05d}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        passage = " ".join(words[start : start + WORDS])
        front = f"---\nnumber: {number}\nteam: {draw.choice(('red', 'green', 'blue'))}\n---\n"
        path.write_text(f"{front}# Note {number}\n\n{passage}.\n", encoding="utf-8")
        names.append(path)
    return names


def ingest(folder: Path, home: Path) -> dict[str, Any]:
    """One run of the command: what it says of itself, its wall-clock seconds and its memory."""
    report = home.parent / "report.json"
    command = [sys.executable, "-m", "ingest", str(folder), "--json", "--report", str(report)]
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env={**os.environ, "DRAFTLINE_HOME": str(home)}, stdout=subprocess.PIPE
    )
    peak = _Peak(process.pid)
    process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"error: the ingest ended with {process.returncode}")
    told = json.loads(report.read_text(encoding="utf-8"))
    kept = ("added", "updated", "unchanged", "chunks", "embedded", "reused", "converting_s", "embedding_s")
    return {"seconds": seconds, "peak_mb": peak.stop(), **{name: told[name] for name in kept}}


class _Peak:
    """The most memory that a process and its children had at once.

    Resident less shared, which the kernel keeps count of: adding up the pages that are a process's own takes
    some percent of a core, at the cost of what is measured.
    """

    def __init__(self, pid: int) -> None:
        self._process, self._peak, self._done = psutil.Process(pid), 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(1.0):
            total = 0
            try:
                family = [self._process, *self._process.children(recursive=True)]
            except psutil.Error:
                continue
            for process in family:
                try:
                    memory = process.memory_info()
                    total += memory.rss - memory.shared
                except psutil.Error:
                    continue
            self._peak = max(self._peak, total)

    def stop(self) -> int:
        """Megabytes, files that processes share not counted."""
        self._done.set()
        self._thread.join()
        return round(self._peak / 1e6)


_ALONE = """
import json, sys, time
from configs.settings import load_settings
from retrieve.embed import load_embedder
from retrieve.store import open_store
settings = load_settings()
texts = sorted((record.embedding_text() for record in open_store(settings).records()), key=len, reverse=True)
embedder, size = load_embedder(settings), settings.ingest.embed_batch
embedder.embed_documents(texts[:size])
started = time.perf_counter()
for start in range(0, len(texts), size):
    embedder.embed_documents(texts[start : start + size])
print(json.dumps({"chunks": len(texts), "seconds": time.perf_counter() - started}))
"""


def _alone(home: Path) -> dict[str, Any]:
    """The embedder on the stored texts, in a process of its own; without its loading."""
    done = subprocess.run(
        [sys.executable, "-c", _ALONE],
        env={**os.environ, "DRAFTLINE_HOME": str(home)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _show(rounds: list[dict[str, Any]]) -> None:
    table = Table(title="ingest of many small files")
    for column in ("run", "seconds", "converting", "embedding", "chunks embedded", "peak MB"):
        table.add_column(column, justify="right")
    for one in rounds:
        for name in ("first", "second", "edited"):
            run = one[name]
            figures = (run["seconds"], run["converting_s"], run["embedding_s"])
            table.add_row(
                name, *(f"{figure:.1f}" for figure in figures), str(run["embedded"]), str(run["peak_mb"])
            )
        share = f"{one['share_of_embedder']:.2f} of its throughput is reached"
        table.add_row("embedder alone", f"{one['embedder_alone']['seconds']:.1f}", "", "", share, "")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
