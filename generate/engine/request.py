"""A request: what is asked for, and how far it has come."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from configs.errors import DraftlineError, InputError

if TYPE_CHECKING:
    from generate.grammar import Grammar, GrammarState

_ids = itertools.count()


@dataclass(frozen=True)
class SamplingParams:
    """How tokens are chosen and when to stop.

    Temperature 0 is greedy. The order is transformers': repetition penalty, temperature, top-k,
    top-p. ``eos_ids`` end the request and are part of its output, as in transformers' ``generate``.
    """

    max_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int = 0
    eos_ids: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        for name, good, rule in (
            ("max_tokens", self.max_tokens > 0, "above 0"),
            ("temperature", 0 <= self.temperature < float("inf"), "0 or above"),
            ("top_p", 0 < self.top_p <= 1, "above 0 and at most 1"),
            ("top_k", self.top_k >= 0, "0 (off) or above"),
            ("repetition_penalty", 0.01 <= self.repetition_penalty <= 100, "from 0.01 to 100"),
            ("seed", -(2**63) <= self.seed < 2**64, "a 64-bit integer"),
        ):
            if not good:
                raise InputError(f"{name} = {getattr(self, name)} must be {rule}")

    @property
    def greedy(self) -> bool:
        return self.temperature == 0


class FinishReason(Enum):
    """Why a request ended."""

    EOS = "eos"
    LENGTH = "length"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(eq=False)
class Request:
    """One sequence on its way through the engine.

    Invariant: ``0 <= computed < len(tokens)`` while it is unfinished: the K/V of the first
    ``computed`` tokens are in the cache, and the last token's logits are still to be computed.
    A preempted request only forgets its blocks; prefilling ``tokens`` again restores it.
    """

    prompt: Sequence[int]
    params: SamplingParams
    salt: str = ""
    """Requests share cached prefixes only with the same salt (the tenant)."""
    grammar: Grammar | None = None
    """What the output must match; None: anything."""
    id: int = field(default_factory=lambda: next(_ids))
    tokens: list[int] = field(init=False)
    computed: int = 0
    block_table: list[int] = field(default_factory=list)
    block_hashes: list[bytes] = field(default_factory=list)
    """Chained hashes of the full blocks of ``tokens``, as far as they were needed."""
    cached_prompt_tokens: int = 0
    """Prompt tokens whose K/V were found in the cache when the request was first admitted."""
    preemptions: int = 0
    steps: int = 0
    """Forward passes that yielded output tokens."""
    drafted: int = 0
    """Draft tokens that were verified, accepted or not."""
    finished: FinishReason | None = None
    grammar_state: GrammarState | None = None
    """Where in its grammar the output is; set when it is first scheduled, in the engine's thread."""
    error: DraftlineError | None = None
    """Why it failed; its neighbours go on."""

    def __post_init__(self) -> None:
        self.tokens = list(self.prompt)

    @property
    def output(self) -> list[int]:
        return self.tokens[len(self.prompt) :]

    @property
    def pending(self) -> int:
        """Tokens whose K/V are not in the cache yet; 1 while decoding."""
        return len(self.tokens) - self.computed

    @property
    def remaining(self) -> int:
        """Output tokens that it may still get."""
        return self.params.max_tokens - (len(self.tokens) - len(self.prompt))

    def extend(self, tokens: Iterable[int]) -> list[int]:
        """Add a step's output tokens, up to the one that ends the request; returns those added."""
        added = []
        self.steps += 1
        for token in tokens:
            self.tokens.append(token)
            added.append(token)
            if token in self.params.eos_ids:
                self.finished = FinishReason.EOS
            elif self.remaining == 0:
                self.finished = FinishReason.LENGTH
            if self.finished:
                break
        return added

    def fail(self, error: DraftlineError) -> None:
        """End it with an error."""
        self.error = error
        self.finished = FinishReason.FAILED
