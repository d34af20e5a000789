"""A question's way through a large embedded store: warm, in a new process, and while somebody ingests.

    python -m benchmarks speed --corpus FOLDER --questions FILE.csv --chunks 100000

Warm is a question never seen before: reading it, embedding it with its spans, and a filtered hybrid
search. The chunks are short windows of the corpus; their vectors are embedded once and kept in --cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.speed.data import (
    BUCKETS,
    FIELDS,
    FRESH,
    Windows,
    chunks_of,
    embedded,
    fresh_chunks,
    read_questions,
    read_windows,
)
from configs.settings import Settings, load_settings
from retrieve.embed import Embedder, load_embedder
from retrieve.filters import Filter, MatchValue, Range
from retrieve.retriever import Retriever, open_retriever
from retrieve.store import open_store
from retrieve.store.base import SearchRequest, Store, StoreWriter

RESULTS = Path(__file__).parents[1] / "results" / "speed.json"
CACHE = Path("~/.cache/draftline/benchmarks/speed").expanduser()
KEPT = (0.5, 0.1, 0.01, 0.001)
"""Shares of the chunks that the questions' filters keep, in turn."""
WARM_UP = 20
BATCH = 1000
OPENINGS = 5
FRESH_CHUNKS = 1000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="a folder of .md or .txt files")
    parser.add_argument("--questions", type=Path, required=True, help="a CSV file with a column 'question'")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--cache", type=Path, default=CACHE, help="where vectors are kept")
    parser.add_argument("--home", type=Path, help="keep the store in this folder, and reuse it")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    windows = read_windows(args.corpus, args.chunks)
    questions = read_questions(args.questions)
    args.cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=args.cache) as folder:
        settings = load_settings(
            None, args.overrides, env=os.environ | {"DRAFTLINE_HOME": str(args.home or folder)}
        )
        result = measure(windows, questions, settings, args)
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    show(result)
    return 0


def measure(
    windows: Windows, questions: list[str], settings: Settings, args: argparse.Namespace
) -> dict[str, Any]:
    load = round(os.getloadavg()[0], 1)
    store, embedder = open_store(settings), load_embedder(settings)
    built = build(store, windows, embedder, args.cache)
    retriever = open_retriever(settings)
    first = timed(lambda share: retriever.retrieve(questions[0], filter=keeping(share)), KEPT)
    for number, question in enumerate(questions[:WARM_UP]):
        retriever.retrieve(question, filter=keeping(KEPT[number % len(KEPT)]))
    asked = questions[WARM_UP:]
    return {
        "chunks": store.info().chunks,
        "embedder": embedder.name,
        "reader": settings.retrieve.reader,
        "cores": os.cpu_count(),
        "load_average": load,
        "questions": len(asked),
        "build_s": built,
        "warm_ms": warm(retriever, asked),
        "first_with_a_filter_ms": round(float(np.median(first)), 1),
        "embedding_alone_ms": percentiles(timed(load_embedder(settings).embed_query, asked)),
        "search_alone_ms": search_alone(store, embedder, asked),
        "reopening_s": reopening(settings),
        "ingest": [ingest(settings, retriever, questions, args, replace) for replace in (False, True)],
    }


def build(store: Store, windows: Windows, embedder: Embedder, cache: Path) -> float | None:
    """Seconds to write all windows and to build the index; None: they were there."""

    def writer() -> AbstractContextManager[StoreWriter]:
        return store.writer(embedder=embedder.name, dimension=embedder.dimension, fields=FIELDS, wait_s=1)

    if store.info().chunks > len(windows.texts):  # an earlier run has added its own
        with writer() as writing:
            writing.delete_documents(sorted({c.document.id for c in fresh_chunks(windows, FRESH_CHUNKS)}))
            writing.commit()
    if store.info().chunks == len(windows.texts):
        return None
    vectors = embedded(windows.texts, embedder, cache)
    chunks = list(chunks_of(windows))
    started = time.perf_counter()
    with writer() as writing:
        for start in track(range(0, len(chunks), BATCH), "writing"):
            writing.upsert(chunks[start : start + BATCH], vectors[start : start + BATCH])
        writing.commit()
    return round(time.perf_counter() - started, 1)


def keeping(share: float) -> Filter:
    return Filter(must=(Range("bucket", lt=round(share * BUCKETS)),))


def warm(retriever: Retriever, questions: Sequence[str]) -> list[dict[str, Any]]:
    """Milliseconds a question, by the share of the chunks that the caller's filter keeps; first, of all."""
    taken: dict[float, list[float]] = {share: [] for share in KEPT}
    for number, question in enumerate(questions):
        share = KEPT[number % len(KEPT)]
        started = time.perf_counter()
        retriever.retrieve(question, filter=keeping(share))
        taken[share].append(1000 * (time.perf_counter() - started))
    everything = [value for values in taken.values() for value in values]
    return [{"kept": kept, **percentiles(values)} for kept, values in [("all", everything), *taken.items()]]


def timed(call: Callable[[Any], object], items: Iterable[Any]) -> list[float]:
    """Milliseconds of each call after the first, which loads what is needed."""
    taken = []
    for item in items:
        started = time.perf_counter()
        call(item)
        taken.append(1000 * (time.perf_counter() - started))
    return taken[1:]


def search_alone(store: Store, embedder: Embedder, questions: Sequence[str]) -> dict[str, float]:
    requests = [
        SearchRequest(question, embedder.embed_query(question), 100, 50, keeping(KEPT[number % len(KEPT)]))
        for number, question in enumerate(questions)
    ]
    return percentiles(timed(store.search, requests))


def percentiles(values: Sequence[float]) -> dict[str, float]:
    return {f"p{p}": round(float(np.percentile(values, p)), 1) for p in (50, 99)}


def reopening(settings: Settings) -> dict[str, float]:
    """Median seconds in new processes: to the store's first answer, and all of ``python -m retrieve``."""
    opened, whole = [], []
    environment = os.environ | {"DRAFTLINE_HOME": str(settings.home)}
    for _ in range(OPENINGS):
        command = [sys.executable, "-m", "benchmarks.speed.reopen"]
        opened.append(float(subprocess.run(command, env=environment, check=True, capture_output=True).stdout))
        command = [sys.executable, "-m", "retrieve", "--json", "What is this about?"]
        started = time.perf_counter()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        whole.append(time.perf_counter() - started)
    return {"store": round(float(np.median(opened)), 3), "command": round(float(np.median(whole)), 2)}


def ingest(
    settings: Settings, retriever: Retriever, questions: list[str], args: argparse.Namespace, replace: bool
) -> dict[str, Any]:
    """Another process embeds and writes chunks, while this one asks and waits to see them."""
    command = [sys.executable, "-m", "benchmarks.speed.writer", str(args.corpus), str(args.chunks)]
    command += [str(FRESH_CHUNKS), *(["replace"] if replace else [])]
    environment = os.environ | {"DRAFTLINE_HOME": str(settings.home)}
    store = open_store(settings)
    before, taken, number, seen = store.info().generation, list[float](), 0, None
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            started = time.perf_counter()
            retriever.retrieve(f"{questions[number % len(questions)]} {number}", filter=keeping(0.5))
            taken.append(1000 * (time.perf_counter() - started))
            number += 1
            if seen is None and store.info().generation != before:
                fresh = Filter(must=(MatchValue("source", FRESH),))
                assert sum(1 for _ in store.scroll(fresh)) == FRESH_CHUNKS
                seen = time.monotonic()
        assert process.stdout is not None
        report = json.loads(process.stdout.read())
    assert process.returncode == 0
    assert seen is not None, "the writer ended, and nothing new was published"
    return {
        "chunks": FRESH_CHUNKS,
        "replaces": replace,
        "visible_s": round(seen - report["embedded"], 2),
        "writer_done_s": round(report["done"] - report["embedded"], 2),
        "questions_meanwhile": number,
        "question_ms": {**percentiles(taken), "max": round(max(taken), 1)},
    }


def show(result: dict[str, Any]) -> None:
    table = Table(
        title=f"{result['chunks']:,} chunks, {result['questions']} questions, "
        f"{result['cores']} cores, load {result['load_average']} before"
    )
    for column in ("filter keeps", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    for row in result["warm_ms"]:
        kept = row["kept"] if row["kept"] == "all" else f"{row['kept']:.1%}"
        table.add_row(kept, str(row["p50"]), str(row["p99"]))
    for name in ("embedding", "search"):
        alone = result[f"{name}_alone_ms"]
        table.add_row(f"{name} alone", str(alone["p50"]), str(alone["p99"]))
    Console().print(table)
    print(f"the first question with a new filter: {result['first_with_a_filter_ms']} ms")
    print(
        f"reopening: {result['reopening_s']['store']} s, a whole command {result['reopening_s']['command']} s"
    )
    for row in result["ingest"]:
        kind, took = "replaced" if row["replaces"] else "added", row["question_ms"]
        print(
            f"{row['chunks']} chunks {kind}: seen after {row['visible_s']} s; questions meanwhile "
            f"p50 {took['p50']} ms, p99 {took['p99']} ms, longest {took['max']} ms"
        )


if __name__ == "__main__":
    sys.exit(main())
