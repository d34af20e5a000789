"""A step's tokens, packed: requests of any length side by side in one row, without padding."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from generate.engine.kv_cache import KVCache
from generate.engine.scheduler import Scheduled

Observer = Callable[[int, Tensor, float | None], None]
"""``observer(layer, queries, scaling)``: sees a layer's queries, (heads, T, head_dim), with their rotary
positions applied, and what their products with keys are multiplied with (None: head_dim ** -0.5)."""


@dataclass(frozen=True)
class Segment:
    """One request's part of the packed row: a stretch of its tokens, or a token tree.

    Its queries are rows ``begin:end``; its context is ``slots`` (all its tokens so far, the
    queries' own at the end). In a stretch query ``i`` of ``n`` sees the first
    ``len(slots) - n + i + 1`` slots. In a tree, ``ancestors`` (n, n) says which of the n rows row
    ``i`` sees, itself included; all rows see the slots before these. Row 0 is the tree's root.
    """

    begin: int
    end: int
    slots: Tensor
    ancestors: Tensor | None = None


@dataclass(frozen=True)
class PackedBatch:
    """Input of one forward pass over T tokens; also the context that attention reads.

    Shapes: ``input_ids``, ``positions`` and ``slots`` (T,); ``logit_rows`` (rows,), the packed
    rows whose logits are wanted: of every segment that samples its last token and the tree below it.
    """

    cache: KVCache
    input_ids: Tensor
    positions: Tensor
    slots: Tensor
    segments: tuple[Segment, ...]
    logit_rows: Tensor
    block_size: int = 1
    """Tokens of a segment that lie side by side in the cache; 1: its slots may lie in any order."""
    plans: dict[Hashable, Any] = field(default_factory=dict, compare=False)
    """What an attention computes from the segments once and all its layers use."""
    observer: Observer | None = None
    """Called by every layer's attention, for those who want to know what the step looks for."""


def pack(step: Sequence[Scheduled], cache: KVCache, block_size: int, device: torch.device) -> PackedBatch:
    """Lay out the scheduled tokens of a step, in its order; a tree's nodes follow their root."""
    ids: list[int] = []
    positions: list[int] = []
    segments: list[Segment] = []
    rows: list[int] = []
    own_slots: list[Tensor] = []
    for share in step:
        begin, tree = len(ids), share.tree
        ids += [*share.request.tokens[share.start : share.end], *tree.tokens]
        positions += [*range(share.start, share.end), *(share.end - 1 + depth for depth in tree.depths)]
        slots = slots_of(share.request.block_table, share.end + len(tree), block_size)
        own_slots.append(slots[share.start :])
        ancestors = tree.ancestors().to(device) if len(tree) else None
        segments.append(Segment(begin, len(ids), slots.to(device), ancestors))
        if share.samples:
            rows += range(len(ids) - 1 - len(tree), len(ids))
    return PackedBatch(
        cache=cache,
        input_ids=torch.tensor(ids, device=device),
        positions=torch.tensor(positions, device=device),
        slots=torch.cat(own_slots).to(device),
        segments=tuple(segments),
        logit_rows=torch.tensor(rows, dtype=torch.long, device=device),
        block_size=block_size,
    )


def slots_of(block_table: Sequence[int], length: int, block_size: int) -> Tensor:
    """Cache slots of a request's first ``length`` tokens, shape (length,)."""
    blocks = torch.tensor(block_table[: -(-length // block_size)])
    return (blocks[:, None] * block_size + torch.arange(block_size)).flatten()[:length]
