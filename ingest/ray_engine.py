"""Conversion and embedding as a Ray Data pipeline, on a cluster or on this machine.

The driver compares, plans and publishes as it always does; what takes the time runs where Ray has room:
actors that convert (each with a worker process of its own, so that limits and crashes are handled as
they are locally) feed actors that embed. Files are read by their paths, so the cluster needs the folder
at the same place, on a shared file system.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from configs.errors import DraftlineError, InputError, install
from configs.settings import Settings
from ingest.chunk import make_chunks
from ingest.plan import Task
from ingest.pool import WorkerPool, worker_count
from ingest.prepare import Outcome, Prepared

Row = dict[str, Any]
"""``place``: of the task; ``item``: a pickled outcome, or nothing when the task is done."""

TASKS_AT_ONCE = 8
OUTCOMES_AT_ONCE = 16
PATIENCE_S = 10.0
"""Within which a cluster has to answer."""


class RayPool:
    """Takes the place of a `WorkerPool`; the documents that it gives have their vectors already.

    Args:
        chunked: False: nothing is cut or embedded.

    Raises:
        InputError: the extra ``ray`` is not installed, or the cluster cannot be reached.
    """

    def __init__(self, settings: Settings, tasks: int, *, chunked: bool = True) -> None:
        self._settings, self._chunked = settings, chunked
        self._actors = max(1, min(tasks, worker_count(settings)))

    def __enter__(self) -> RayPool:
        try:
            import ray
            from ray.data import DataContext
        except ImportError:
            raise InputError(f"--engine ray needs the extra: {install('ray')}") from None
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # its warnings are about its own retries
        self._started = not ray.is_initialized()
        if self._started:
            address = self._settings.ingest.ray_address
            check_reachable(address)
            try:
                # Actors that wait for each other's cores would wait for ever.
                cores = None if address else self._actors + self._settings.ingest.ray_embedders + 1
                ray.init(address, num_cpus=cores, log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise InputError(f"the Ray cluster {address or '(local)'} cannot be used: {error}") from None
        free = int(ray.cluster_resources().get("CPU", 1)) - self._settings.ingest.ray_embedders
        self._actors = max(1, min(self._actors, free))
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.verbose_progress = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._started:
            import ray

            ray.shutdown()

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Outcome | None]]:
        """See `WorkerPool.run`."""
        if not tasks:
            return
        from ray import data
        from ray.data import ActorPoolStrategy

        rows = data.from_items(
            [{"place": place, "item": pickle.dumps(task)} for place, task in enumerate(tasks)]
        )
        parts = max(1, min(len(tasks) // TASKS_AT_ONCE, 8 * self._actors))
        actors = min(self._actors, parts)
        rows = rows.repartition(parts).map_batches(
            _Converting,
            batch_size=TASKS_AT_ONCE,
            compute=ActorPoolStrategy(size=actors),
            fn_constructor_args=(self._settings, self._chunked),
        )
        if self._chunked:
            rows = rows.map_batches(
                _Embedding,
                batch_size=OUTCOMES_AT_ONCE,
                compute=ActorPoolStrategy(size=self._settings.ingest.ray_embedders),
                num_gpus=self._settings.ingest.ray_gpus or None,
                fn_constructor_args=(self._settings,),
            )
        for row in rows.iter_rows():
            item = row["item"]
            yield tasks[row["place"]], pickle.loads(item) if item else None


def check_reachable(address: str | None) -> None:
    """Ray itself would try for ever.

    Raises:
        InputError: nobody listens at a host and port.
    """
    parts = urlsplit(address if address and "://" in address else f"//{address or ''}")
    try:
        port = parts.port
    except ValueError:
        raise InputError(f"ingest.ray_address = {address!r} is no address: host:port") from None
    if not parts.hostname or port is None:
        return  # Ray's own words for where it looks: "auto", "local"
    try:
        with socket.create_connection((parts.hostname, port), timeout=PATIENCE_S):
            pass
    except OSError as error:
        raise InputError(
            f"the Ray cluster at {address} (ingest.ray_address) cannot be reached: {error.strerror or error}"
        ) from None


class _Converting:
    """An actor that prepares files as a local run does, in a worker process of its own."""

    def __init__(self, settings: Settings, chunked: bool) -> None:
        ingest = settings.ingest.model_copy(update={"workers": 1})
        self._pool = WorkerPool(settings.model_copy(update={"ingest": ingest}), 1, chunked=chunked)

    def __call__(self, batch: Row) -> Row:
        places, items = [], []
        for place, item in zip(batch["place"].tolist(), batch["item"].tolist(), strict=True):
            try:
                for _, outcome in self._pool.run([pickle.loads(item)]):
                    places.append(place)
                    items.append(pickle.dumps(outcome) if outcome is not None else b"")
            except DraftlineError as error:
                raise RuntimeError(str(error)) from error
        return {"place": np.array(places), "item": np.array(items, dtype=object)}


class _Embedding:
    """An actor that embeds the chunks of prepared documents."""

    def __init__(self, settings: Settings) -> None:
        from retrieve.embed import load_embedder

        self._embedder = load_embedder(settings)
        self._size = settings.ingest.embed_batch

    def __call__(self, batch: Row) -> Row:
        items = [pickle.loads(item) if item else None for item in batch["item"].tolist()]
        prepared = [item for item in items if isinstance(item, Prepared)]
        texts = [chunk.embedding_text() for one in prepared for chunk in make_chunks(one.document, one.spans)]
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]), reverse=True)
        vectors = np.zeros((len(texts), self._embedder.dimension), dtype=np.float32)
        for start in range(0, len(order), self._size):
            places = order[start : start + self._size]
            vectors[places] = self._embedder.embed_documents([texts[place] for place in places])
        end, done = 0, []
        for item in items:
            start, end = end, end + (len(item.spans) if isinstance(item, Prepared) else 0)
            whole = replace(item, vectors=vectors[start:end]) if isinstance(item, Prepared) else item
            done.append(pickle.dumps(whole) if whole is not None else b"")
        return {"place": batch["place"], "item": np.array(done, dtype=object)}
