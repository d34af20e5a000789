"""Attention on the CPU that reads the paged cache where it lies.

A context is a few spans of neighbouring slots: long ones are read in place, and only what lies
scattered is gathered first. The query heads that share a KV head, and all rows of a token tree, are
the rows of one matrix product, so that keys and values are read once for all of them. Where spans lie
and what is hidden from whom is worked out once a step; `generate.engine.attention` is the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from generate.engine import attention
from generate.engine.batch import PackedBatch, Segment
from generate.engine.kv_cache import KVCache

MIN_SPAN = 128
"""Shorter runs of slots are gathered: a matrix product for each would cost more than the copy."""
BLOCK_ROWS = 96
"""Queries, heads of a group included, whose scores still fit the processor's caches."""


@dataclass(frozen=True)
class Span:
    """Keys of a context that are read together: slots ``first`` to before ``last``, or those listed."""

    first: int
    last: int
    scattered: Tensor | None = None

    def __len__(self) -> int:
        return self.last - self.first if self.scattered is None else len(self.scattered)

    def read(self, cache: KVCache, layer: int) -> tuple[Tensor, Tensor]:
        """Keys and values, (kv_heads, tokens, head_dim) each."""
        if self.scattered is None:
            keys, values = cache.view(layer, self.first, self.last)
        else:
            keys, values = cache.read(layer, self.scattered)
        return keys.transpose(0, 1), values.transpose(0, 1)


@dataclass(frozen=True)
class Block:
    """Rows of one segment that attend together: ``begin:end`` of the packed rows.

    ``hidden`` (rows, 1, tokens) says of the last tokens of the context which of them a row does not
    see; all rows see the tokens before. None where every row sees everything.
    """

    begin: int
    end: int
    spans: tuple[Span, ...]
    hidden: Tensor | None


def plan(step: PackedBatch, window: int | None, group: int) -> tuple[Block, ...]:
    """The blocks of a step for layers with this window; worked out once and kept with the batch."""
    key = (plan, window, group)
    if key not in step.plans:
        step.plans[key] = tuple(
            block for segment in step.segments for block in _blocks(segment, window, group)
        )
    blocks: tuple[Block, ...] = step.plans[key]
    return blocks


def _blocks(segment: Segment, window: int | None, group: int) -> list[Block]:
    """A tree is one block, a stretch is cut; layers without a window hide none but the block's own rows."""
    slots, count, length = segment.slots, segment.end - segment.begin, len(segment.slots)
    if segment.ancestors is not None:
        seen = attention.tree_mask(segment.ancestors, count if window is None else length, window)
        return [Block(segment.begin, segment.end, spans(slots), ~seen[:, None])]
    blocks = []
    size = max(1, BLOCK_ROWS // group)
    for begin in range(0, count, size):
        end = min(begin + size, count)
        rows, last = end - begin, length - count + end
        first = 0 if window is None else max(0, last - rows - window + 1)
        mask = attention.causal_mask(rows, rows if window is None else last - first, window, slots.device)
        hidden = None if mask is None else ~mask[:, None]
        blocks.append(Block(segment.begin + begin, segment.begin + end, spans(slots[first:last]), hidden))
    return blocks


def spans(slots: Tensor) -> tuple[Span, ...]:
    """Cut a context into spans, in its order."""
    cuts = (torch.diff(slots) != 1).nonzero().flatten() + 1
    edges = [0, *cuts.tolist(), len(slots)]
    alone = len(edges) == 2
    found: list[Span] = []
    covered = 0
    for begin, end in pairwise(edges):
        if alone or end - begin >= MIN_SPAN:
            if covered < begin:
                found.append(Span(0, 0, slots[covered:begin]))
            first = int(slots[begin])
            found.append(Span(first, first + end - begin))
            covered = end
    if covered < len(slots):
        found.append(Span(0, 0, slots[covered:]))
    return tuple(found)


def attend(queries: Tensor, layer: int, cache: KVCache, blocks: Sequence[Block]) -> Tensor:
    """Attend the queries of a step to what is in the cache.

    Args:
        queries: (kv_heads, T, group, head_dim), contiguous, with attention's scale applied.

    Returns:
        The same shape; zero for rows that are in no block.
    """
    kv_heads, count, group, head_dim = queries.shape
    lines = queries.view(kv_heads, count * group, head_dim)
    if len(blocks) == 1 and blocks[0].end - blocks[0].begin == count:
        return _attend(lines, layer, cache, blocks[0]).view(queries.shape)
    out = torch.zeros_like(lines)
    for block in blocks:
        rows = slice(block.begin * group, block.end * group)
        out[:, rows] = _attend(lines[:, rows], layer, cache, block)
    return out.view(queries.shape)


def _attend(lines: Tensor, layer: int, cache: KVCache, block: Block) -> Tensor:
    """``lines`` (kv_heads, rows * group, head_dim): all queries of the block, the group's heads innermost."""
    read = [span.read(cache, layer) for span in block.spans]
    products = [torch.bmm(lines, keys.transpose(1, 2)) for keys, _ in read]
    scores = products[0] if len(products) == 1 else torch.cat(products, 2)
    if block.hidden is not None:
        rows, _, last = block.hidden.shape
        by_row = scores.view(len(scores), rows, -1, scores.shape[2])
        by_row[..., -last:].masked_fill_(block.hidden, -torch.inf)
    shares = torch.softmax(scores, 2)
    begin = len(block.spans[0])
    out = torch.bmm(shares[..., :begin], read[0][1])
    for span, (_, values) in zip(block.spans[1:], read[1:], strict=True):
        out.baddbmm_(shares[..., begin : begin + len(span)], values)
        begin += len(span)
    return out
