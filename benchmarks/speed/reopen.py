"""A new process opens the store and searches it once: prints the seconds, without imports and embedding."""

from __future__ import annotations

import time

import numpy as np

from configs.settings import load_settings
from retrieve.store import open_store
from retrieve.store.base import SearchRequest

# What the store needs is imported with it; opening a store of the other kind would import more.
from retrieve.store.edge import EdgeStore


def main() -> None:
    settings = load_settings()
    started = time.perf_counter()
    store = open_store(settings)
    assert isinstance(store, EdgeStore)
    dimension = store.info().dimension
    assert dimension is not None
    vector = np.full(dimension, dimension**-0.5, dtype=np.float32)
    assert store.search(SearchRequest("what is this about", vector, 15, 50))
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
