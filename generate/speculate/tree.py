"""The token tree: drafts below a request's last token, verified together in one forward pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

ROOT = -1
"""Parent of a first draft token: the request's last token."""

MAX_NODES = 128


@dataclass(frozen=True)
class TokenTree:
    """Draft tokens and what each of them follows.

    Invariant: ``ROOT <= parents[i] < i``, and siblings differ in their tokens. In a packed step the
    root is row 0 and node ``i`` is row ``i + 1``.
    """

    tokens: tuple[int, ...] = ()
    parents: tuple[int, ...] = ()
    depths: tuple[int, ...] = field(init=False)
    """Distance of each node from the root: 1 for its children."""

    def __post_init__(self) -> None:
        assert len(self.tokens) == len(self.parents) <= MAX_NODES
        depths: list[int] = []
        for node, parent in enumerate(self.parents):
            assert ROOT <= parent < node
            depths.append(1 if parent == ROOT else depths[parent] + 1)
        object.__setattr__(self, "depths", tuple(depths))
        assert len(set(zip(self.tokens, self.parents, strict=True))) == len(self.tokens)

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def chain(cls, tokens: Iterable[int]) -> TokenTree:
        """One branch."""
        tokens = tuple(tokens)
        return cls(tokens, tuple(range(-1, len(tokens) - 1)))

    def first(self, count: int) -> TokenTree:
        """The tree of the first ``count`` nodes; parents come before their children."""
        return self if count >= len(self) else TokenTree(self.tokens[:count], self.parents[:count])

    def children(self) -> dict[int, dict[int, int]]:
        """``children()[parent][token]`` is the node, for every node that has children."""
        found: dict[int, dict[int, int]] = {}
        for node, (token, parent) in enumerate(zip(self.tokens, self.parents, strict=True)):
            found.setdefault(parent, {})[token] = node
        return found

    def ancestors(self) -> Tensor:
        """Which rows each row sees, itself and the root included: bool (n + 1, n + 1)."""
        seen = torch.eye(len(self) + 1, dtype=torch.bool)
        seen[:, 0] = True
        for node, parent in enumerate(self.parents):
            if parent != ROOT:
                seen[node + 1] |= seen[parent + 1]
        return seen


NO_DRAFTS = TokenTree()
