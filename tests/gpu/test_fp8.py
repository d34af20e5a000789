"""FP8 weights where they belong: the product on the card, and a model that writes with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import cosine_similarity, linear

from generate.engine.engine import Engine
from generate.engine.fp8 import CAPABILITY, Fp8Module, quantise
from generate.engine.request import SamplingParams
from generate.load import load_runner
from tests.generate.conftest import generate_settings
from tests.generate.families import make_model

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not torch.cuda.is_available() or torch.cuda.get_device_capability() < CAPABILITY,
        reason="needs a CUDA device of compute capability 8.9",
    ),
]


@pytest.mark.parametrize("count", [1, 2, 3, 16, 17, 129, 600])
@pytest.mark.parametrize("shape", [(576, 576), (49152, 576), (64, 1536)])
def test_a_product_is_that_of_the_rounded_numbers(shape: tuple[int, int], count: int) -> None:
    torch.manual_seed(count)
    module = torch.nn.Linear(shape[1], shape[0], dtype=torch.bfloat16, device="cuda")
    x = torch.randn(count, shape[1], dtype=torch.bfloat16, device="cuda")
    x[::3] *= 1000
    weight, rows = (numbers.float() * scale for numbers, scale in (quantise(module.weight), quantise(x)))
    bias = module.bias.float()
    exact = linear(rows.double(), weight.double(), bias.double())
    # bfloat16 rounds twice, and the tensor cores keep fewer bits of a sum than float32 has.
    bound = 0.01 * exact.abs() + 1e-3 * linear(rows.abs(), weight.abs()) + 0.01 * bias.abs()
    quantised = Fp8Module(module)
    assert bool(((quantised(x) - exact).abs() <= bound).all())
    assert bool(((quantised(x[:1]) - exact[:1]).abs() <= bound[:1]).all())


@pytest.mark.parametrize("family", ["llama", "mixtral", "gemma3"])
def test_a_model_writes_with_them(tmp_path: Path, family: str) -> None:
    """Prefill in chunks, then steps that are replayed as graphs."""
    settings = generate_settings(weights="fp8", device="cuda", kv_cache_mb=8)
    runner = load_runner(make_model(family, tmp_path), settings)
    assert runner.weights == "fp8"
    prompts = [[5, 9, 200, 31], [*range(50)]]
    outputs = Engine(runner, settings).generate(prompts, SamplingParams(max_tokens=12))
    assert [len(output) for output in outputs] == [12, 12]
    ids = torch.tensor([prompts[1]], device="cuda")
    plain = load_runner(tmp_path, generate_settings(device="cuda", kv_cache_mb=8))
    with torch.inference_mode():
        first, second = (_logits(each.model, ids) for each in (plain, runner))
    assert float(cosine_similarity(first, second, -1).min()) > 0.97


def _logits(model: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
    model.set_attn_implementation("eager")  # type: ignore[operator]
    return model(input_ids=ids, use_cache=False).logits[0].float()  # type: ignore[no-any-return]
