"""What is measured: systems that prefill a group of prompts once and decode it again and again.

Ours share one engine and one prefix cache: a prompt that ran before is found there, so a run computes
the end of each prompt and then decodes. Only the decoding is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Protocol

import torch

from generate.bench.cells import Group
from generate.engine.engine import Engine
from generate.engine.request import Request, SamplingParams
from generate.grammar import Grammar
from generate.speculate.drafter import Drafter, ModelDrafter
from generate.speculate.speculator import Speculator


@dataclass(frozen=True)
class Decoded:
    """One timed run of a group.

    ``tokens``, ``steps`` and ``seconds`` count from the moment when every request had its first
    token: tokens of the whole batch, forward passes summed over its requests.
    """

    outputs: tuple[tuple[int, ...], ...]
    tokens: int
    steps: int
    seconds: float
    ttft_cached_s: float | None = None
    """Median wait for a first token with the prompt's KV cached, all but its last block."""


class System(Protocol):
    """One way to decode."""

    @property
    def name(self) -> str: ...

    @property
    def variant(self) -> str | None:
        """What tells apart systems of one name."""

    @property
    def weights(self) -> str:
        """The type of the weights: float32, int8, Q4_1."""

    @property
    def largest_batch(self) -> int | None:
        """The most prompts it runs at once; None: any number."""

    def reset(self) -> None:
        """Forget what earlier prompts taught it; called before each cell."""

    def prefill(self, group: Group) -> float:
        """Compute the prompts' KV from nothing and keep it; the median wait for a first token, in seconds.

        Systems that share a cache do it once.
        """

    def decode(self, group: Group, lane: int) -> Decoded:
        """Continue the prompts that were prefilled last.

        Args:
            lane: runs of one group differ in it; what a system remembers of a text in one lane it
                must not use in another, for there it would know the answers already.
        """


def label(system: System) -> str:
    """A system's name and variant, as people read them."""
    return f"{system.name} ({system.variant})" if system.variant else system.name


def type_name(dtype: torch.dtype) -> str:
    """``float32``, not ``torch.float32``."""
    return str(dtype).removeprefix("torch.")


class EngineHost:
    """The engine that all our systems run on."""

    def __init__(
        self, engine: Engine, params: SamplingParams, weights: str, grammar: Grammar | None = None
    ) -> None:
        self.engine = engine
        self.weights = weights
        self._params = params
        self._grammar = grammar
        self._held: Group | None = None
        self._ttft = 0.0

    def prefill(self, group: Group) -> float:
        """See `System.prefill`."""
        if self._held is not group:
            self.engine.pool.clear()
            self.engine.speculator = None
            requests = self._add(group, replace(self._params, max_tokens=1))
            self._ttft = median(self._first_tokens(requests))
            self._held = group
        return self._ttft

    @torch.inference_mode()
    def decode(self, group: Group, speculator: Speculator | None) -> Decoded:
        """See `System.decode`."""
        self.engine.speculator = speculator
        requests = self._add(group, self._params)
        waits = self._first_tokens(requests)
        tokens = sum(len(request.output) for request in requests)
        steps = sum(request.steps for request in requests)
        started = time.perf_counter()
        while self.engine.busy:
            self.engine.step()
        seconds = time.perf_counter() - started
        for request in requests:
            if request.error:
                raise request.error
        return Decoded(
            outputs=tuple(tuple(request.output) for request in requests),
            tokens=sum(len(request.output) for request in requests) - tokens,
            steps=sum(request.steps for request in requests) - steps,
            seconds=seconds,
            ttft_cached_s=median(waits),
        )

    def forget(self) -> None:
        """The cache's content is gone: measuring step costs overwrites it."""
        self._held = None

    def _add(self, group: Group, params: SamplingParams) -> list[Request]:
        return [self.engine.add(prompt, params, grammar=self._grammar) for prompt in group]

    @torch.inference_mode()
    def _first_tokens(self, requests: Sequence[Request]) -> list[float]:
        """Run until every request has a token, or failed; how long each waited for it."""
        started = time.perf_counter()
        waits: dict[int, float] = {}
        while len(waits) < len(requests):
            for output in self.engine.step():
                waits.setdefault(output.request.id, time.perf_counter() - started)
        return list(waits.values())


@dataclass
class EngineSystem:
    """The engine with one speculator, or with none.

    The speculator is kept over a cell's prompts and learns from them: how often drafts of a kind are
    right, and what steps cost. What its drafters remember of texts is kept by lane. Drafters that run
    a model draft from the request alone, so one of each is enough.

    Args:
        open_speculator: a new one for each cell; None decodes plainly.
    """

    name: str
    host: EngineHost
    open_speculator: Callable[[], Speculator | None] = lambda: None
    variant: str | None = None
    largest_batch: int | None = None
    _speculator: Speculator | None = None
    _untaught: list[Drafter] = field(default_factory=list)
    _lanes: dict[int, list[Drafter]] = field(default_factory=dict)

    @property
    def weights(self) -> str:
        return self.host.weights

    def reset(self) -> None:
        self._speculator = self.open_speculator()
        self._untaught = list(self._speculator.drafters) if self._speculator else []
        self._lanes.clear()
        self.host.forget()

    def prefill(self, group: Group) -> float:
        return self.host.prefill(group)

    def decode(self, group: Group, lane: int) -> Decoded:
        if self._speculator is not None:
            self._speculator.drafters = self._of_lane(lane)
        return self.host.decode(group, self._speculator)

    def _of_lane(self, lane: int) -> list[Drafter]:
        if lane not in self._lanes:
            self._lanes[lane] = [
                drafter if isinstance(drafter, ModelDrafter) else deepcopy(drafter)
                for drafter in self._untaught
            ]
        return self._lanes[lane]
