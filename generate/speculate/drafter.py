"""The interface of those who propose.

A drafter is an automaton over tokens: it has a state at a request's last token, says which tokens
may come next there, and moves on along a token, whoever proposed it. `generate.speculate.build`
grows one tree over all drafters, so a branch that one begins another may go on with.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from generate.engine.request import Request
from generate.speculate.tree import TokenTree


class Candidate(NamedTuple):
    """A token that may come next."""

    token: int
    kind: Hashable
    """What tells good candidates from bad ones (match length, probability); `Calibration` counts by it."""
    prior: float
    """How often this kind is right, before anything was observed."""


class Outcome(NamedTuple):
    """What a step said about one request, before its accepted tokens are added to it."""

    request: Request
    tree: TokenTree
    accepted: tuple[int, ...]
    """Nodes that stay."""
    tokens: tuple[int, ...]
    """The output tokens of the step: those of the accepted nodes, and one more."""
    logits: Tensor
    """(1 + nodes, vocabulary): of the root and of every node."""


class Drafter(Protocol):
    """Proposes tokens. It keeps what it knows of a request by the request's id, can drop it at any
    time, and rebuilds it from ``request.tokens``."""

    @property
    def name(self) -> str: ...

    def begin(self, request: Request) -> Any | None:
        """The state at the request's last token; None: nothing to propose."""

    def candidates(self, state: Any) -> Sequence[Candidate]:
        """Tokens that may come next, different ones, the best first."""

    def advance(self, state: Any, token: int) -> Any | None:
        """The state after one more token; None: nothing to propose from there on."""

    def observe(self, outcome: Outcome) -> None:
        """Learn from a step."""

    def forget(self, request: Request) -> None:
        """Drop what is known of a request that has ended."""


@runtime_checkable
class ModelDrafter(Drafter, Protocol):
    """A drafter that runs a model: its forward passes come first, for all requests together."""

    def prepare(self, requests: Sequence[Request], depth: int) -> None:
        """Draft up to ``depth`` tokens for each of these decoding requests, one forward pass a level.

        `begin` then finds what was drafted for the request's present last token, or nothing.
        """
