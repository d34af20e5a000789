"""Models in both houses, the engine's and transformers', and prompts for them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from generate.engine import lean_model
from generate.engine.engine import Engine
from generate.engine.request import Request
from generate.engine.runner import ModelRunner
from tests.generate.conftest import generate_settings
from tests.generate.families import FAMILIES, VOCAB
from tests.generate.reference import Reference, assert_same, run

SMOLLM = "smollm2-135m"
LEAN = tuple(f"lean {family}" for family in lean_model.FAMILIES)
"""The same tiny models, run by the lean runner; SmolLM2 always is."""
MODELS = (*FAMILIES, *LEAN, SMOLLM)
LENGTHS = (5, 17, 40, 1, 33, 64, 9, 25)
COUNT = 16
TEXTS = (
    "The capital of France is",
    "Once upon a time, in a village by the sea, there lived",
    "def fibonacci(n):\n    ",
    "Water boils at",
    "The three branches of government are the legislative, the executive and",
    "1, 2, 3, 5, 8, 13,",
    "A list of what to pack for a week in the mountains:\n\n1.",
    "Dear Sir or Madam,\n\nI am writing to you about the letter that I did not receive in spring.",
)


def random_prompts(lengths: Sequence[int], seed: int = 0) -> list[list[int]]:
    source = random.Random(seed)
    return [[source.randrange(VOCAB) for _ in range(length)] for length in lengths]


@dataclass
class Pair:
    """A model in both houses, and prompts for it."""

    runner: ModelRunner
    reference: Reference
    prompts: list[list[int]]

    def engine(self, *, blocks: int = 200, **changes: Any) -> Engine:
        settings = generate_settings(**changes)
        size = blocks * settings.block_size * self.runner.bytes_per_token()
        return Engine(self.runner, settings.model_copy(update={"kv_cache_mb": size / 2**20}))

    def compare(
        self, engine: Engine, prompts: Sequence[Sequence[int]] | None = None, count: int = COUNT
    ) -> list[Request]:
        """Run prompts through the engine and hold them against the reference."""
        prompts = self.prompts if prompts is None else prompts
        wanted = self.reference(prompts, count)
        done = run(engine, prompts, count)
        assert_same(wanted, [found for _, found in done])
        return [request for request, _ in done]
