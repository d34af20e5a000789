"""Padded, captured and refilled steps say what plain ones say. A stand-in captures: a CPU has no graphs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("triton", reason="Triton runs on Linux only")


def decode(folder: Path) -> tuple[list[list[int]], list[list[int]], int, int]:
    """Outputs with the reference attention and with replayed steps; steps captured and replayed."""
    from generate.engine.cuda import CudaRunner
    from generate.engine.engine import Engine
    from generate.engine.request import SamplingParams
    from generate.engine.runner import ModelRunner, load_model
    from generate.speculate.speculator import Speculator
    from tests.generate.conftest import generate_settings
    from tests.generate.drafters import OracleDrafter

    counts = {"captured": 0, "replayed": 0}

    def capture(run: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, Callable[[], None]]:
        counts["captured"] += 1
        result = run().clone()

        def replay() -> None:
            counts["replayed"] += 1
            result.copy_(run())

        return result, replay

    prompts = [[5, 9, 200, 31, 7], [3] * 9, list(range(14))]
    params = SamplingParams(max_tokens=10)
    settings = generate_settings(max_batch_tokens=64)
    plain = Engine(ModelRunner(load_model(folder, device="cpu")), settings).generate(prompts, params)
    engine = Engine(CudaRunner(load_model(folder, device="cpu"), capture), settings)
    futures = {tuple(p): out for p, out in zip(prompts, plain, strict=True)}
    first = engine.generate(prompts, params)
    engine.speculator = Speculator([OracleDrafter(futures, vocabulary=320)], limit=5, planner=None)
    engine.pool.clear()
    second = engine.generate(prompts, params)
    assert second == first
    return plain, first, counts["captured"], counts["replayed"]


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_padded_and_replayed_steps_say_the_same(
    interpreted: Callable[..., Any], tiny_model: Callable[[str], Path], family: str
) -> None:
    """Plain decoding, and trees whose rows and parts come in many sizes, of one and two kinds of layer."""
    plain, replayed, captured, replays = interpreted(decode, tiny_model(family))
    assert replayed == plain
    assert 1 <= captured < replays, "some steps ran in memory that an earlier one had filled"
