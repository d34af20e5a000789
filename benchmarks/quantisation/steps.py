"""Single steps of a runner, without an engine: what is in the cache does not matter to their time."""

from __future__ import annotations

import torch
from torch import Tensor

from generate.engine.batch import PackedBatch, Segment, pack
from generate.engine.request import Request, SamplingParams
from generate.engine.runner import ModelRunner
from generate.engine.scheduler import Scheduled
from generate.speculate.tree import TokenTree

BLOCK = 16


class Steps:
    """Steps over a cache that holds so many tokens."""

    CHUNK = 512
    """Tokens of a prefill that run together."""

    def __init__(self, runner: ModelRunner, tokens: int) -> None:
        self._runner = runner
        self._cache = runner.new_cache(-(-tokens // BLOCK) * BLOCK + 16 * BLOCK)

    def of(self, runner: ModelRunner) -> Steps:
        """Another runner's steps over the same cache; its layout must be the same."""
        other = Steps(runner, 0)
        other._cache = self._cache
        return other

    def tree(self, context: int, rows: int) -> None:
        """One request: its last token and ``rows`` - 1 drafts, behind ``context`` tokens."""
        self._run([self._share(context, rows, 0)])

    def decode(self, context: int, requests: int) -> None:
        """One token for each of so many requests with contexts of their own."""
        blocks = -(-(context + 1) // BLOCK)
        self._run([self._share(context, 1, number * blocks) for number in range(requests)])

    def prefill(self, tokens: int) -> None:
        """A prompt in chunks, to its first token."""
        request = Request((5,) * tokens, SamplingParams())
        request.block_table = list(range(-(-tokens // BLOCK)))
        while request.computed < tokens:
            count = min(self.CHUNK, tokens - request.computed)
            self._run([Scheduled(request, count)])
            request.computed += count

    def score(self, ids: list[int]) -> Tensor:
        """Logits behind each of these tokens: (tokens, vocabulary)."""
        every = torch.arange(len(ids))
        segment = Segment(0, len(ids), every)
        return self._runner.forward(
            PackedBatch(self._cache, torch.tensor(ids), every, every, (segment,), every, BLOCK)
        )

    def _share(self, context: int, rows: int, first: int) -> Scheduled:
        request = Request((5,) * (context + 1), SamplingParams())
        request.computed = context
        request.block_table = list(range(first, first + -(-(context + rows) // BLOCK)))
        return Scheduled(request, 1, TokenTree.chain([5] * (rows - 1)))

    def _run(self, shares: list[Scheduled]) -> None:
        self._runner.forward(pack(shares, self._cache, BLOCK, self._runner.device))
