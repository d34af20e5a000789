"""The runner for CUDA: Triton attention, and decode steps replayed as CUDA graphs.

A decode step of a small model is hundreds of kernels that each take microseconds; launching them one
by one takes longer than running them. A captured graph launches them all at once, for the shapes it
was captured with, so steps are padded to buckets: sizes rounded up to powers of two. Padding writes
its keys and values to a slot of its own and is read by nobody. Prefill runs uncaptured: its kernels
are long.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from generate.engine import triton_attention
from generate.engine.batch import PackedBatch
from generate.engine.kv_cache import KVCache
from generate.engine.runner import ModelRunner
from generate.engine.triton_attention_plan import AttentionPlan, PlanShape

MAX_ROWS = 512
"""Steps of more rows are bound by their kernels, not by launching them."""
MAX_GRAPHS = 64

Run = Callable[[], Tensor]
Capture = Callable[[Run], tuple[Tensor, Callable[[], None]]]
"""Records what a function does; returns its result, and what does it again into the same memory."""


def cuda_capture() -> Capture:
    """Captures into CUDA graphs that share one memory pool."""
    pool = torch.cuda.graph_pool_handle()

    def capture(run: Run) -> tuple[Tensor, Callable[[], None]]:
        # Libraries set themselves up in their first calls, which a graph must not hold.
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                run()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            result = run()
        return result, graph.replay

    return capture


@dataclass(frozen=True)
class _Graph:
    """A captured step: memory to fill, and what to call then."""

    batch: PackedBatch
    logits: Tensor
    replay: Callable[[], None]


class CudaRunner(ModelRunner):
    """A model on CUDA.

    Args:
        model: on its device.
        capture: records a step; None captures nothing, so every step runs as it is.
        weights, attention_window: see `ModelRunner`.
    """

    def __init__(
        self,
        model: Any,
        capture: Capture | None,
        *,
        weights: str | None = None,
        attention_window: int | None = None,
    ) -> None:
        super().__init__(model, weights=weights, attention_window=attention_window)
        model.set_attn_implementation(triton_attention.register())
        self._capture = capture
        self._graphs: OrderedDict[Hashable, _Graph] = OrderedDict()
        self._kinds: list[Hashable] = []
        """The plans that the model's layers ask for: one for each window; known after a first step."""

    def new_cache(self, slots: int) -> KVCache:
        """An empty cache, with one slot more than asked for: padding is written there."""
        return super().new_cache(slots + 1)

    @torch.inference_mode()
    def forward(self, batch: PackedBatch) -> Tensor:
        decoding = all(
            segment.ancestors is not None or segment.end - segment.begin == 1 for segment in batch.segments
        )
        fits = len(batch.input_ids) == len(batch.logit_rows) <= MAX_ROWS
        if self._capture is None or batch.observer is not None or not (decoding and fits):
            return super().forward(batch)
        if not self._kinds:
            logits = super().forward(batch)
            self._kinds = list(batch.plans)
            return logits
        plans = {kind: _plan(kind, batch) for kind in self._kinds}
        rows = _bucket(len(batch.input_ids))
        shapes = {kind: _bucketed(plan.shape, rows) for kind, plan in plans.items()}
        key = (id(batch.cache), rows, *shapes.values())
        padded = _padded(batch, rows, {kind: plans[kind].pad_to(shapes[kind]) for kind in plans})
        graph = self._graphs.get(key)
        if graph is None:
            graph = self._record(padded, self._capture)
            self._graphs[key] = graph
            while len(self._graphs) > MAX_GRAPHS:
                self._graphs.popitem(last=False)
        else:
            _fill(graph.batch, padded)
        self._graphs.move_to_end(key)
        graph.replay()
        return graph.logits[: len(batch.input_ids)]

    def _record(self, batch: PackedBatch, capture: Capture) -> _Graph:
        def run() -> Tensor:
            return super(CudaRunner, self).forward(batch)

        logits, replay = capture(run)
        return _Graph(batch, logits, replay)


def _plan(kind: Any, batch: PackedBatch) -> AttentionPlan:
    """What the Triton attention would build for this kind, see `triton_attention`."""
    _, group, window, height = kind
    return AttentionPlan.build(
        batch.segments,
        batch.block_size,
        batch.input_ids.device,
        group=group,
        window=window,
        max_height=height,
    )


def _padded(batch: PackedBatch, rows: int, plans: dict[Hashable, Any]) -> PackedBatch:
    """The step with rows added that belong to no segment and write to the cache's last slot."""
    more = rows - len(batch.input_ids)
    return replace(
        batch,
        input_ids=pad(batch.input_ids, (0, more)),
        positions=pad(batch.positions, (0, more)),
        slots=pad(batch.slots, (0, more), value=len(batch.cache.keys[0]) - 1),
        segments=(),
        logit_rows=torch.arange(rows, device=batch.input_ids.device),
        plans=plans,
    )


def _fill(target: PackedBatch, source: PackedBatch) -> None:
    """Copy a step into the memory that a graph reads."""
    target.input_ids.copy_(source.input_ids)
    target.positions.copy_(source.positions)
    target.slots.copy_(source.slots)
    for kind, plan in source.plans.items():
        target.plans[kind].copy_(plan)


def _bucketed(shape: PlanShape, rows: int) -> PlanShape:
    return PlanShape(
        height=shape.height,
        tiles=_bucket(shape.tiles),
        segments=_bucket(shape.segments),
        rows=rows,
        blocks=_bucket(shape.blocks),
        words=_bucket(shape.words),
        splits=_bucket(shape.splits),
        joined=_bucket(shape.joined),
        partials=_bucket(shape.partials),
    )


def _bucket(size: int) -> int:
    """The next power of two; nothing stays nothing."""
    return 1 << (size - 1).bit_length() if size else 0
