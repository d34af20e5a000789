"""Which of a context's keys and values a sparse draft keeps.

Both policies give positions in the order in which they may be lost again: the first `SINKS` stay, then
whoever stands nearer to the front goes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

from generate.engine.batch import PackedBatch, Segment, slots_of
from generate.engine.blocks import BlockPool
from generate.engine.kv_cache import KVCache
from generate.engine.request import Request, SamplingParams
from generate.engine.runner import ModelRunner
from generate.engine.window import SINKS

WINDOW = 32
"""Last tokens of a prompt whose queries tell what matters in it."""
POOLED = 5
"""Neighbours over which scores are averaged, so that what is kept is more than single words."""


def streaming(count: int, budget: int) -> Tensor:
    """The first tokens, which all attention leans on, and the most recent (arXiv 2309.17453, section 3.2).

    Returns:
        Positions, (min(count, budget),), ascending.
    """
    positions = torch.arange(count)
    return torch.cat([positions[:SINKS], positions[SINKS:][SINKS - budget :]])


def attention_scores(queries: Tensor, keys: Tensor, scaling: float | None) -> Tensor:
    """How much the last tokens of a prompt attend to those before them (SnapKV, arXiv 2404.14469, section 4).

    Args:
        queries: (heads, window, head_dim), of the last ``window`` tokens.
        keys: (count, kv_heads, head_dim), of the whole prompt.

    Returns:
        (kv_heads, count - window): attention summed over the window's tokens and the heads that share a
        key, averaged over neighbours.
    """
    window, (count, kv_heads, head_dim) = queries.shape[1], keys.shape
    scale = head_dim**-0.5 if scaling is None else scaling
    future = torch.ones(window, window, dtype=torch.bool, device=keys.device).triu(1)
    sums = []
    for head, group in enumerate(queries.chunk(kv_heads)):  # head by head: the products are large
        products = (group @ keys[:, head].T).float() * scale
        products[..., count - window :].masked_fill_(future, -torch.inf)
        sums.append(products.softmax(-1)[..., : count - window].sum((0, 1)))
    return avg_pool1d(torch.stack(sums), POOLED, stride=1, padding=POOLED // 2)


def snapkv(scores: Tensor, budget: int) -> Tensor:
    """What the last tokens of a prompt attend to most, and these tokens themselves.

    Args:
        scores: (kv_heads, count - `WINDOW`), by `attention_scores`; at least ``budget`` - `WINDOW` of them.

    Returns:
        Positions, (kv_heads, budget): the best `SINKS`, then the worst first, then the window.
    """
    kv_heads, before = scores.shape
    best = scores.topk(budget - WINDOW).indices
    window = torch.arange(before, before + WINDOW, device=scores.device).expand(kv_heads, WINDOW)
    return torch.cat([best[:, :SINKS], best[:, SINKS:].flip(1), window], 1)


def select_by_attention(
    runner: ModelRunner, cache: KVCache, pool: BlockPool, requests: Sequence[Request], budget: int
) -> list[Tensor] | None:
    """`snapkv` in every layer, for requests whose contexts of more than ``budget`` tokens are in the cache.

    Their last `WINDOW` computed tokens are run once more, only for their queries; what K/V this pass
    writes goes to blocks that are free.

    Returns:
        Positions for each request, (layers, kv_heads, budget); None: no free blocks.
    """
    scratch = Request((), SamplingParams())
    if not pool.grow(scratch, len(requests) * WINDOW):
        return None
    ids: list[int] = []
    positions: list[int] = []
    segments: list[Segment] = []
    for request in requests:
        begin, start = len(ids), request.computed - WINDOW
        ids += request.tokens[start : request.computed]
        positions += range(start, request.computed)
        context = slots_of(request.block_table, request.computed, pool.block_size).to(runner.device)
        segments.append(Segment(begin, len(ids), context))
    found = [
        torch.empty(runner.layers, runner.kv_heads, budget, dtype=torch.long, device=runner.device)
        for _ in requests
    ]

    def observe(layer: int, queries: Tensor, scaling: float | None) -> None:
        for segment, chosen in zip(segments, found, strict=True):
            keys, _ = cache.read(layer, segment.slots)
            scores = attention_scores(queries[:, segment.begin : segment.end], keys, scaling)
            chosen[layer] = snapkv(scores, budget)

    batch = PackedBatch(
        cache=cache,
        input_ids=torch.tensor(ids, device=runner.device),
        positions=torch.tensor(positions, device=runner.device),
        slots=slots_of(scratch.block_table, len(ids), pool.block_size).to(runner.device),
        segments=tuple(segments),
        logit_rows=torch.zeros(0, dtype=torch.long, device=runner.device),
        observer=observe,
    )
    try:
        runner.forward(batch)
    finally:
        pool.release(scratch)
    return found


def layer_windows(config: Any, layers: int) -> list[int | None]:
    """How many positions each layer of a text model sees; None for all."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None) or ["sliding_attention"] * layers
    return [window if kind == "sliding_attention" else None for kind in kinds]
