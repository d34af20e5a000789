"""The embedded store beside qdrant-client's local mode: latency and recall, with and without filters.

    python -m benchmarks.store --corpus FOLDER

Both hold the same windows of text and answer the same hybrid questions (vectors and BM25, fused).
Recall is of the vector search alone, against the exact answer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import qdrant_edge as edge
from qdrant_client import QdrantClient, models
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.store.data import BUCKETS, CACHE, Data, load_data
from configs.settings import load_settings
from retrieve.embed import Embedder, load_embedder
from retrieve.filters import Filter, Range
from retrieve.fusion import RRF_K
from retrieve.store import shard as shards
from retrieve.store.base import SearchRequest, Store
from retrieve.store.bm25 import Bm25
from retrieve.store.edge import EdgeStore
from retrieve.store.edge_filters import to_edge
from retrieve.store.manifest import read_manifest
from retrieve.store.server import ServerStore
from retrieve.store.server_filters import to_server

RESULTS = Path(__file__).parents[1] / "results" / "store.json"
KEPT = (1.0, 0.001, 0.1, 0.5)
"""Shares of the windows that the filters keep."""
LIMIT = 10
PREFETCH = 50
BATCH = 1000
COLLECTION = "windows"
Search: TypeAlias = Callable[[int, Filter | None], int]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="a folder of .md or .txt files")
    parser.add_argument("--windows", type=int, default=50_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--peer-questions", type=int, default=15, help="how many of them local mode is asked")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    warnings.filterwarnings("ignore", "Payload indexes have no effect in the local Qdrant")
    warnings.filterwarnings("ignore", "Local mode is not recommended")
    embedder = load_embedder(load_settings())
    data = load_data(args.corpus, args.windows, args.questions, embedder)
    with TemporaryDirectory(dir=CACHE) as folder:
        result = measure(data, embedder, Path(folder), args.peer_questions)
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    show(result)
    return 0


def measure(data: Data, embedder: Embedder, folder: Path, peer_questions: int) -> dict[str, Any]:
    client = QdrantClient(path=str(folder / "local"))
    ours, peer = EdgeStore(folder / "store"), ServerStore(client, COLLECTION, folder / "peer")
    building = {"edge": build(ours, data, embedder), "local mode": build(peer, data, embedder)}
    one_more = add_one_document(ours, data, embedder)
    shard_name = read_manifest(folder / "store").shard
    assert shard_name is not None
    shard = edge.EdgeShard.load(str(folder / "store" / shard_name))
    info = shard.info()
    rows = []
    for kept in KEPT:
        where = Filter(must=(Range("bucket", lt=round(kept * BUCKETS)),)) if kept < 1 else None
        fast = latencies(edge_search(ours, data), where, len(data.questions))
        slow = latencies(local_search(client, data), where, peer_questions)
        rows.append(
            {
                "kept": kept,
                "recall_at_10": recall(shard, data, where, kept),
                "edge_ms": fast,
                "local_mode_ms": slow,
                "ratio_p50": round(slow["p50"] / fast["p50"], 1),
                "ratio_p99": round(slow["p99"] / fast["p99"], 1),
            }
        )
    return {
        "windows": len(data.texts),
        "dimension": int(data.vectors.shape[1]),
        "embedder": embedder.name,
        "questions": {"edge": len(data.questions), "local mode": peer_questions},
        "cores": os.cpu_count(),
        "indexed_vectors": info.indexed_vectors_count,
        "segments": info.segments_count,
        "build_s": building,
        "add_one_document_s": one_more,
        "rows": rows,
    }


def build(store: Store, data: Data, embedder: Embedder) -> float:
    """Seconds to write all windows and, for the embedded store, to build its index."""
    chunks = list(data.chunks())
    started = time.perf_counter()
    with store.writer(
        embedder=embedder.name, dimension=embedder.dimension, fields={"bucket": "integer"}, wait_s=1
    ) as writer:
        for start in track(range(0, len(chunks), BATCH), f"writing {type(store).__name__}"):
            writer.upsert(chunks[start : start + BATCH], data.vectors[start : start + BATCH])
        writer.commit()
    return round(time.perf_counter() - started, 1)


def add_one_document(store: Store, data: Data, embedder: Embedder) -> dict[str, float]:
    """Seconds that an update of one document of 100 chunks takes, to add it and to delete it again."""
    chunks = list(data.chunks())[:100]
    seconds = {}
    for name in ("delete", "add"):
        started = time.perf_counter()
        with store.writer(
            embedder=embedder.name, dimension=embedder.dimension, fields={}, wait_s=1
        ) as writer:
            if name == "delete":
                writer.delete_documents([chunks[0].document.id])
            else:
                writer.upsert(chunks, data.vectors[:100])
            writer.commit()
        seconds[name] = round(time.perf_counter() - started, 2)
    return seconds


def edge_search(store: EdgeStore, data: Data) -> Search:
    """All that `Store.search` does, the coverage of the question's words included."""

    def search(number: int, where: Filter | None) -> int:
        vector = data.question_vectors[number]
        return len(store.search(SearchRequest(data.questions[number], vector, LIMIT, PREFETCH, where)))

    return search


def local_search(client: QdrantClient, data: Data) -> Search:
    """The hybrid query alone."""
    bm25 = Bm25()

    def search(number: int, where: Filter | None) -> int:
        terms = bm25.question(data.questions[number])
        sparse = models.SparseVector(indices=terms.indices, values=terms.values)
        dense = data.question_vectors[number].tolist()
        passing = to_server(where) if where else None
        found = client.query_points(
            COLLECTION,
            prefetch=[
                models.Prefetch(query=query, using=using, limit=PREFETCH, filter=passing)
                for query, using in ((dense, shards.DENSE), (sparse, shards.SPARSE))
            ],
            query=models.RrfQuery(rrf=models.Rrf(k=RRF_K, weights=[1.0, 2.0])),
            limit=LIMIT,
        )
        return len(found.points)

    return search


def latencies(search: Search, where: Filter | None, count: int) -> dict[str, float]:
    """Milliseconds of searches, after a few that warm up."""
    for number in range(min(count, 5)):
        search(number, where)
    taken = [timed(search, number, where) for number in range(count)]
    return {name: round(float(np.percentile(taken, p)), 2) for name, p in (("p50", 50), ("p99", 99))}


def timed(search: Search, number: int, where: Filter | None) -> float:
    started = time.perf_counter()
    found = search(number, where)
    milliseconds = 1000 * (time.perf_counter() - started)
    assert found, "a question found nothing"
    return milliseconds


def recall(shard: edge.EdgeShard, data: Data, where: Filter | None, kept: float) -> float:
    """Share of the exact ten nearest windows that the index finds; ties count as found."""
    passing = np.array([bucket < kept * BUCKETS for bucket in data.buckets])
    scores = np.where(passing, data.question_vectors @ data.vectors.T, -2.0)
    found = 0
    for vector, exact in zip(data.question_vectors, scores, strict=True):
        hits = shard.query(
            edge.QueryRequest(
                limit=LIMIT,
                query=edge.Query.Nearest(vector.tolist(), using=shards.DENSE),
                filter=to_edge(where) if where else None,
            )
        )
        tenth = np.sort(exact)[-LIMIT]
        found += sum(hit.score >= tenth - 1e-5 for hit in hits)
    possible = min(LIMIT, int(passing.sum())) * len(data.question_vectors)
    return round(found / possible, 4)


def show(result: dict[str, Any]) -> None:
    table = Table(title=f"{result['windows']:,} windows, hybrid search, {result['cores']} cores")
    for column in ("filter keeps", "recall@10", "Edge p50 / p99 ms", "local mode p50 / p99 ms", "ratio p50"):
        table.add_column(column, justify="right")
    for row in result["rows"]:
        table.add_row(
            f"{row['kept']:.1%}",
            f"{row['recall_at_10']:.4f}",
            f"{row['edge_ms']['p50']} / {row['edge_ms']['p99']}",
            f"{row['local_mode_ms']['p50']} / {row['local_mode_ms']['p99']}",
            f"{row['ratio_p50']}x",
        )
    Console().print(table)
    build_s, more = result["build_s"], result["add_one_document_s"]
    print(f"built in {build_s['edge']} s (local mode {build_s['local mode']} s)")
    print(f"one document of 100 chunks: deleted in {more['delete']} s, added in {more['add']} s")


if __name__ == "__main__":
    sys.exit(main())
