"""What a launch of the Triton attention needs to know of a step, computed once for all layers.

Knows nothing of Triton: segments go in, small int32 tensors and the sizes of the launch come out.
The sizes are host-side numbers, so a launch waits for nothing; a plan padded to the sizes of a bucket
can be captured in a CUDA graph and refilled with `AttentionPlan.copy_`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from generate.engine.batch import Segment

MIN_HEIGHT = 16
"""Lanes of the smallest tile: what the tensor cores multiply at least."""
MIN_SPLIT_KEYS = 256
WORD = 32

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Tiling:
    """Sizes of what a program works on, such that it stays in registers and 99 KiB of shared memory.

    Found by compiling for compute capabilities 8.0 and 9.0. 16-bit products are the tensor cores' work;
    float32 must be exact, so its products are computed one by one and take more registers.
    """

    width: int
    """A head's size as the kernels hold it: a power of two, at least what the tensor cores take."""
    keys: int
    """Keys a step of the online softmax."""
    max_height: int
    """Lanes of the largest tile."""
    small: int
    """Up to so many numbers in a tile of results, four warps do; above, eight."""

    @classmethod
    def of(cls, head_dim: int, dtype: torch.dtype) -> Tiling:
        width = max(16, _power_of_two(head_dim))
        if dtype.itemsize == 2:
            return cls(width, max(16, min(64, 8192 // width)), 128 if width <= 128 else 64, 4096)
        return cls(width, max(16, min(64, 2048 // width)), min(64, max(32, 4096 // width)), 1024)

    def warps(self, height: int) -> int:
        return 4 if height * self.width <= self.small else 8


@dataclass(frozen=True)
class PlanShape:
    """Sizes of a plan's tensors and of its launch.

    A lane is one query head of one row; the lanes of a row that share a KV head lie side by side,
    and a tile is ``height`` consecutive lanes of one segment.
    """

    height: int
    tiles: int
    segments: int
    rows: int
    blocks: int
    words: int
    splits: int
    """The most parts that a segment's keys are cut into."""
    joined: int
    """Rows of the segments in more than one part."""
    partials: int
    """Intermediate results: for every such row as many as its segment has parts."""

    def holds(self, other: PlanShape) -> bool:
        """Whether a plan of the other shape can be padded to this one."""
        enough = all(getattr(self, size.name) >= getattr(other, size.name) for size in fields(self))
        return enough and self.height == other.height


@dataclass(frozen=True)
class AttentionPlan:
    """A step's segments as the kernels read them; int32 tensors on the device of the cache.

    Segments may have no rows. Rows that belong to no segment are left alone, or zero if ``padded``.
    """

    shape: PlanShape
    padded: bool
    tiles: Tensor
    """(tiles, 2): segment and first lane; of padding -1."""
    segments: Tensor
    """(segments, 7): first row, rows, context (tokens before these), first entry in ``blocks``, keys a
    part, parts, whether it is a tree."""
    rows: Tensor
    """(rows, 3): position, first intermediate result, parts."""
    joined: Tensor
    """(joined,): the rows whose parts are joined; of padding -1."""
    blocks: Tensor
    """(blocks,): the segments' block tables, end to end."""
    ancestors: Tensor
    """(rows, words): bit ``j`` of a tree's row says that it sees the tree's row ``j``."""

    @classmethod
    def build(
        cls,
        segments: Sequence[Segment],
        block_size: int,
        device: torch.device,
        *,
        group: int,
        window: int | None = None,
        max_height: int = 64,
        shape: PlanShape | None = None,
    ) -> AttentionPlan:
        """Lay out a step.

        A segment's keys are cut into parts whose size follows from its own rows: the intermediate
        results then stay below an eighth of the keys and values that are read for them (if of
        16 bits), and neighbours in the batch do not change where a sum is cut.

        Args:
            block_size: tokens a cache block. Segments whose slots lie in no order take 1.
            group: query heads that share a KV head.
            window: how many positions a query sees, its own included; None for all.
            max_height: lanes of the largest tile, a power of two.
            shape: sizes to pad to; must hold the step. None: as small as can be.
        """
        host = _HostPlan(segments, block_size, group, window, max_height)
        rows = _upload(host.rows, device)
        tables = [segment.slots[::block_size] for segment in segments] or [rows[:0, 0]]
        plan = cls(
            shape=host.shape,
            padded=False,
            tiles=_upload(host.tiles, device),
            segments=_upload(host.segments, device),
            rows=rows,
            joined=_upload(host.joined, device),
            blocks=(torch.cat(tables) // block_size).to(device, torch.int32),
            ancestors=_plant_trees(segments, rows, host.shape.words),
        )
        return plan if shape is None else plan.pad_to(shape)

    def pad_to(self, shape: PlanShape) -> AttentionPlan:
        """The same step in tensors of another shape, which must hold this one."""
        assert shape.holds(self.shape), f"{self.shape} does not fit {shape}"
        rows, words = shape.rows - self.shape.rows, shape.words - self.shape.words
        return replace(
            self,
            shape=shape,
            padded=True,
            tiles=pad(self.tiles, (0, 0, 0, shape.tiles - self.shape.tiles), value=-1),
            segments=pad(self.segments, (0, 0, 0, shape.segments - self.shape.segments)),
            rows=pad(self.rows, (0, 0, 0, rows)),
            joined=pad(self.joined, (0, shape.joined - self.shape.joined), value=-1),
            blocks=pad(self.blocks, (0, shape.blocks - self.shape.blocks)),
            ancestors=pad(self.ancestors, (0, words, 0, rows)),
        )

    def copy_(self, other: AttentionPlan) -> None:
        """Take over another plan of the same shape, in place: how a captured graph gets its step."""
        assert self.shape == other.shape
        for name in ("tiles", "segments", "rows", "joined", "blocks", "ancestors"):
            getattr(self, name).copy_(getattr(other, name))


class _HostPlan:
    """The part of a plan that follows from numbers which the host knows."""

    def __init__(
        self, segments: Sequence[Segment], block_size: int, group: int, window: int | None, max_height: int
    ) -> None:
        begin = _ints(segment.begin for segment in segments)
        count = _ints(segment.end - segment.begin for segment in segments)
        length = _ints(len(segment.slots) for segment in segments)
        tree = _ints(segment.ancestors is not None for segment in segments)
        context, lanes, tables = length - count, count * group, -(-length // block_size)
        height = min(max(MIN_HEIGHT, _power_of_two(int(lanes.max(initial=1)))), max_height)
        split_keys = _ints(max(MIN_SPLIT_KEYS, 16 * _power_of_two(n)) for n in lanes.tolist())
        splits = np.maximum(1, -(-length // split_keys))
        if window is not None:  # the parts that a tile can see something of
            splits = np.minimum(splits, 1 - (-(window + count) // split_keys))
        partials = np.where(splits > 1, count * splits, 0)

        self.segments = _columns(begin, count, context, _starts(tables), split_keys, splits, tree)
        tiles = -(-lanes // height)
        owner, number = _spread(tiles)
        self.tiles = _columns(owner, number * height)
        self.rows = np.zeros((int((begin + count).max(initial=0)), 3), np.int32)
        owner, number = _spread(count)
        row, first_partial = begin[owner] + number, _starts(partials)[owner] + number * splits[owner]
        # How deep a tree's row is, and the row itself, is added by its ancestors.
        position = np.where(tree[owner], context[owner] - 1, context[owner] + number)
        self.rows[row] = _columns(position, first_partial, splits[owner])
        self.joined = row[splits[owner] > 1].astype(np.int32)
        self.shape = PlanShape(
            height=height,
            tiles=len(self.tiles),
            segments=len(segments),
            rows=len(self.rows),
            blocks=int(tables.sum()),
            words=-(-max(1, int((tree * count).max(initial=1))) // WORD),
            splits=int(splits.max(initial=1)),
            joined=len(self.joined),
            partials=int(partials.sum()),
        )


def _plant_trees(segments: Sequence[Segment], rows: Tensor, words: int) -> Tensor:
    """Who sees whom in trees, in bits (rows, words); the depths are added to the rows' positions."""
    if all(segment.ancestors is None for segment in segments):
        return rows.new_zeros(len(rows), words)
    seen = torch.zeros(len(rows), words * WORD, dtype=torch.bool, device=rows.device)
    for segment in segments:
        if segment.ancestors is not None:
            seen[segment.begin : segment.end, : len(segment.ancestors)] = segment.ancestors
    rows[:, 0] += seen.sum(1, dtype=torch.int32)
    bits = seen.view(len(rows), words, WORD).long() << torch.arange(WORD, device=rows.device)
    return bits.sum(2).to(torch.int32)


def _upload(numbers: Ints, device: torch.device) -> Tensor:
    tensor = torch.from_numpy(numbers)
    # The host goes on while pinned memory is copied; for other memory it would wait.
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def _ints(numbers: Iterable[int]) -> Ints:
    return np.fromiter(numbers, np.int32)


def _columns(*columns: Ints) -> Ints:
    return np.stack(columns, axis=1).astype(np.int32)


def _starts(sizes: Ints) -> Ints:
    """Where each of several lists laid end to end begins."""
    return np.cumsum(sizes, dtype=np.int32) - sizes


def _spread(sizes: Ints) -> tuple[Ints, Ints]:
    """For every element of lists laid end to end: which list it is of, and its place there."""
    owner = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    return owner, np.arange(len(owner), dtype=np.int32) - _starts(sizes)[owner]


def _power_of_two(number: int) -> int:
    """The smallest power of two that is no less."""
    return 1 << max(0, number - 1).bit_length()
