"""Texts embedded end to end in one sequence: no padding, however different their lengths are.

A question is embedded together with the spans that are cut from it, which have a few tokens each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from retrieve.bert import Bert, Block
from retrieve.store.base import Vector

if TYPE_CHECKING:
    from tokenizers import Tokenizer

T = TypeVar("T")

PACK_TOKENS = 256
"""Tokens in one block of attention, unless a single text has more: it grows with the square of them."""
STEP_TOKENS = 4096
"""Tokens that go through the matrix products together."""
ROUND_TOKENS, LARGE_TOKENS = 128, 1024
"""Steps of so many tokens or more are filled up to a multiple: buffers of a few sizes are used again and
again, while those of thousands of sizes leave a heap full of holes, two gigabytes after 10,000 passages."""
ALONE_TOKENS = 64
"""So few tokens are one thread's work. Several threads are hardly faster with a question, and wait for
each other at every product: while other processes keep the cores busy, that takes ten times as long."""


class PackedEncoder:
    """A BERT with mean pooling, each text attending to itself alone; several threads may use one.

    Source: Krell et al., "Efficient Sequence Packing without Cross-contamination" (2021), section 3.2:
    positions begin anew with each text, and the attention mask is block-diagonal.
    """

    def __init__(self, bert: Bert, tokenizer: Tokenizer, max_tokens: int) -> None:
        """``tokenizer``: this encoder's own; it is set to ``max_tokens``, special ones included."""
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length=max_tokens)
        self._bert = bert
        self._tokenizer = tokenizer
        self._pools = ThreadpoolController()  # of the libraries that are loaded: torch's among them

    def encode(self, texts: Sequence[str]) -> Vector:
        """Vectors of texts, shape (len(texts), dimension), unit length; there must be one text at least."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        return np.concatenate([self._forward(step) for step in grouped(ids, len, STEP_TOKENS)])

    def _forward(self, texts: Sequence[Sequence[int]]) -> Vector:
        import torch

        sizes = [len(ids) for ids in texts]
        total = sum(sizes)
        filling = -total % ROUND_TOKENS if total >= LARGE_TOKENS else 0
        blocks = [_block(pack) for pack in grouped(sizes, int, PACK_TOKENS)]
        # Unlike torch's own setting, this one is the calling thread's alone.
        threads = 1 if total <= ALONE_TOKENS else None
        with torch.inference_mode(), self._pools.limit(limits=threads, user_api="openmp"):
            hidden = self._bert(
                torch.tensor([*(token for ids in texts for token in ids), *[0] * filling]),
                torch.cat([*(torch.arange(size) for size in sizes), torch.zeros(filling, dtype=torch.int64)]),
                [*blocks, Block(filling, None)] if filling else blocks,
            )[:total]
            lengths = torch.tensor(sizes)
            owners = torch.repeat_interleave(torch.arange(len(texts)), lengths)
            sums = torch.zeros(len(texts), hidden.shape[1]).index_add_(0, owners, hidden)
            vectors: Vector = torch.nn.functional.normalize(sums / lengths[:, None], dim=1).numpy()
        return vectors


def _block(sizes: Sequence[int]) -> Block:
    import torch

    if len(sizes) == 1:
        return Block(sizes[0], None)
    owners = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return Block(sum(sizes), owners[:, None] == owners)


def grouped(items: Sequence[T], size: Callable[[T], int], limit: int) -> list[list[T]]:
    """Items in their order, as many in a group as fit into ``limit``, and one at least."""
    groups: list[list[T]] = []
    room = 0
    for item in items:
        if not groups or size(item) > room:
            groups.append([])
            room = limit
        groups[-1].append(item)
        room -= size(item)
    return groups
