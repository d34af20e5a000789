"""A window over the context as a policy: lossy, whatever the model was trained for.

A query sees the first tokens, which all attention leans on, and the most recent ones, so that a token
costs the same however long the context is (LM-Infinite, arXiv 2308.16137, section 4; StreamingLLM,
arXiv 2309.17453, section 3.2). Positions stay the tokens' own. Neither paper's ceiling on distances
is here, so a model's context is not extended.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from generate.engine.batch import Segment

SINKS = 16
"""First tokens that stay in sight. Four were enough for all models of StreamingLLM (table 2), and more
than is needed costs next to nothing, so there is no setting for it."""


@dataclass(frozen=True)
class Window:
    """What a query sees of the tokens up to itself.

    The ``recent`` last ones, itself included, and the ``sinks`` first ones, which it sees from at most
    ``reach`` positions on, itself included; None: from everywhere.
    """

    recent: int
    sinks: int = 0
    reach: int | None = None

    @classmethod
    def of(cls, own: int | None, policy: int | None) -> Window | None:
        """What both a layer's own sliding window and the policy let it see; None: all."""
        if policy is not None and (own is None or policy < own):
            return cls(policy, SINKS, own)
        return None if own is None else cls(own)

    def sees(self, query: Tensor, key: Tensor) -> Tensor:
        """Whether queries at these positions see keys at those, up to themselves; shapes broadcast."""
        seen = key > query - self.recent
        if self.sinks:
            sink = key < self.sinks
            seen = seen | (sink if self.reach is None else sink & (key > query - self.reach))
        return seen

    def narrow(self, segment: Segment) -> tuple[Tensor, Tensor | None]:
        """The slots of which a segment's rows see some, and who sees which: (rows, slots); None: all do."""
        count, length = segment.end - segment.begin, len(segment.slots)
        device, tree = segment.slots.device, segment.ancestors
        first = max(0, length - count - self.recent + 1)
        places = torch.cat([torch.arange(min(self.sinks, first)), torch.arange(first, length)]).to(device)
        slots = segment.slots[places]
        if count == 1 and self.reach is None:
            return slots, None
        own = torch.ones(count, count, dtype=torch.bool, device=device).tril() if tree is None else tree
        depth = own.sum(1) - 1  # of a stretch: the row's number
        query = length - count + depth
        context = places[: len(places) - count]
        seen = torch.cat([own.new_ones(count, len(context)), own], 1)
        return slots, seen & self.sees(query[:, None], torch.cat([context, query]))
