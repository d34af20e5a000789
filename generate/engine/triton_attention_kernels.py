"""The Triton kernels of paged attention: one pass over the keys, and one that joins its parts.

The online softmax and its split over the keys are those of FlashAttention-2 (arXiv 2307.08691,
section 3.1) and Flash-Decoding. A program reads a stretch of keys once for all query heads that share
them. Logarithms and exponentials are to the base 2, which is what the hardware computes.
"""

import triton
import triton.language as tl

LOG2_E = tl.constexpr(1.4426950408889634)
LOWEST = tl.constexpr(-1.0e38)
"""Where a running maximum begins: finite, so that it can be subtracted from itself."""
CHUNK = tl.constexpr(16)
"""Parts that are joined at once."""


@triton.jit
def attend(
    query,
    keys,
    values,
    out,
    partial_out,
    partial_log,
    tiles,
    segments,
    rows,
    blocks,
    ancestors,
    scale,
    window,
    reach,
    query_row,
    query_head,
    HEADS: tl.constexpr,
    GROUP: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    WORDS: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    WINDOWED: tl.constexpr,
    SINKS: tl.constexpr,
    SOFTCAP: tl.constexpr,
    UPCAST: tl.constexpr,
    LANES: tl.constexpr,
    KEYS: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """One tile of queries over one part of its keys, for one KV head: grid (tiles, KV heads, splits).

    Writes the attended values to ``out`` (rows, HEADS, HEAD_DIM) where the segment has one part, else
    the part's normalised values and the logarithm of its weight to the partial results.
    """
    owner = tl.load(tiles + 2 * tl.program_id(0))
    first = tl.load(tiles + 2 * tl.program_id(0) + 1)
    if first < 0:  # padding
        return
    kv_head = tl.program_id(1)
    split = tl.program_id(2)
    begin = tl.load(segments + 7 * owner)
    count = tl.load(segments + 7 * owner + 1)
    context = tl.load(segments + 7 * owner + 2)
    table = blocks + tl.load(segments + 7 * owner + 3)
    split_keys = tl.load(segments + 7 * owner + 4)
    splits = tl.load(segments + 7 * owner + 5)
    tree = tl.load(segments + 7 * owner + 6) != 0
    if split >= splits:
        return

    lane = first + tl.arange(0, LANES)
    row = lane // GROUP
    inside = row < count
    head = kv_head * GROUP + lane % GROUP
    column = tl.arange(0, WIDTH)
    cells = inside[:, None] & (column < HEAD_DIM)[None, :]
    position = tl.load(rows + 3 * (begin + row), mask=inside, other=0)
    queries = tl.load(
        query + ((begin + row).to(tl.int64) * query_row + head * query_head)[:, None] + column[None, :],
        mask=cells,
        other=0.0,
    )
    if UPCAST:
        queries = queries.to(tl.float32)

    # The keys that some lane may see; a tree's rows may see all rows of the tree.
    stop = context + tl.where(tree, count, tl.minimum(count, (first + LANES - 1) // GROUP + 1))
    start = 0
    if WINDOWED:
        start = tl.maximum(0, context + tl.where(tree, 0, first // GROUP) - window + 1)
    # Parts and steps begin at multiples of their size, whatever the tile: rounding then is the same.
    part = (start // split_keys + split) * split_keys
    start = tl.maximum(part, start // KEYS * KEYS)
    stop = tl.minimum(part + split_keys, stop)
    own = tl.maximum(start, tl.minimum(stop, context // KEYS * KEYS))

    peak = tl.full([LANES], LOWEST, tl.float32)
    total = tl.zeros([LANES], tl.float32)
    mixed = tl.zeros([LANES, WIDTH], tl.float32)
    if SINKS > 0:  # those that lie before the first part
        sunk = tl.where(split == 0, tl.minimum(start, SINKS), 0)
        for at in range(0, sunk, KEYS):
            key = at + tl.arange(0, KEYS)
            seen = _in_window(position, key[None, :], window, reach, SINKS)
            peak, total, mixed = _absorb(
                queries, keys, values, table, key, sunk, kv_head, seen, scale, peak, total, mixed,
                HEADS // GROUP, HEAD_DIM, BLOCK_SIZE, SOFTCAP, UPCAST, WIDTH,
            )  # fmt: skip
    for at in range(start, own, KEYS):  # before the segment's own rows: all see these
        key = at + tl.arange(0, KEYS)
        seen = tl.full([LANES, KEYS], True, tl.int1)
        if WINDOWED:
            seen = _in_window(position, key[None, :], window, reach, SINKS)
        peak, total, mixed = _absorb(
            queries, keys, values, table, key, stop, kv_head, seen, scale, peak, total, mixed,
            HEADS // GROUP, HEAD_DIM, BLOCK_SIZE, SOFTCAP, UPCAST, WIDTH,
        )  # fmt: skip
    for at in range(own, stop, KEYS):
        key = at + tl.arange(0, KEYS)
        seen = _sees(
            row, inside, position, key, rows, ancestors, begin, count, context, tree, window, reach,
            WORDS, WINDOWED, SINKS,
        )  # fmt: skip
        peak, total, mixed = _absorb(
            queries, keys, values, table, key, stop, kv_head, seen, scale, peak, total, mixed,
            HEADS // GROUP, HEAD_DIM, BLOCK_SIZE, SOFTCAP, UPCAST, WIDTH,
        )  # fmt: skip

    anything = total > 0
    mixed = mixed / tl.where(anything, total, 1.0)[:, None]
    if splits == 1:
        target = ((begin + row).to(tl.int64) * HEADS + head) * HEAD_DIM
        tl.store(out + target[:, None] + column[None, :], mixed.to(out.dtype.element_ty), mask=cells)
    else:
        partial = tl.load(rows + 3 * (begin + row) + 1, mask=inside, other=0) + split
        target = partial.to(tl.int64) * HEADS + head
        weight = tl.where(anything, peak + tl.log2(tl.where(anything, total, 1.0)), float("-inf"))
        tl.store(partial_log + target, weight, mask=inside)
        tl.store(partial_out + target[:, None] * HEAD_DIM + column[None, :], mixed, mask=cells)


@triton.jit
def _sees(
    row,
    inside,
    position,
    key,
    rows,
    ancestors,
    begin,
    count,
    context,
    tree,
    window,
    reach,
    WORDS: tl.constexpr,
    WINDOWED: tl.constexpr,
    SINKS: tl.constexpr,
):
    """Which lanes see which keys, (lanes, keys), where keys are the segment's own rows or before them."""
    own = key - context
    is_own = (own >= 0) & (own < count)
    # A tree's rows see what their bits say, picked out of few words rather than loaded one by one.
    word = tl.zeros([row.shape[0], key.shape[0]], tl.int32)
    for number in tl.static_range(WORDS):
        some = tl.load(ancestors + (begin + row) * WORDS + number, mask=inside & tree, other=0)
        word = tl.where((own // 32 == number)[None, :], some[:, None], word)
    ancestor = is_own[None, :] & (((word >> (own & 31)[None, :]) & 1) != 0)
    seen = (own < 0)[None, :] | tl.where(tree, ancestor, own[None, :] <= row[:, None])
    if WINDOWED:
        key_position = tl.load(rows + 3 * (begin + own), mask=is_own, other=0)
        key_position = tl.where(is_own, key_position, key)
        seen = seen & _in_window(position, key_position[None, :], window, reach, SINKS)
    return seen


@triton.jit
def _in_window(position, key, window, reach, SINKS: tl.constexpr):
    """Whether lanes at ``position`` (lanes,) see keys at ``key`` (1, keys), by `window.Window`."""
    seen = key > position[:, None] - window
    if SINKS > 0:
        seen = seen | ((key < SINKS) & (key > position[:, None] - reach))
    return seen


@triton.jit
def _absorb(
    queries,
    keys,
    values,
    table,
    key,
    stop,
    kv_head,
    seen,
    scale,
    peak,
    total,
    mixed,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    SOFTCAP: tl.constexpr,
    UPCAST: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """One step of the online softmax: a few keys and values more."""
    column = tl.arange(0, WIDTH)
    there = key < stop
    block = tl.load(table + key // BLOCK_SIZE, mask=there, other=0).to(tl.int64)
    source = ((block * BLOCK_SIZE + key % BLOCK_SIZE) * KV_HEADS + kv_head) * HEAD_DIM
    cells = there[:, None] & (column < HEAD_DIM)[None, :]
    some_keys = tl.load(keys + source[:, None] + column[None, :], mask=cells, other=0.0)
    some_values = tl.load(values + source[:, None] + column[None, :], mask=cells, other=0.0)
    if UPCAST:
        some_keys, some_values = some_keys.to(tl.float32), some_values.to(tl.float32)
    scores = tl.dot(queries, tl.trans(some_keys), input_precision="ieee") * scale
    if SOFTCAP > 0:
        # tanh by way of an exponential that cannot overflow
        shrunk = tl.exp2(tl.abs(scores) * (-2 * LOG2_E / SOFTCAP))
        capped = SOFTCAP * (1 - shrunk) / (1 + shrunk)
        scores = tl.where(scores < 0, -capped, capped)
    scores = tl.where(seen & there[None, :], scores * LOG2_E, float("-inf"))
    new_peak = tl.maximum(peak, tl.max(scores, 1))
    weights = tl.exp2(scores - new_peak[:, None])
    decay = tl.exp2(peak - new_peak)
    gained = tl.dot(weights.to(some_values.dtype), some_values, input_precision="ieee")
    return new_peak, total * decay + tl.sum(weights, 1), mixed * decay[:, None] + gained


@triton.jit
def combine(
    out,
    partial_out,
    partial_log,
    rows,
    joined,
    HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """Join the parts of one row and head: grid (joined rows, HEADS)."""
    row, head = tl.load(joined + tl.program_id(0)).to(tl.int64), tl.program_id(1)
    if row < 0:
        return
    first = tl.load(rows + 3 * row + 1).to(tl.int64)
    splits = tl.load(rows + 3 * row + 2)
    column = tl.arange(0, WIDTH)
    peak = LOWEST
    total = 0.0
    mixed = tl.zeros([WIDTH], tl.float32)
    for at in range(0, splits, CHUNK):
        split = at + tl.arange(0, CHUNK)
        source = (first + split) * HEADS + head
        weight = tl.load(partial_log + source, mask=split < splits, other=float("-inf"))
        part = tl.load(
            partial_out + source[:, None] * HEAD_DIM + column[None, :],
            mask=(split < splits)[:, None] & (column < HEAD_DIM)[None, :],
            other=0.0,
        )
        new_peak = tl.maximum(peak, tl.max(weight, 0))
        decay = tl.exp2(peak - new_peak)
        share = tl.exp2(weight - new_peak)
        mixed = mixed * decay + tl.sum(share[:, None] * part, 0)
        total = total * decay + tl.sum(share, 0)
        peak = new_peak
    target = (row * HEADS + head) * HEAD_DIM + column
    tl.store(out + target, (mixed / total).to(out.dtype.element_ty), mask=column < HEAD_DIM)
