"""Who runs next: continuous batching with chunked prefill and preemption by recompute.

Decoding requests come first, each with its one token; what is left of the token budget goes to
prefills in order of arrival, cut into chunks, so that a long prompt never stalls running streams.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from generate.engine.blocks import BlockPool
from generate.engine.request import FinishReason, Request
from generate.speculate.tree import NO_DRAFTS, TokenTree


@dataclass(frozen=True)
class Scheduled:
    """A request's share of a step: its next ``count`` uncomputed tokens, and drafts below the last."""

    request: Request
    count: int
    tree: TokenTree = NO_DRAFTS

    @property
    def start(self) -> int:
        return self.request.computed

    @property
    def end(self) -> int:
        return self.request.computed + self.count

    @property
    def rows(self) -> int:
        """Tokens that it puts into the forward pass."""
        return self.count + len(self.tree)

    @property
    def decodes(self) -> bool:
        """Whether it is past its prompt and goes on from its last token."""
        return self.count == 1 == self.request.pending

    @property
    def samples(self) -> bool:
        """Whether the step reaches the request's last token, so that a new one follows."""
        return self.end == len(self.request.tokens)


class Scheduler:
    """Keeps the waiting and the running, and cuts the next step out of them."""

    def __init__(self, pool: BlockPool, *, max_batch_tokens: int, max_running: int) -> None:
        self.pool = pool
        self.max_batch_tokens = max_batch_tokens
        self.max_running = min(max_running, max_batch_tokens)
        self.waiting: deque[Request] = deque()
        self.running: list[Request] = []
        """In order of arrival; the last is the first to be preempted."""

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self.running)

    def add(self, request: Request) -> None:
        self.waiting.append(request)

    def schedule(self) -> list[Scheduled]:
        """The next step's work; empty only when nothing is left to do."""
        step: list[Scheduled] = []
        budget = self.max_batch_tokens
        waiting_before = len(self.waiting)
        decoding = [request for request in self.running if request.pending == 1]
        prefilling = [request for request in self.running if request.pending > 1]
        for request in (*decoding, *prefilling):
            if budget == 0:
                break
            if request not in self.running:
                continue  # preempted a moment ago, to make room for an earlier one
            count = min(request.pending, budget)
            if self._make_room(request, request.computed + count, step):
                step.append(Scheduled(request, count))
                budget -= count
        if len(self.waiting) == waiting_before:  # nobody was preempted: there is room
            self._admit(step, budget)
        return sorted(step, key=lambda share: share.request.id)

    def _admit(self, step: list[Scheduled], budget: int) -> None:
        while self.waiting and budget > 0 and len(self.running) < self.max_running:
            request = self.waiting[0]
            self.pool.attach_prefix(request)
            count = min(request.pending, budget)
            if not self.pool.grow(request, request.computed + count):
                self.pool.release(request)
                break
            if request.preemptions == 0:
                request.cached_prompt_tokens = request.computed
            self.waiting.popleft()
            self.running.append(request)
            step.append(Scheduled(request, count))
            budget -= count

    def _make_room(self, request: Request, length: int, step: list[Scheduled]) -> bool:
        """Grow a running request, preempting later arrivals; False if it had to go itself."""
        while not self.pool.grow(request, length):
            victim = max(self.running, key=lambda other: other.id)
            step[:] = [share for share in step if share.request is not victim]
            self._preempt(victim)
            if victim is request:
                return False
        return True

    def _preempt(self, request: Request) -> None:
        self.pool.release(request)
        request.preemptions += 1
        self.running.remove(request)
        self.waiting.appendleft(request)

    def attach(self, share: Scheduled, tree: TokenTree) -> Scheduled:
        """Give a decoding share drafts, as many as there are free blocks: they never preempt."""
        request = share.request
        size = self.pool.block_size
        room = (len(request.block_table) + self.pool.free) * size - share.end
        tree = tree.first(min(len(tree), room))
        grown = self.pool.grow(request, share.end + len(tree))
        assert grown
        return replace(share, tree=tree)

    def commit(self, share: Scheduled, accepted: int = 0) -> None:
        """Record that the K/V of a share and of so many tokens after it are in the cache."""
        request, before = share.request, share.start
        request.computed = share.end + accepted
        self.pool.publish(request, before)

    def retire(self) -> list[Request]:
        """Remove and return the running requests that have finished."""
        done = [request for request in self.running if request.finished]
        for request in done:
            self.running.remove(request)
            self.pool.release(request)
        return done

    def cancel(self, request: Request) -> None:
        """Drop a request wherever it is; a finished one stays as it was."""
        if request.finished:
            return
        request.finished = FinishReason.CANCELLED
        if request in self.running:
            self.running.remove(request)
            self.pool.release(request)
        elif request in self.waiting:
            self.waiting.remove(request)
