"""A draft model: a small causal language model writes ahead, its betters check (arXiv 2211.17192).

It has a paged cache of its own, in which prefixes are shared as in the target's. What it computed for
drafted tokens that were accepted stays; a new prompt is prefilled in chunks beside the drafting, and
its request is drafted for once that is done. When blocks run out, the request that was drafted for
least recently loses its state, which can always be computed anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from generate.engine.batch import pack
from generate.engine.blocks import BlockPool
from generate.engine.request import Request, SamplingParams
from generate.engine.runner import ModelRunner
from generate.engine.scheduler import Scheduled
from generate.speculate.chain import EXIT_BELOW, Chain, ChainDrafter
from generate.speculate.vocabulary import VocabularyMap


@dataclass
class _Draft:
    """A request as the draft model sees it.

    Invariant: ``sequence.tokens`` are the request's tokens up to ``settled``, then what was drafted after
    these; the K/V of the first ``sequence.computed`` are in the draft's cache, and those of the
    first ``published`` may be shared.
    """

    sequence: Request
    settled: int
    published: int


class DraftModelDrafter(ChainDrafter):
    """Drafts with a model of its own.

    Args:
        runner: the draft model.
        vocab_size: of the target.
        vocabulary: maps the target's tokens; None where both models share one vocabulary.
        cache_mb: size of the draft model's KV cache.
        chunk: prompt tokens that a step prefills beside drafting, at most.
        exit_below: a chain ends when its chance of being accepted as a whole is less.
    """

    name = "model"

    def __init__(
        self,
        runner: ModelRunner,
        *,
        vocab_size: int,
        vocabulary: VocabularyMap | None = None,
        block_size: int = 16,
        cache_mb: float = 256.0,
        chunk: int = 256,
        exit_below: float = EXIT_BELOW,
    ) -> None:
        super().__init__(vocab_size, runner.device, _targets(runner, vocab_size, vocabulary), exit_below)
        self.runner = runner
        self._vocabulary = vocabulary
        count = max(1, int(cache_mb * 2**20) // (block_size * runner.bytes_per_token()))
        self.pool = BlockPool(count, block_size)
        self.cache = runner.new_cache(count * block_size)
        self._chunk = chunk
        self._drafts: OrderedDict[int, _Draft] = OrderedDict()
        """Of the requests that have blocks, the least recently used first."""

    @torch.inference_mode()
    def prepare(self, requests: Sequence[Request], depth: int) -> None:
        """Draft up to ``depth`` tokens for each request whose context is ready, and prefill the others'."""
        wanted = {request.id for request in requests}
        chains: list[tuple[Chain, Request]] = []
        for request in requests:
            room = self.runner.context_length - len(request.tokens) + 1
            limit = min(depth, request.remaining - 1, room)
            sequence = self._follow(request, limit, wanted)
            if sequence is None:
                self.drop(request)
            else:
                chains.append((Chain(request, sequence.tokens, limit), sequence))
        self._run(chains)

    def _run(self, chains: list[tuple[Chain, Request]]) -> None:
        """Draw the chains that are ready, the first level beside a chunk of the prompts that are not."""
        budget = self._chunk + len(chains)
        chunks: list[Scheduled] = []
        ready: dict[int, Request] = {}
        live: list[Chain] = []
        for chain, sequence in sorted(chains, key=lambda pair: pair[1].pending):
            count = min(sequence.pending, budget)
            budget -= count
            if count == sequence.pending:
                live.append(chain)
                ready[chain.request.id] = sequence
            elif count:
                chunks.append(Scheduled(sequence, count))

        def forward(chains: Sequence[Chain]) -> Tensor:
            shares = []
            for chain in chains:
                sequence = ready[chain.request.id]
                sequence.tokens += chain.ids[-1:]
                shares.append(Scheduled(sequence, sequence.pending))
            shares += chunks
            chunks.clear()
            return self._forward(shares)

        self.draw(live, forward)
        if chunks:
            self._forward(chunks)

    def _forward(self, shares: Sequence[Scheduled]) -> Tensor:
        batch = pack(shares, self.cache, self.pool.block_size, self.runner.device)
        logits = self.runner.forward(batch)
        for share in shares:
            share.request.computed += share.count
        return logits

    def _follow(self, request: Request, limit: int, wanted: set[int]) -> Request | None:
        """Bring a request's draft state up to its tokens, with blocks for so many levels; None: no way."""
        if limit <= 0 or request.id in self._barred:
            return None
        draft = self._drafts.get(request.id)
        fresh = self._to_draft(request.tokens if draft is None else request.tokens[draft.settled :])
        if fresh is None:
            self._barred.add(request.id)
            return None
        if draft is None:
            sequence = Request(fresh, SamplingParams(), request.salt)
            self.pool.attach_prefix(sequence)
            draft = self._drafts[request.id] = _Draft(sequence, len(fresh), sequence.computed)
        else:
            self._settle(draft, fresh)
            self._drafts.move_to_end(request.id)
        while not self.pool.grow(draft.sequence, len(request.tokens) + limit - 1):
            idle = next((other for other in self._drafts if other not in wanted), None)
            if idle is None:
                return None
            self.pool.release(self._drafts.pop(idle).sequence)
        return draft.sequence

    def _settle(self, draft: _Draft, fresh: Sequence[int]) -> None:
        """Take in the tokens that came; K/V that were computed for them stay."""
        sequence, settled = draft.sequence, draft.settled
        drafted = sequence.tokens[settled:]
        agreed = next(
            (i for i, (old, new) in enumerate(zip(drafted, fresh, strict=False)) if old != new),
            min(len(drafted), len(fresh)),
        )
        sequence.tokens[settled:] = fresh
        draft.settled = len(sequence.tokens)
        # The last token's logits are always to be computed.
        sequence.computed = min(sequence.computed, settled + agreed, draft.settled - 1)
        self.pool.publish(sequence, draft.published)
        draft.published = max(draft.published, sequence.computed)

    def drop(self, request: Request) -> None:
        draft = self._drafts.pop(request.id, None)
        if draft is not None:
            self.pool.release(draft.sequence)

    def _to_draft(self, tokens: Sequence[int]) -> list[int] | None:
        """The target's tokens as the draft model knows them; None if it does not know one."""
        ids = list(tokens) if self._vocabulary is None else self._vocabulary.to_draft(tokens)
        return ids if ids is not None and max(ids, default=0) < self.runner.vocab_size else None


def _targets(runner: ModelRunner, vocab_size: int, vocabulary: VocabularyMap | None) -> Tensor | None:
    """The target's id of each draft token, -1 for none; None if they are the same."""
    if vocabulary is None or vocabulary.identical:
        if runner.vocab_size == vocab_size:
            return None
        ids = torch.arange(runner.vocab_size)
    else:  # models may have more embeddings than their tokenizers have tokens
        ids = vocabulary.target_ids[: runner.vocab_size]
        ids = pad(ids, (0, runner.vocab_size - len(ids)), value=-1)
    return ids.where(ids < vocab_size, -1)
