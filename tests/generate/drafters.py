"""Drafters for tests: one that knows what comes, and lies at will, so that all patterns occur."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from generate.engine.request import Request
from generate.speculate.drafter import Candidate, Outcome


class OracleDrafter:
    """Proposes the right token with a given probability, among wrong ones.

    Args:
        futures: for each prompt, the tokens that come.
        right: the probability that the right token is among the candidates of a place.
        wrong: how many wrong candidates a place has, at most.
    """

    name = "oracle"

    def __init__(
        self,
        futures: dict[tuple[int, ...], Sequence[int]],
        *,
        vocabulary: int,
        right: float = 0.7,
        wrong: int = 3,
        seed: int = 0,
    ) -> None:
        self._futures = futures
        self._vocabulary = vocabulary
        self._right = right
        self._wrong = wrong
        self._random = random.Random(seed)

    def begin(self, request: Request) -> Any:
        return tuple(request.prompt), tuple(request.output)

    def candidates(self, state: Any) -> Sequence[Candidate]:
        prompt, written = state
        future = self._futures.get(prompt, ())
        on_the_way = tuple(future[: len(written)]) == written and len(written) < len(future)
        tokens = {
            self._random.randrange(self._vocabulary) for _ in range(self._random.randint(0, self._wrong))
        }
        if on_the_way and self._random.random() < self._right:
            tokens.add(future[len(written)])
        shuffled = sorted(tokens)
        self._random.shuffle(shuffled)
        return [Candidate(token, "any", self._random.uniform(0.05, 0.9)) for token in shuffled]

    def advance(self, state: Any, token: int) -> Any:
        prompt, written = state
        return prompt, (*written, token)

    def observe(self, outcome: Outcome) -> None:
        pass

    def forget(self, request: Request) -> None:
        pass
