"""Paged attention on CUDA: the same as `generate.engine.attention`, in Triton kernels.

Keys and values are read where they lie in the paged cache, once for all query heads that share them,
by as many programs as the context is long. A segment may be a stretch of tokens of any length (a
chunk of a prefill, a decode step) or a token tree; neither is copied, padded or repeated.

The launch depends on host-side numbers alone, those of an `AttentionPlan`, and nothing here waits for
the device. Under ``TRITON_INTERPRET=1`` the kernels run on the CPU, slowly.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor
from transformers import AttentionInterface

from generate.engine.batch import PackedBatch
from generate.engine.triton_attention_kernels import attend, combine
from generate.engine.triton_attention_plan import AttentionPlan, Tiling
from generate.engine.window import Window

NAME = "draftline_triton"
EVERYWHERE = 2**30
"""Positions from which sinks are seen where nothing bounds that; can be subtracted from any position."""


def register() -> str:
    """Make the Triton attention known to transformers; returns its name."""
    AttentionInterface.register(NAME, triton_paged_attention)
    return NAME


def triton_paged_attention(
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
    """Attend a packed step; arguments and result are those of `attention.paged_attention`."""
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    if step.observer is not None:
        step.observer(layer, query[0], scaling)
    step.cache.write(layer, step.slots, key[0].transpose(0, 1), value[0].transpose(0, 1))
    group = query.shape[1] // key.shape[1]
    height = Tiling.of(query.shape[3], query.dtype).max_height
    view = Window.of(sliding_window, attention_window)
    recent = None if view is None else view.recent
    kind = (AttentionPlan, group, recent, height)
    if kind not in step.plans:
        step.plans[kind] = AttentionPlan.build(
            step.segments,
            step.block_size,
            query.device,
            group=group,
            window=recent,
            max_height=height,
        )
    out = paged_attend(
        query[0].transpose(0, 1),
        step.cache.keys[layer],
        step.cache.values[layer],
        step.plans[kind],
        step.block_size,
        scaling=scaling,
        window=view,
        softcap=softcap,
    )
    return out.unsqueeze(0), None


def paged_attend(
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    plan: AttentionPlan,
    block_size: int,
    *,
    scaling: float | None = None,
    window: Window | None = None,
    softcap: float | None = None,
) -> Tensor:
    """Attend the queries of a plan to what is in the cache.

    Args:
        query: (rows, heads, head_dim), any strides but the last, which is 1.
        keys: (slots, kv_heads, head_dim), contiguous; ``values`` alike.
        plan: built with the same ``block_size``, recent tokens and heads a KV head.

    Returns:
        (rows, heads, head_dim), contiguous, of the query's type.
    """
    count, heads, head_dim = query.shape
    kv_heads, shape = keys.shape[1], plan.shape
    tiling = Tiling.of(head_dim, keys.dtype)
    if query.stride(2) != 1:
        query = query.contiguous()
    out = query.new_zeros(count, heads, head_dim) if plan.padded else query.new_empty(count, heads, head_dim)
    if not shape.tiles:
        return out
    partial_out = query.new_empty(shape.partials, heads, head_dim, dtype=torch.float32)
    partial_log = query.new_empty(shape.partials, heads, dtype=torch.float32)
    attend[(shape.tiles, kv_heads, shape.splits)](
        query,
        keys,
        values,
        out,
        partial_out,
        partial_log,
        plan.tiles,
        plan.segments,
        plan.rows,
        plan.blocks,
        plan.ancestors,
        head_dim**-0.5 if scaling is None else scaling,
        0 if window is None else window.recent,
        EVERYWHERE if window is None or window.reach is None else window.reach,
        query.stride(0),
        query.stride(1),
        HEADS=heads,
        GROUP=heads // kv_heads,
        HEAD_DIM=head_dim,
        WORDS=shape.words,
        BLOCK_SIZE=block_size,
        WINDOWED=window is not None,
        SINKS=0 if window is None else window.sinks,
        SOFTCAP=softcap or 0.0,
        UPCAST=not isinstance(attend, triton.JITFunction),  # interpreted: no dot product of bfloat16 there
        LANES=shape.height,
        KEYS=tiling.keys,
        WIDTH=tiling.width,
        num_warps=tiling.warps(shape.height),
        num_stages=3,
    )
    if shape.joined:
        combine[(shape.joined, heads)](
            out,
            partial_out,
            partial_log,
            plan.rows,
            plan.joined,
            HEADS=heads,
            HEAD_DIM=head_dim,
            WIDTH=tiling.width,
            num_warps=2,
        )
    return out
