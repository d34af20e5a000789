"""Paged attention behind transformers' attention interface.

Every model family calls the attention function that is registered under a name; ours stores the
step's keys and values in the paged cache and attends each request's queries to its own context.
Rotary positions are applied before it is called, and grouped-query heads come unrepeated.
This is the reference implementation: any device, torch's scaled_dot_product_attention.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from generate.engine.batch import PackedBatch, Segment
from generate.engine.window import Window

NAME = "draftline_paged"


def register() -> str:
    """Make the paged attention known to transformers; returns its name."""
    AttentionInterface.register(NAME, paged_attention)
    return NAME


def paged_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    step: PackedBatch,
    attention_window: int | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attend a packed step.

    Args:
        module: the calling layer; its ``layer_idx`` picks the layer of the cache.
        query: (1, heads, T, head_dim); ``key`` and ``value``: (1, kv_heads, T, head_dim).
        step: the packed batch, handed through the model's forward by keyword.
        attention_window: recent tokens that a query sees beside the first, see `window`; None: all.
        sliding_window: how many tokens a query sees, itself included; None for all.
        softcap: squash scores to ``softcap * tanh(score / softcap)`` (Gemma 2).

    Returns:
        (1, T, heads, head_dim) and None in place of the weights.
    """
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    if step.observer is not None:
        step.observer(layer, query[0], scaling)
    step.cache.write(layer, step.slots, key[0].transpose(0, 1), value[0].transpose(0, 1))
    out = query.new_empty(query.shape[2], query.shape[1], query.shape[3])
    for segment in step.segments:
        queries = query[:, :, segment.begin : segment.end]
        attended = _attend(layer, queries, segment, step, attention_window, scaling, sliding_window, softcap)
        out[segment.begin : segment.end] = attended[0].transpose(0, 1)
    return out.unsqueeze(0), None


def _attend(
    layer: int,
    queries: Tensor,
    segment: Segment,
    step: PackedBatch,
    policy: int | None,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
) -> Tensor:
    view = Window.of(window, policy)
    if view is not None and view.sinks:
        kind = (view, segment.begin, segment.end)
        if kind not in step.plans:
            step.plans[kind] = view.narrow(segment)
        slots, mask = step.plans[kind]
    else:
        slots, mask = _in_sight(segment, window)
    keys, values = step.cache.read(layer, slots)
    keys, values = keys.transpose(0, 1).unsqueeze(0), values.transpose(0, 1).unsqueeze(0)
    grouped = queries.shape[1] != keys.shape[1]
    if softcap is not None:
        return _softcapped(queries, keys, values, mask, scaling, softcap)
    return scaled_dot_product_attention(queries, keys, values, mask, scale=scaling, enable_gqa=grouped)


def _in_sight(segment: Segment, window: int | None) -> tuple[Tensor, Tensor | None]:
    """The slots of which a segment's rows see some, and who sees which: (rows, slots); None: all do."""
    count, slots = segment.end - segment.begin, segment.slots
    if window is not None:  # the first query sees `window` tokens back, the last ones fewer of these
        slots = slots[max(0, len(slots) - count - window + 1) :]
    if segment.ancestors is None:
        return slots, causal_mask(count, len(slots), window, slots.device)
    return slots, tree_mask(segment.ancestors, len(slots), window)


def causal_mask(count: int, length: int, window: int | None, device: torch.device) -> Tensor | None:
    """Which of ``length`` keys the last ``count`` tokens see: (count, length), True = seen.

    None where the one query sees everything.
    """
    if count == 1 and (window is None or length <= window):
        return None
    query = torch.arange(length - count, length, device=device)[:, None]
    key = torch.arange(length, device=device)
    seen = key <= query
    return seen if window is None else seen & (key > query - window)


def tree_mask(ancestors: Tensor, length: int, window: int | None) -> Tensor:
    """Which of ``length`` keys the rows of a token tree see: (n, length), True = seen.

    Args:
        ancestors: (n, n), which of the tree's own rows each row sees; these are the last n keys.
        window: how many positions a row sees, its own included. A node stands as far behind the
            root as it is deep, whatever its row.
    """
    count = len(ancestors)
    depth = ancestors.sum(1) - 1
    seen = ancestors
    context = torch.arange(count - length, 0, device=ancestors.device)  # positions, the root's being 0
    before = torch.ones(count, len(context), dtype=torch.bool, device=ancestors.device)
    if window is not None:
        before = context > depth[:, None] - window
        seen = ancestors & (depth > depth[:, None] - window)
    return torch.cat([before, seen], 1)


def _softcapped(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, scaling: float | None, softcap: float
) -> Tensor:
    repeats = queries.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(repeats, 1), values.repeat_interleave(repeats, 1)
    scale = queries.shape[-1] ** -0.5 if scaling is None else scaling
    scores = softcap * torch.tanh(queries @ keys.transpose(2, 3) * scale / softcap)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(-1, dtype=torch.float32).to(values.dtype) @ values
