"""What drafters that run a model share: a chain of tokens a request, drawn level by level for a whole batch.

At every place of a chain the model's few best tokens are candidates; the best of them continues the
chain, its siblings end there, so a request's tree is a comb. How far a chain goes is the request's
own matter: it ends where what it has drafted is hardly all accepted any more (adaptive exit: Draft &
Verify, arXiv 2309.08168, section 3.3, there by the draft's probability, here by measured acceptance).

Sampled requests are drafted by the race that the target will run: the draft's own distribution
under the request's temperature, top-k and top-p, against the noise of the same position. Where
the two distributions are near, so are the two draws (Gumbel coupling: Daliri, Musco and Suresh,
arXiv 2408.07978); whatever is drafted, the target draws what it would have drawn.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from math import isfinite

import torch
from torch import Tensor

from generate.engine.request import Request
from generate.engine.sampling import logits_to_probs, noise, penalise_repetition
from generate.speculate.calibration import Tally
from generate.speculate.drafter import Candidate, Outcome

WIDTH = 4
"""Candidates of a place, at most."""
MIN_SHARE = 0.004
BUCKETS = (0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
"""Shares between two of these count as one kind."""
EXIT_BELOW = 0.05

State = tuple["Chain", int]
"""A chain, and how many of its tokens were followed."""


@dataclass
class Chain:
    """What was drafted for a request at one length of its tokens."""

    request: Request
    context: Sequence[int]
    """The request's tokens in the draft's vocabulary; it may go on with what is drafted."""
    limit: int
    """Levels that it may have."""
    length: int = field(init=False)
    ids: list[int] = field(default_factory=list)
    """Drafted tokens in the draft's vocabulary."""
    levels: list[tuple[Candidate, ...]] = field(default_factory=list)
    """Candidates of each place in the target's vocabulary; the first goes on."""
    chance: float = 1.0
    """Estimated probability that all that is drafted will be accepted."""

    def __post_init__(self) -> None:
        self.length = len(self.request.tokens)


class ChainDrafter:
    """Walks prepared chains as `Drafter` asks; who inherits it prepares them.

    Args:
        vocab_size: of the target.
        device: where the draft's logits are.
        targets: (draft vocabulary,), the target's id of each of the draft's tokens, -1 where there is
            none; None where both are the same.
        exit_below: a chain ends when its chance of being accepted as a whole is less.
    """

    name = "chain"

    def __init__(
        self,
        vocab_size: int,
        device: torch.device,
        targets: Tensor | None = None,
        exit_below: float = EXIT_BELOW,
    ) -> None:
        self._vocab_size = vocab_size
        self._targets = targets
        self._missing = None if targets is None else (targets < 0).to(device)
        self._exit_below = exit_below
        self._chains: dict[int, Chain] = {}
        self._barred: set[int] = set()
        """Requests that cannot be drafted for, whatever comes."""
        self._accepted: dict[Hashable, Tally] = {}

    def begin(self, request: Request) -> State | None:
        chain = self._chains.get(request.id)
        if chain is None or chain.length != len(request.tokens) or not chain.levels:
            return None
        return chain, 0

    def candidates(self, state: State) -> Sequence[Candidate]:
        chain, level = state
        return chain.levels[level]

    def advance(self, state: State, token: int) -> State | None:
        chain, level = state
        follows = level + 1 < len(chain.levels) and token == chain.levels[level][0].token
        return (chain, level + 1) if follows else None

    def observe(self, outcome: Outcome) -> None:
        """Count how often the chain's own tokens were right, as far as it was right at all."""
        chain = self._chains.pop(outcome.request.id, None)
        if chain is None or chain.length != len(outcome.request.tokens):
            return
        for level, token in zip(chain.levels, outcome.tokens, strict=False):
            right = level[0].token == token
            self._accepted.setdefault(level[0].kind, Tally()).update(1.0, right)
            if not right:
                break

    def forget(self, request: Request) -> None:
        self._chains.pop(request.id, None)
        self._barred.discard(request.id)
        self.drop(request)

    def drop(self, request: Request) -> None:
        """Free what is kept of a request; it can be rebuilt."""

    def draw(self, chains: Sequence[Chain], forward: Callable[[Sequence[Chain]], Tensor]) -> None:
        """Grow these chains, in place of earlier ones, by one token a forward pass; who has ended leaves it.

        Args:
            forward: gives the logits (rows, draft vocabulary) behind the last tokens of these chains.
        """
        self._chains = {chain.request.id: chain for chain in chains}
        live = list(chains)
        while live:
            logits = forward(live)
            best = self._shares(logits, live).topk(min(WIDTH, logits.shape[1]))
            rows = zip(live, best.indices.tolist(), best.values.tolist(), strict=True)
            live = [chain for chain, ids, shares in rows if self._extend(chain, ids, shares)]

    def _extend(self, chain: Chain, ids: Sequence[int], shares: Sequence[float]) -> bool:
        """Add a place to a chain; whether the chain goes on."""
        if not isfinite(shares[0]):  # the model has nothing to say here: leave the request to others
            self._barred.add(chain.request.id)
            self.drop(chain.request)
            return False
        params = chain.request.params
        tokens = ids if self._targets is None else self._targets[list(ids)].tolist()
        level: dict[int, Candidate] = {}
        for rank, (token, share) in enumerate(zip(tokens, shares, strict=True)):
            if token >= 0 and (share >= MIN_SHARE or rank == 0):
                kind = (params.greedy, rank, bisect_left(BUCKETS, share))
                level.setdefault(token, Candidate(token, kind, share))
        if not level:
            return False
        best, *_ = places = tuple(level.values())
        chain.levels.append(places)
        chain.ids.append(ids[0])
        chain.chance *= self._accepted.get(best.kind, Tally()).rate(best.prior)
        ended = best.token in params.eos_ids or chain.chance < self._exit_below
        return len(chain.levels) < chain.limit and not ended

    def _shares(self, logits: Tensor, chains: Sequence[Chain]) -> Tensor:
        """How likely each token is to be the target's, as far as the draft can tell: (rows, vocabulary).

        For a greedy request the draft's probabilities; for a sampled one they are weighted with the
        position's noise, so that the winner of the race comes first and leads by as much as it wins.
        """
        shares = logits.softmax(-1)
        for row, chain in enumerate(chains):
            params = chain.request.params
            if params.greedy and params.repetition_penalty == 1:
                continue
            seen = [*chain.context, *chain.ids] if params.repetition_penalty != 1 else ()
            scores = penalise_repetition(logits[row], seen, params.repetition_penalty)
            if not params.greedy:
                drawn = self._noise(params.seed, chain.length + len(chain.ids)).to(scores.device)
                scores = logits_to_probs(scores, params).log() - drawn.log()
            shares[row] = scores.softmax(-1)
        return shares if self._missing is None else shares.masked_fill(self._missing, 0)

    def _noise(self, seed: int, position: int) -> Tensor:
        """The target's noise of a position, in the order of the draft's vocabulary."""
        drawn = noise(seed, position, self._vocab_size)
        if self._targets is None:
            return drawn
        return drawn[self._targets.clamp_min(0)].masked_fill(self._targets < 0, torch.inf)
