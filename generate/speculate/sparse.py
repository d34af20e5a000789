"""Sparse-KV self-draft: the target drafts for itself, looking at a fixed part of the context.

At long contexts and large batches a step's time goes into reading the KV cache, so the same weights over
a small cache make a fast draft, and one that agrees with the target more than another model would
(MagicDec, arXiv 2408.11049). What is kept are exact copies out of the target's cache, keys with the
positions that they have there. After a verification the copies of accepted tokens take the place of
what the draft computed for them. The draft never writes into the target's cache.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from generate.engine.batch import PackedBatch, Segment, slots_of
from generate.engine.blocks import BlockPool
from generate.engine.kv_cache import KVCache
from generate.engine.request import Request
from generate.engine.runner import ModelRunner
from generate.engine.window import SINKS
from generate.speculate.chain import EXIT_BELOW, Chain, ChainDrafter
from generate.speculate.kv_selection import WINDOW, layer_windows, select_by_attention, streaming

Policy = Literal["streaming", "snapkv"]
MAX_BUILDS = 4
"""Requests whose K/V are selected in one step; more would hold up the streams that run."""

Slots = NDArray[np.int64]


@dataclass
class _Pages:
    """A request's slots in the draft's cache, from ``first`` on: the budget's, then those of drafted tokens.

    ``kept`` are the slots that hold exact K/V, always the first so many, in order of loss behind the
    first `SINKS`. All positions below ``synced`` were taken in.
    """

    first: int
    kept: Slots
    synced: int = 0

    def take(self, count: int, budget: int) -> Slots:
        """Slots for so many tokens more, at most ``budget`` - `SINKS`; what is over budget is lost."""
        size = len(self.kept)
        over = max(0, size + count - budget)
        unused = np.arange(self.first + size, self.first + min(size + count, budget))
        taken = np.concatenate([self.kept[SINKS : SINKS + over], unused])
        self.kept = np.concatenate([self.kept[:SINKS], self.kept[SINKS + over :], taken])
        return taken


class SparseDrafter(ChainDrafter):
    """Drafts with the target's own weights and a part of its KV cache.

    Args:
        runner: the target; ``cache`` and ``pool`` are its own.
        policy: ``streaming`` keeps the first tokens and the most recent, ``snapkv`` what the last
            tokens of the prompt attend to.
        budget: tokens of context that a draft step sees; more than 48.
        depth: the most levels.
        cache_mb: size of the draft's KV cache.
        min_context: requests with less context are not drafted for; None: with no more than the budget.
        exit_below: a chain ends when its chance of being accepted as a whole is less.
    """

    def __init__(
        self,
        runner: ModelRunner,
        cache: KVCache,
        pool: BlockPool,
        *,
        policy: Policy,
        budget: int = 512,
        depth: int = 8,
        cache_mb: float = 256.0,
        min_context: int | None = None,
        exit_below: float = EXIT_BELOW,
    ) -> None:
        super().__init__(runner.vocab_size, runner.device, exit_below=exit_below)
        assert budget > SINKS + WINDOW
        self.name = policy
        self.runner = runner
        self.budget = budget
        self._target = cache
        self._target_pool = pool
        self._depth = depth
        self._min_context = budget + 1 if min_context is None else max(1, min_context)
        self._windows = layer_windows(runner.config, runner.layers)
        self._ordered = any(window is not None and window < budget + depth for window in self._windows)
        size = budget + depth
        count = int(cache_mb * 2**20) // (size * runner.bytes_per_token())
        self.cache = runner.new_cache(count * size)
        self._free = [place * size for place in reversed(range(count))]
        self._pages: OrderedDict[int, _Pages] = OrderedDict()
        """Of the requests that are drafted for, the least recently used first."""

    @torch.inference_mode()
    def prepare(self, requests: Sequence[Request], depth: int) -> None:
        """Draft up to ``depth`` tokens for each request with a long context."""
        able = [
            request
            for request in requests
            if request.computed >= self._min_context
            and len(request.tokens) <= self.runner.context_length
            and request.id not in self._barred
        ]
        self._build(able)
        ready = [request for request in able if request.id in self._pages]
        if not ready:
            return
        self._refresh(ready)
        chains = []
        for request in ready:
            room = self.runner.context_length - len(request.tokens) + 1
            limit = min(depth, self._depth, request.remaining - 1, room)
            chains.append(Chain(request, request.tokens, limit))
        self._draft(chains)

    def _draft(self, chains: Sequence[Chain]) -> None:
        device = self.runner.device
        contexts = {chain.request.id: self._context(self._pages[chain.request.id]) for chain in chains}

        def forward(live: Sequence[Chain]) -> Tensor:
            level = len(live[0].ids)  # of all of them: they began together
            ids = [chain.ids[-1] if chain.ids else chain.request.tokens[-1] for chain in live]
            slots = [contexts[chain.request.id] for chain in live]
            slots = [context[: len(context) - self._depth + level + 1] for context in slots]
            batch = PackedBatch(
                cache=self.cache,
                input_ids=torch.tensor(ids, device=device),
                positions=torch.tensor([chain.length - 1 + level for chain in live], device=device),
                slots=torch.cat([context[-1:] for context in slots]),
                segments=tuple(Segment(row, row + 1, context) for row, context in enumerate(slots)),
                logit_rows=torch.arange(len(live), device=device),
            )
            return self.runner.forward(batch)

        self.draw(chains, forward)

    def _context(self, pages: _Pages) -> Tensor:
        """What drafting sees, and the slots of all levels behind it."""
        # Only a window within the budget can tell in which order K/V lie; side by side they are read fast.
        count = len(pages.kept)
        kept = pages.kept if self._ordered else np.arange(pages.first, pages.first + count)
        drafted = np.arange(pages.first + self.budget, pages.first + self.budget + self._depth)
        return torch.from_numpy(np.concatenate([kept, drafted])).to(self.runner.device)

    def _refresh(self, requests: Sequence[Request]) -> None:
        """Take in the exact K/V of the tokens that were accepted since a request was last drafted for."""
        source: list[int] = []
        target: list[Slots] = []
        size = self._target_pool.block_size
        for request in requests:
            self._pages.move_to_end(request.id)
            pages = self._pages[request.id]
            fresh = range(max(pages.synced, request.computed - self.budget + SINKS), request.computed)
            source += [request.block_table[at // size] * size + at % size for at in fresh]
            target.append(pages.take(len(fresh), self.budget))
            pages.synced = request.computed
        taken = torch.from_numpy(np.concatenate(target)).to(self.runner.device)
        given = torch.tensor(source, dtype=torch.long, device=self.runner.device)
        if source:
            for layer in range(self.runner.layers):
                self.cache.write(layer, taken, *self._target.read(layer, given))

    def _build(self, requests: Sequence[Request]) -> None:
        """Give pages to some of the requests that have none, and fill them with what the policy selects."""
        wanted = {request.id for request in requests}
        fresh: list[Request] = []
        for request in requests:
            if request.id not in self._pages and len(fresh) < MAX_BUILDS:
                first = self._reserve(wanted)
                if first is None:
                    break
                self._pages[request.id] = _Pages(first, np.arange(0))
                fresh.append(request)
        for request, positions in zip(fresh, self._select(fresh), strict=True):
            if positions is None:
                self.drop(request)
            else:
                self._fill(request, positions)

    def _reserve(self, wanted: set[int]) -> int | None:
        """The first slot of free pages, or of those of a request that is not ``wanted`` now."""
        if self._free:
            return self._free.pop()
        idle = next((other for other in self._pages if other not in wanted), None)
        return None if idle is None else self._pages.pop(idle).first

    def _select(self, requests: Sequence[Request]) -> list[Tensor | None]:
        """Positions to keep of each request, (layers, kv_heads, at most the budget); None: not now."""
        found: dict[int, Tensor | None] = {}
        for request in requests:
            positions = streaming(request.computed, self.budget)
            found[request.id] = positions.repeat(self.runner.layers, self.runner.kv_heads, 1)
        long = [request for request in requests if request.computed > self.budget]
        if self.name == "snapkv" and long:
            scored = select_by_attention(self.runner, self._target, self._target_pool, long, self.budget)
            for number, request in enumerate(long):
                found[request.id] = scored[number] if scored else None
        for request in requests:
            chosen, count = found[request.id], request.computed
            for layer, window in enumerate(self._windows):
                # Such a layer sees the most recent tokens and nothing else, sinks neither.
                if chosen is not None and window is not None and window < count:
                    chosen[layer] = torch.arange(count - chosen.shape[2], count)
        return list(found.values())

    def _fill(self, request: Request, positions: Tensor) -> None:
        pages = self._pages[request.id]
        count = request.computed
        context = slots_of(request.block_table, count, self._target_pool.block_size).to(self.runner.device)
        taken = torch.from_numpy(pages.take(positions.shape[2], self.budget)).to(self.runner.device)
        heads = torch.arange(self.runner.kv_heads, device=self.runner.device)
        for layer, chosen in enumerate(positions.to(self.runner.device)):
            slots = context[chosen.T]  # (kept, kv_heads)
            keys, values = self._target.keys[layer][slots, heads], self._target.values[layer][slots, heads]
            self.cache.write(layer, taken, keys, values)
        pages.synced = count

    def drop(self, request: Request) -> None:
        pages = self._pages.pop(request.id, None)
        if pages is not None:
            self._free.append(pages.first)
