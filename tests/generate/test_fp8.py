"""FP8 weights, as far as a CPU can tell: exact in what they promise, and refused where they cannot be."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import linear

from configs.errors import ModelError
from generate.engine import fp8
from generate.engine.engine import Engine
from generate.engine.fp8 import FP8, LARGEST, Fp8Module, quantise, quantise_modules, why_no_fp8
from generate.engine.request import SamplingParams
from generate.engine.runner import ModelRunner, load_model
from generate.load import load_runner
from tests.generate.conftest import generate_settings

SHAPES = ((16, 16), (96, 64), (320, 48))


def rows(count: int, size: int, seed: int) -> Tensor:
    """Random rows; every third is far larger than the others, or far smaller."""
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(count, size, generator=source)
    x[::3] *= 10.0 ** torch.randint(-6, 7, (len(x[::3]), 1), generator=source)
    return x


def layer(outputs: int, inputs: int, *, bias: bool = False, dtype: torch.dtype = torch.float32) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(outputs)
        return torch.nn.Linear(inputs, outputs, bias, dtype=dtype)


def rounded(x: Tensor) -> Tensor:
    """What numbers are after quantisation, in float64."""
    numbers, scale = quantise(x)
    return numbers.double() * scale


@pytest.fixture
def has_products() -> None:
    """Torch has the scaled product for this CPU."""
    try:
        Fp8Module(layer(16, 16))(torch.ones(1, 16))
    except (RuntimeError, NotImplementedError):
        pytest.skip("torch has no FP8 products for the CPU")


@given(count=st.integers(1, 20), size=st.integers(1, 80), seed=st.integers(0, 10**6))
def test_numbers_are_rounded_to_three_bits_behind_the_first(count: int, size: int, seed: int) -> None:
    x = rows(count, size, seed)
    numbers, scale = quantise(x)
    assert numbers.dtype == FP8
    assert bool((numbers.float().abs().amax(1) == LARGEST).all()), "the scale is used to its end"
    smallest = scale.double() * 2**-9
    bound = torch.maximum(x.abs().double() / 16, smallest / 2) * (1 + 1e-6)
    assert bool(((rounded(x) - x).abs() <= bound).all())


@given(count=st.integers(1, 40), seed=st.integers(0, 10**6), data=st.data())
def test_a_row_is_quantised_alike_whatever_rows_share_the_batch(
    count: int, seed: int, data: st.DataObject
) -> None:
    x = rows(count, 48, seed)
    row = data.draw(st.integers(0, count - 1))
    for together, alone in zip(quantise(x), quantise(x[row : row + 1]), strict=True):
        assert torch.equal(together[row : row + 1].float(), alone.float())


@pytest.mark.usefixtures("has_products")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 2, 7, 33, 300])
def test_a_product_is_that_of_the_rounded_numbers(shape: tuple[int, int], count: int) -> None:
    """Alone or in company; what is left is float32's own rounding."""
    module = layer(*shape, bias=True)
    x = rows(count, shape[1], seed=count)
    weight, bias = rounded(module.weight.detach()), module.bias.detach().double()
    exact = linear(rounded(x), weight, bias)
    bound = 1e-6 * (linear(rounded(x).abs(), weight.abs()) + bias.abs())
    quantised = Fp8Module(module)
    together = quantised(x).detach()
    assert bool(((together - exact).abs() <= bound).all())
    for row in range(0, count, 11):
        alone = quantised(x[row : row + 1]).detach()
        assert bool(((alone - exact[row]).abs() <= bound[row]).all())


@pytest.mark.usefixtures("has_products")
def test_shapes_types_and_rows_of_nothing() -> None:
    module = Fp8Module(layer(32, 16, bias=True, dtype=torch.bfloat16))
    found = module(torch.randn(2, 3, 16, dtype=torch.bfloat16))
    assert found.shape == (2, 3, 32)
    assert found.dtype == torch.bfloat16
    zero = module(torch.zeros(1, 16, dtype=torch.bfloat16))
    assert torch.equal(zero[0], layer(32, 16, bias=True, dtype=torch.bfloat16).bias)


@pytest.mark.usefixtures("has_products")
@pytest.mark.parametrize("bad", [torch.inf, -torch.inf, torch.nan])
def test_a_row_that_is_not_finite_stays_so_and_harms_no_other(bad: float) -> None:
    module, x = Fp8Module(layer(32, 16)), torch.randn(3, 16)
    healthy = module(x)
    x[1, 4] = bad
    found = module(x)
    assert not bool(found[1].isfinite().any())
    assert torch.equal(found[[0, 2]], healthy[[0, 2]])


def test_modules_of_odd_sizes_and_other_kinds_stay() -> None:
    class Own(torch.nn.Linear):
        """No plain linear module: its forward may do anything."""

    model = torch.nn.ModuleDict(
        {"even": layer(32, 16), "odd": layer(32, 18), "own": Own(16, 16), "deep": torch.nn.ModuleList()}
    )
    model["deep"].append(layer(16, 32))
    quantise_modules(model)
    assert isinstance(model["even"], Fp8Module)
    assert isinstance(model["deep"][0], Fp8Module)
    assert type(model["odd"]) is torch.nn.Linear
    assert type(model["own"]) is Own


@pytest.mark.usefixtures("has_products")
@pytest.mark.parametrize("family", ["llama", "mixtral", "phi", "gemma3"])
def test_a_model_writes_with_them(
    tiny_model: Callable[[str], Path], family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way of a graphics card, by torch alone: loaded, quantised, labelled, near the original."""
    monkeypatch.setattr(fp8, "why_no_fp8", lambda model: None)
    monkeypatch.setitem(sys.modules, "generate.engine.cuda", None)
    settings = generate_settings(weights="fp8", device="cpu", dtype="bfloat16", attention_window=60)
    runner = load_runner(tiny_model(family), settings)
    assert runner.weights == "fp8 (lossy: window 60)"
    assert sum(isinstance(module, Fp8Module) for module in runner.model.modules()) >= 9
    (output,) = Engine(runner, settings).generate([[5, 9, 200, 31]], SamplingParams(max_tokens=6))
    assert len(output) == 6
    original = ModelRunner(load_model(tiny_model(family), device="cpu", dtype="bfloat16"))
    first, second = (_logits(each) for each in (original, runner))
    assert float(torch.nn.functional.cosine_similarity(first, second, -1).min()) > 0.97


@torch.inference_mode()
def _logits(runner: ModelRunner) -> Tensor:
    engine = Engine(runner, generate_settings())
    found: list[Tensor] = []
    forward = runner.forward

    def keep(batch: Any) -> Tensor:
        found.append(forward(batch))
        return found[-1]

    runner.forward = keep  # type: ignore[method-assign]
    engine.generate([[*range(20)], [7] * 9], SamplingParams(max_tokens=1))
    return torch.cat(found)


def test_auto_never_chooses_it_and_a_cpu_refuses_it(tiny_model: Callable[[str], Path]) -> None:
    folder = tiny_model("llama")
    assert load_runner(folder, generate_settings(weights="auto", device="cpu")).weights in ("int8", "float32")
    with pytest.raises(ModelError, match=r"generate\.weights is fp8.*on cpu; set generate\.weights=float"):
        load_runner(folder, generate_settings(weights="fp8", device="cpu"))
    with pytest.raises(ModelError, match=r"is fp8, but generate\.weights_mb.*one of the two"):
        load_runner(folder, generate_settings(weights="fp8", weights_mb=1.0))


@pytest.mark.parametrize(
    ("capability", "dtype", "words"),
    [
        ((8, 0), torch.bfloat16, "need compute capability 8.9, and Some Card has 8.0"),
        ((9, 0), torch.float32, "come out as bfloat16, and generate.dtype is float32"),
        ((8, 9), torch.bfloat16, None),
        ((10, 0), torch.bfloat16, None),
    ],
)
def test_what_a_card_must_have(
    capability: tuple[int, int], dtype: torch.dtype, words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some Card")
    reason = why_no_fp8(SimpleNamespace(device=torch.device("cuda"), dtype=dtype))
    assert reason is None if words is None else words in str(reason)
