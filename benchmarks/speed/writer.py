"""A process that embeds and ingests chunks: prints when the last vector was there and when it was done."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.speed.data import fresh_chunks, read_windows
from configs.settings import load_settings
from retrieve.embed import load_embedder
from retrieve.store import open_store

BATCH = 200


def main(corpus: str, windows: str, count: str, replace: str = "") -> None:
    settings = load_settings()
    embedder = load_embedder(settings)
    chunks = list(fresh_chunks(read_windows(Path(corpus), int(windows)), int(count)))
    with open_store(settings).writer(
        embedder=embedder.name, dimension=embedder.dimension, fields={}, wait_s=1
    ) as writer:
        if replace:
            writer.delete_documents(sorted({chunk.document.id for chunk in chunks}))
        for start in range(0, len(chunks), BATCH):
            batch = chunks[start : start + BATCH]
            vectors = embedder.embed_documents([chunk.embedding_text() for chunk in batch])
            embedded = time.monotonic()
            writer.upsert(batch, vectors)
        writer.commit()
    print(json.dumps({"embedded": embedded, "done": time.monotonic()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
