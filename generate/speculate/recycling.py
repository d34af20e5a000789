"""Drafts from what the target thought before: its runners-up, remembered by the tokens before them.

Every verified row holds the target's whole distribution, of which decoding uses one token. The best
few of each are kept by the last two tokens before them, and by the last one, and proposed where
these tokens come again: Token Recycling (arXiv 2408.08696), with a longer context where there is one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor

from generate.engine.request import Request
from generate.speculate.drafter import Candidate, Outcome

WIDTH = 8
MAX_ENTRIES = 200_000
"""Contexts remembered, of all salts together; the oldest of the salt unused for longest go first."""
MAX_SALTS = 64
MIN_PROBABILITY = 0.004
STRETCH = 128
SAMPLED = 16
"""Every so many tokens one stands for all that are not among the likeliest."""

Entry = tuple[tuple[int, float], ...]
Table = OrderedDict[tuple[int, ...], Entry]
State = tuple[Table, tuple[int, int]]


class RecycleDrafter:
    """Proposes the target's earlier choices and runners-up after the same tokens.

    Requests share what they learn only within a salt, so that speed tells nobody what others asked.
    """

    name = "recycle"

    def __init__(self) -> None:
        self._tables: OrderedDict[str, Table] = OrderedDict()

    def begin(self, request: Request) -> State | None:
        if len(request.tokens) < 2:
            return None
        return self._table(request.salt), (request.tokens[-2], request.tokens[-1])

    def candidates(self, state: State) -> Sequence[Candidate]:
        """What followed the last two tokens, then what followed the last one."""
        table, context = state
        found: list[Candidate] = []
        known: set[int] = set()
        for order in (2, 1):
            for rank, (token, probability) in enumerate(table.get(context[-order:], ())):
                if token not in known and len(found) < WIDTH:
                    known.add(token)
                    kind = (order, min(rank, 4), int(probability * 9.999))
                    found.append(Candidate(token, kind, (0.25, 0.7)[order - 1] * probability))
        return found

    def advance(self, state: State, token: int) -> State | None:
        table, (_, last) = state
        return table, (last, token)

    def observe(self, outcome: Outcome) -> None:
        """Remember the best few tokens of every row, those of rejected nodes included."""
        request, tree = outcome.request, outcome.tree
        table = self._table(request.salt)
        best, weights = likeliest(outcome.logits, WIDTH)
        last = tuple(request.tokens[-2:])
        contexts = [last]
        for token, parent in zip(tree.tokens, tree.parents, strict=True):
            contexts.append((*contexts[parent + 1][-1:], token))
        for context, tokens, shares in zip(contexts, best.tolist(), weights.tolist(), strict=True):
            entry = tuple(
                (token, share)
                for token, share in zip(tokens, shares, strict=True)
                if share >= MIN_PROBABILITY
            )
            for key in {context, context[-1:]}:
                table[key] = entry
                table.move_to_end(key)
        for other in list(self._tables.values()):
            while other and sum(map(len, self._tables.values())) > MAX_ENTRIES:
                other.popitem(last=False)

    def forget(self, request: Request) -> None:
        """Nothing is kept by request."""

    def _table(self, salt: str) -> Table:
        table = self._tables.setdefault(salt, OrderedDict())
        self._tables.move_to_end(salt)
        while len(self._tables) > MAX_SALTS:
            self._tables.popitem(last=False)
        return table


def likeliest(logits: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The likeliest tokens and about how likely they are, in a fifth of the time of topk and softmax.

    The best ``count`` tokens lie in the best ``count`` stretches of the vocabulary; what all other tokens
    weigh is estimated from a part of them.

    Args:
        logits: (rows, vocabulary).

    Returns:
        Tokens and probabilities: (rows, ``count``) each, the likeliest first.
    """
    rows, vocabulary = logits.shape
    if vocabulary < count * STRETCH:
        best = logits.softmax(-1).topk(min(count, vocabulary))
        return best.indices, best.values
    stretches = torch.nn.functional.pad(logits, (0, -vocabulary % STRETCH), value=-torch.inf)
    stretches = stretches.view(rows, -1, STRETCH)
    chosen = stretches.amax(-1).topk(count).indices
    found = stretches.gather(1, chosen[:, :, None].expand(-1, -1, STRETCH)).flatten(1).topk(count)
    tokens = chosen.gather(1, found.indices // STRETCH) * STRETCH + found.indices % STRETCH
    top = found.values[:, :1]
    sample = logits[:, ::SAMPLED]
    others = (sample - top).exp().masked_fill(sample >= found.values[:, -1:], 0).sum(-1, keepdim=True)
    weights = (found.values - top).exp()
    return tokens, weights / (weights.sum(-1, keepdim=True) + SAMPLED * others)
