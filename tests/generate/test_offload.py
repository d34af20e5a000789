"""A model of which half the weights fit into memory says what the whole model says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import ModelError
from generate.engine.engine import Engine
from generate.engine.request import SamplingParams
from generate.load import load_runner
from generate.speculate.speculator import Speculator
from tests.generate.conftest import generate_settings
from tests.generate.drafters import OracleDrafter
from tests.generate.families import FAMILIES, VOCAB
from tests.generate.reference import Reference, assert_same, run

PROMPTS = [[5, 9, 200, 31, 7], [3] * 20, list(range(40))]


def half_of(folder: Path) -> float:
    """Half of a model's weights, in megabytes."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 2 / 2**20


@pytest.mark.parametrize("family", FAMILIES)
def test_streamed_weights_are_exact_with_trees_and_without(
    tiny_model: Callable[[str], Path], family: str
) -> None:
    folder = tiny_model(family)
    settings = generate_settings(weights_mb=half_of(folder), kv_cache_mb=8)
    runner = load_runner(folder, settings)
    streamed = [name for name, weight in runner.model.named_parameters() if weight.device.type == "meta"]
    assert streamed, "some weights are read when they are needed"
    wanted = Reference(folder)(PROMPTS, 12)
    futures = {tuple(p): found.tokens for p, found in zip(PROMPTS, wanted, strict=True)}
    oracle = Speculator([OracleDrafter(futures, vocabulary=VOCAB)], limit=8, planner=None)
    for speculator in (None, oracle):
        engine = Engine(runner, settings)
        engine.speculator = speculator
        found = run(engine, PROMPTS, 12)
        assert_same(wanted, [continuation for _, continuation in found])
        steps = sum(request.steps for request, _ in found)
        assert (steps < 12 * len(PROMPTS)) == (speculator is not None)


def test_hardly_any_memory_is_slow_and_exact(tiny_model: Callable[[str], Path]) -> None:
    folder = tiny_model("llama")
    settings = generate_settings(weights_mb=0.001, kv_cache_mb=8)
    engine = Engine(load_runner(folder, settings), settings)
    (wanted,) = Reference(folder)([PROMPTS[0]], 4)
    assert engine.generate([PROMPTS[0]], SamplingParams(max_tokens=4)) == [wanted.tokens]


def test_damaged_weights_are_an_error_that_names_the_folder(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    shutil.copytree(tiny_model("llama"), tmp_path / "model")
    (weights,) = (tmp_path / "model").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelError, match=str(tmp_path / "model")):
        load_runner(tmp_path / "model", generate_settings(weights_mb=1.0))
