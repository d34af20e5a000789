"""Attention on the CPU that reads the paged cache where it lies.

A context is a few spans of neighbouring slots: long ones are read in place, and only what lies
scattered is gathered first. Spans, and parts of long ones, are attended by themselves and merged by
their weights (flash decoding: https://crfm.stanford.edu/2023/10/12/flashdecoding.html), so that all
cores have work. The query heads that share a KV head, and all rows of a token tree, are rows of one
matrix, so that keys and values are read once for all of them. What depends on the segments alone is
worked out once a step; `generate.engine.attention` is the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import gcd

import torch
from torch import Tensor

from generate.engine import attention
from generate.engine.batch import PackedBatch, Segment
from generate.engine.kv_cache import HeadMajorCache

MIN_SPAN = 128
"""Shorter runs of slots are gathered: attending each by itself would cost more than the copy."""
BLOCK_ROWS = 128
"""Rows of a stretch that are attended together; what lies above the diagonal is computed in vain."""
MIN_PART = 512
"""Tokens of a part, at least; more than rows of a block or a tree, so that each sees some of every part."""
APART_ROWS = 24
"""From so many rows on a mask over the whole context costs more than merging what lies before the rows."""


@dataclass(frozen=True)
class Span:
    """Slots that are read or written together: ``first`` to before ``last``, or those listed.

    Read, they come in ``parts`` of equal length.
    """

    first: int
    last: int
    scattered: Tensor | None = None
    parts: int = 1

    @classmethod
    def of(cls, slots: Tensor, parts: int = 1) -> Span:
        """All of these slots, in place if they lie side by side."""
        first, last = int(slots[0]), int(slots[-1]) + 1
        if last - first == len(slots) and bool((torch.diff(slots) == 1).all()):
            return cls(first, last, None, parts)
        return cls(0, 0, slots, parts)

    def __len__(self) -> int:
        return self.last - self.first if self.scattered is None else len(self.scattered)

    def read(self, layer: int, cache: HeadMajorCache) -> Tensor:
        """Keys, then values: (parts, 2 * kv_heads, tokens, head_dim)."""
        if self.scattered is None:
            heads = cache.view(layer, self.first, self.last)
        else:
            heads = cache.gather(layer, self.scattered)
        if self.parts == 1:
            return heads.unsqueeze(0)
        return heads.view(len(heads), self.parts, -1, heads.shape[2]).transpose(0, 1)

    def write(self, layer: int, cache: HeadMajorCache, heads: Tensor) -> None:
        """Store ``heads`` (tokens, 2 * kv_heads, head_dim), keys before values."""
        if self.scattered is None:
            cache.view(layer, self.first, self.last).copy_(heads.transpose(0, 1))
        else:
            cache.put(layer, self.scattered, heads)


@dataclass(frozen=True)
class Block:
    """Rows of one segment that attend together: ``begin:end`` of the packed rows.

    ``mask`` is added to the scores of the last span: 0 or minus infinity, (parts, 1, rows * group, tokens).
    All rows see all of the other spans; None where they see all of the last one, too.
    """

    begin: int
    end: int
    spans: tuple[Span, ...]
    mask: Tensor | None


@dataclass(frozen=True)
class Plan:
    """What a step's attention needs to know, for all layers with the same window."""

    blocks: tuple[Block, ...]
    own: Span
    """Where the keys and values of the step's rows are stored."""

    @classmethod
    def of(cls, step: PackedBatch, window: int | None, group: int, kv_heads: int) -> Plan:
        """The step's plan, made once and kept with the batch.

        Args:
            window: how many tokens a query sees, itself included; None for all.
            group: query heads that share a KV head.
        """
        key = (cls, window)
        if key not in step.plans:
            parts = _parts(kv_heads)
            blocks = [block for segment in step.segments for block in _blocks(segment, window, group, parts)]
            step.plans[key] = cls(tuple(blocks), Span.of(step.slots))
        made: Plan = step.plans[key]
        return made


def _parts(kv_heads: int) -> int:
    """Into how many parts a long span is cut, so that these and the heads share out evenly to the cores."""
    threads = torch.get_num_threads()
    return threads // gcd(threads, kv_heads)


def _blocks(segment: Segment, window: int | None, group: int, parts: int) -> list[Block]:
    """A tree is one block, a stretch is cut."""
    count, length = segment.end - segment.begin, len(segment.slots)
    tree = segment.ancestors
    size = BLOCK_ROWS if tree is None else count
    blocks = []
    for begin in range(0, count, size):
        rows = min(size, count - begin)
        last = length - count + begin + rows
        bound = None if window is None or last <= window else window
        first = 0 if bound is None else max(0, last - rows - bound + 1)  # what the first row sees
        slots = segment.slots[first:last]
        masked = rows if bound is None else len(slots)
        if tree is None:
            seen = attention.causal_mask(rows, masked, bound, slots.device)
        else:
            seen = attention.tree_mask(tree, masked, bound)
        blocks.append(_block(segment.begin + begin, rows, slots, seen, group, parts))
    return blocks


def _block(begin: int, rows: int, slots: Tensor, seen: Tensor | None, group: int, parts: int) -> Block:
    """A block whose rows see of the last of these slots what ``seen`` says, and all before them."""
    if seen is None:
        return Block(begin, begin + rows, tuple(spans(slots, parts)), None)
    masked = seen.shape[1]
    if rows < APART_ROWS and Span.of(slots).scattered is None:
        found = spans(slots, parts)
    else:
        found = [*spans(slots[:-masked], parts), Span.of(slots[-masked:])]
    last = found[-1]
    assert last.parts == 1 or len(last) // last.parts > rows
    mask = torch.zeros(rows, len(last))
    mask[:, -masked:].masked_fill_(~seen, -torch.inf)
    by_part = mask.repeat_interleave(group, 0).view(rows * group, last.parts, -1).transpose(0, 1)
    return Block(begin, begin + rows, tuple(found), by_part.unsqueeze(1))


def spans(slots: Tensor, parts: int) -> list[Span]:
    """Cut what all rows see into spans; the long ones come in parts, less what does not divide.

    The order of such keys does not matter, and blocks that were freed are often given out backwards.
    """
    slots = slots.sort().values
    cuts = (torch.diff(slots) != 1).nonzero().flatten() + 1
    edges = [0, *cuts.tolist(), len(slots)]
    long = [(begin, end) for begin, end in pairwise(edges) if end - begin >= MIN_SPAN]
    short = [slots[begin:end] for begin, end in pairwise(edges) if 0 < end - begin < MIN_SPAN]
    found = [Span.of(torch.cat(short))] if short else []
    for begin, end in long:
        equal = max(1, min(parts, (end - begin) // MIN_PART))
        middle = begin + (end - begin) % equal
        found += [Span.of(slots[begin:middle])] if middle > begin else []
        found.append(Span.of(slots[middle:end], equal))
    return found


def attend(queries: Tensor, layer: int, cache: HeadMajorCache, plan: Plan) -> Tensor:
    """Attend the queries of a step to what is in the cache.

    Args:
        queries: (T, heads, head_dim), with attention's scale applied; the heads that share a KV head
            are ``kv_heads`` apart.

    Returns:
        (T, heads * head_dim); zero for rows that are in no block.
    """
    count, heads, head_dim = queries.shape
    kv_heads = cache.stores[layer].shape[0] // 2
    group = heads // kv_heads
    lines = queries.reshape(-1, kv_heads, head_dim).transpose(0, 1)
    if len(plan.blocks) == 1 and plan.blocks[0].end - plan.blocks[0].begin == count:
        out = _attend(lines, layer, cache, plan.blocks[0])
    else:
        out = torch.zeros_like(lines)
        for block in plan.blocks:
            rows = slice(block.begin * group, block.end * group)
            out[:, rows] = _attend(lines[:, rows], layer, cache, block)
    return out.transpose(0, 1).reshape(count, -1)


def _attend(lines: Tensor, layer: int, cache: HeadMajorCache, block: Block) -> Tensor:
    """Attend the queries of a block: (kv_heads, rows * group, head_dim)."""
    kv_heads = lines.shape[0]
    last = block.spans[-1]
    outs, weights = [], []
    for span in block.spans:
        heads = span.read(layer, cache)
        out, weight = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default(
            lines.expand(span.parts, -1, -1, -1),
            heads[:, :kv_heads],
            heads[:, kv_heads:],
            attn_mask=block.mask if span is last else None,
            scale=1.0,
        )
        outs.append(out)
        weights.append(weight)
    if len(outs) == last.parts == 1:
        only: Tensor = outs[0][0]
        return only
    out, weight = (torch.cat(outs), torch.cat(weights)) if len(outs) > 1 else (outs[0], weights[0])
    merged: Tensor = out.mul_(weight.softmax(0).unsqueeze(-1)).sum(0)
    return merged
