"""Drafts for a step: propose, plan, and learn from what came of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from generate.engine.request import Request
from generate.grammar import GrammarError
from generate.speculate.build import Proposal, judge, propose
from generate.speculate.calibration import Calibration, Leaning
from generate.speculate.costs import Share
from generate.speculate.drafter import Drafter, ModelDrafter, Outcome
from generate.speculate.mixes import CHEAP, Mix, Mixes
from generate.speculate.planner import LOWEST, Planner
from generate.speculate.tree import TokenTree

PATIENCE = 4
"""Steps without a draft after which proposing becomes rarer."""
PACE = 0.1
"""How fast the time that proposals take is followed."""
RAREST = 16
"""Steps between two proposals of a request whose drafts never pay."""
TAUGHT = 1 / 32
"""How fast the share of proposals that pay is followed, over all requests."""
HOPELESS = 0.25
"""A share of them below which new requests begin with a rest, and all rest longer: the first proposal
indexes a request's whole text, which is some percent of what a short answer takes."""
LONGEST = 128
"""Steps between two proposals of a request then."""


@dataclass
class _Requested:
    """What is kept of a running request."""

    leaning: Leaning = field(default_factory=Leaning)
    proposal: Proposal | None = None
    fruitless: int = 0
    """Proposals in a row of which the planner took nothing."""
    rest: int = 0
    """Steps until the next proposal."""


class Speculator:
    """Gives every decoding request of a step its token tree.

    Args:
        limit: the most drafts of a request in a step.
        planner: chooses how many of them pay, and `Mixes` whether drafters with a model do; None
            always runs every drafter and takes ``limit`` drafts.
        depth: the most levels that drafters with a model draft.
    """

    def __init__(
        self, drafters: Sequence[Drafter], *, limit: int, planner: Planner | None, depth: int = 8
    ) -> None:
        self.drafters = list(drafters)
        self.planner = planner
        self._limit = limit
        self._depth = min(depth, limit)
        self._models = {drafter.name: drafter for drafter in drafters if isinstance(drafter, ModelDrafter)}
        depths = sorted({max(1, self._depth // 3), self._depth})
        self._mixes = Mixes([Mix(name, depth) for name in self._models for depth in depths])
        self._mix = CHEAP
        self._waiting = False
        """The step's drafter with a model had nothing to say."""
        self._drafting = 0.0
        """Seconds that the drafts of the present step took."""
        self._learning = 0.0
        """Seconds that learning from the last step took."""
        self._overhead = 0.0
        """Seconds that a proposal and learning from it take, as a rule."""
        self._paying = 1.0
        """Share of all requests' proposals of which the planner took something."""
        self._calibration = Calibration()
        self._requests: dict[int, _Requested] = {}

    def draft(self, requests: Sequence[Request], room: int) -> list[TokenTree]:
        """A tree for each request, all of them together of at most ``room`` nodes."""
        began = time.perf_counter()
        contexts = [request.computed for request in requests]
        drafters = self._prepare(requests, contexts)
        prepared = time.perf_counter()
        threshold = self.planner.threshold(contexts) if self.planner else LOWEST
        limit = min(self._limit, room)
        proposals = [self._propose(request, drafters, limit, threshold) for request in requests]
        if self.planner:
            self._follow(time.perf_counter() - prepared)
            counts = self.planner.choose(proposals, contexts, room, self._overhead * len(requests))
        else:
            share = room // max(1, len(requests))
            counts = [min(share, len(proposal.tokens)) for proposal in proposals]
        for request, proposal, count in zip(requests, proposals, counts, strict=True):
            self._rest(self._requests[request.id], proposal, count)
        trees = [proposal.tree(count) for proposal, count in zip(proposals, counts, strict=True)]
        self._drafting = time.perf_counter() - began
        return trees

    def _follow(self, proposing: float) -> None:
        """Learn what a proposal takes, and what was learned from the last ones took."""
        made = sum(kept.proposal is not None for kept in self._requests.values())
        if made:
            self._overhead += PACE * ((proposing + self._learning) / made - self._overhead)
        self._learning = 0.0

    def _prepare(self, requests: Sequence[Request], contexts: Sequence[int]) -> list[Drafter]:
        """Let the drafters with a model run that this step is for; returns all that propose."""
        if not self._models:
            return self.drafters
        self._mix = self._mixes.choose(contexts) if self.planner else CHEAP
        self._waiting = False
        found = []
        for drafter in self.drafters:
            model = self._models.get(drafter.name)
            if model is None:
                found.append(drafter)
            elif not self.planner or drafter.name == self._mix.model:
                model.prepare(requests, self._mix.depth if self.planner else self._depth)
                found.append(drafter)
                self._waiting = all(model.begin(request) is None for request in requests)
        return found

    def _propose(
        self, request: Request, drafters: Sequence[Drafter], limit: int, threshold: float
    ) -> Proposal:
        kept = self._requests.get(request.id) or self._begin(request)
        kept.proposal = None
        if kept.rest > 0 and self._mix == CHEAP:
            kept.rest -= 1
            return Proposal()
        try:
            kept.proposal = propose(
                request,
                drafters,
                self._calibration,
                limit=limit,
                threshold=threshold,
                leaning=kept.leaning.value,
            )
        except GrammarError:  # verification meets it too, and ends the request with it
            return Proposal()
        return kept.proposal

    def _rest(self, kept: _Requested, proposal: Proposal, count: int) -> None:
        if kept.proposal is None:
            return
        kept.fruitless = 0 if count else kept.fruitless + 1
        self._paying += TAUGHT * ((count > 0) - self._paying)
        patience = round(PATIENCE * self._paying)
        if self.planner and kept.fruitless > patience:
            rarest = RAREST if self._paying >= HOPELESS else LONGEST
            kept.rest = min(rarest, 2 ** (kept.fruitless - patience)) - 1

    def _begin(self, request: Request) -> _Requested:
        """Where hardly any proposal pays, new requests begin to propose one after the other."""
        kept = self._requests[request.id] = _Requested()
        if self.planner and self._paying < HOPELESS:
            kept.rest = request.id % LONGEST
        return kept

    def observe(self, outcome: Outcome) -> None:
        """Learn from what a step said about a request."""
        began = time.perf_counter()
        kept = self._requests.get(outcome.request.id)
        proposed = kept is not None and kept.proposal is not None
        if kept is not None and kept.proposal is not None:
            for expected, right in judge(kept.proposal, outcome.tokens, self._calibration):
                kept.leaning.update(expected, right)
        for drafter in self.drafters:
            # Learning costs some percent of a step, which a request that rests should not pay.
            if proposed or drafter.name in self._models:
                drafter.observe(outcome)
        self._learning += time.perf_counter() - began

    def timed(self, shares: Sequence[Share], tokens: int, seconds: float) -> None:
        """Learn what a step of decoding requests yielded, and what its forward pass took."""
        if not self.planner:
            return
        self.planner.costs.observe(shares, seconds)
        if self._models:
            contexts = [share.context for share in shares]
            if self._waiting:
                self._mixes.wait(contexts, self._mix, self._drafting)
            else:
                self._mixes.observe(contexts, self._mix, tokens, seconds + self._drafting)

    def forget(self, request: Request) -> None:
        """Drop what is known of a request that has ended."""
        self._requests.pop(request.id, None)
        for drafter in self.drafters:
            drafter.forget(request)
