"""The compiled kernels at the edges of what they promise: parts of a context, the end of a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, MistralConfig, PreTrainedConfig

from generate.engine.batch import PackedBatch, Segment, pack
from generate.engine.lean import LeanRunner
from generate.engine.linear import FloatLinear
from generate.engine.native import library
from generate.engine.native.runner import NativeRunner
from generate.engine.request import Request, SamplingParams
from generate.engine.runner import ModelRunner
from generate.engine.scheduler import Scheduled
from tests.generate.families import CONTEXT, VOCAB, _shape
from tests.generate.test_lean import random_model

pytestmark = pytest.mark.skipif(library.kernels() is None, reason="no kernels for this processor")

ROOT = Path(__file__).parents[2]
BLOCK = 16
KEPT = 24
MODELS = {
    "all": LlamaConfig(**_shape()),
    "a window beyond the part": MistralConfig(**_shape(sliding_window=40)),
    "a window within the part": MistralConfig(**_shape(sliding_window=12)),
}


def drafted(runner: ModelRunner, position: int) -> Tensor:
    """Logits of a token far behind the part of its context that it reads, as self-drafts have it."""
    cache = runner.new_cache(4 * BLOCK)
    request = Request(tuple(range(5, 5 + KEPT)), SamplingParams())
    request.block_table = [0, 1]
    runner.forward(pack([Scheduled(request, KEPT)], cache, BLOCK, runner.device))
    slots = torch.tensor([*range(KEPT), 2 * BLOCK])
    batch = PackedBatch(
        cache=cache,
        input_ids=torch.tensor([7]),
        positions=torch.tensor([position]),
        slots=slots[-1:],
        segments=(Segment(0, 1, slots),),
        logit_rows=torch.tensor([0]),
    )
    return runner.forward(batch)


@pytest.mark.parametrize("position", [KEPT, 45, 300, CONTEXT - 1])
@pytest.mark.parametrize("name", MODELS)
def test_a_part_of_a_context_is_read_in_its_own_order(name: str, position: int) -> None:
    config: PreTrainedConfig = MODELS[name]
    found = drafted(NativeRunner(random_model(config), int8=False), position)
    torch.testing.assert_close(
        found, drafted(LeanRunner(random_model(config), FloatLinear), position), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize(
    ("tokens", "computed", "message"),
    [((3, VOCAB), 0, "tokens from 3 to 320, of 320"), ((3,) * (CONTEXT + 2), CONTEXT, "positions from 512")],
)
def test_what_the_tables_do_not_have_is_refused(tokens: tuple[int, ...], computed: int, message: str) -> None:
    runner = NativeRunner(random_model(MODELS["all"]))
    request = Request(tokens, SamplingParams())
    request.block_table = list(range(len(tokens) // BLOCK + 1))
    request.computed = computed
    batch = pack([Scheduled(request, 2)], runner.new_cache(CONTEXT + 2 * BLOCK), BLOCK, runner.device)
    with pytest.raises(IndexError, match=message):
        runner.forward(batch)


LEAVING = """
from generate.engine.engine import Engine
from generate.engine.native.runner import NativeRunner
from generate.engine.request import SamplingParams
from generate.engine.service import EngineService
from tests.generate.conftest import generate_settings
from tests.generate.test_lean import random_model
from tests.generate.test_native_limits import MODELS
service = EngineService(Engine(NativeRunner(random_model(MODELS["all"])), generate_settings()))
streams = [service.submit([5] * 100, SamplingParams(max_tokens=400)) for _ in range(8)]
next(iter(streams[0]))
print("leaving")
"""


def test_a_process_may_end_while_its_engine_is_in_a_step() -> None:
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", LEAVING],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "leaving\n", "")
