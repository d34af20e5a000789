"""INT8 weights: exact in what they promise, near in what they approximate, refused where they cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from configs.errors import ModelError
from generate.engine import int8
from generate.engine.batch import pack
from generate.engine.int8 import Int8Linear, int8_linear, quantise_modules, why_no_int8
from generate.engine.lean import LeanRunner
from generate.engine.lean_model import Norm
from generate.engine.native import library
from generate.engine.request import Request, SamplingParams
from generate.engine.runner import ModelRunner, load_model
from generate.engine.scheduler import Scheduled
from generate.load import load_runner, runner_for
from generate.speculate.tree import TokenTree
from tests.generate.conftest import generate_settings
from tests.generate.families import FAMILIES

LEVELS = (127, 63)
SHAPES = ((1, 1), (7, 5), (33, 17), (96, 64), (200, 130))


def layer(outputs: int, inputs: int, levels: int = 127, seed: int = 0) -> tuple[Int8Linear, Tensor]:
    """A random layer, and its weights as they are after quantisation, in float64."""
    weight = torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(seed))
    unit = weight.abs().amax(1, True) / 127
    return Int8Linear(weight, None, None, levels), (weight / unit).round().double() * unit


def rows(count: int, size: int, seed: int) -> Tensor:
    """Random rows; every third is far larger than the others, or far smaller."""
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(count, size, generator=source)
    x[::3] *= 10.0 ** torch.randint(-6, 7, (len(x[::3]), 1), generator=source)
    return x


@settings(max_examples=60, deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    levels=st.sampled_from(LEVELS),
    count=st.one_of(st.integers(1, 40), st.integers(120, 150)),
    seed=st.integers(0, 10**6),
    data=st.data(),
)
def test_a_row_is_the_same_bit_for_bit_whatever_rows_share_the_batch(shape, levels, count, seed, data):
    linear, _ = layer(*shape, levels)
    x = rows(count, shape[1], seed)
    together = linear(x)
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first + 1, count))
    assert torch.equal(linear(x[first:last]), together[first:last])
    assert torch.equal(linear(x[first : first + 1]), together[first : first + 1])
    order = torch.randperm(count)
    assert torch.equal(linear(x[order]), together[order])


@pytest.mark.parametrize("count", [1, 31, 128, 129, 300])
@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("shape", SHAPES)
def test_of_the_activations_nothing_is_lost(shape, levels, count):
    """What is left is what float32 itself rounds: with 63 levels the digits have two bits less."""
    linear, weight = layer(*shape, levels)
    x = rows(count, shape[1], 1)
    found, exact = linear(x).double(), x.double() @ weight.T
    step = x.abs().amax(1, True).double() / (levels * (2 * levels) ** 2)
    bound = (2 * step + 2e-7 * x.abs().double()) @ weight.abs().T + 2e-7 * (x.abs().double() @ weight.abs().T)
    assert bool(((found - exact).abs() <= bound + 1e-35).all())


def test_bias_norm_and_what_is_added():
    torch.manual_seed(0)
    weight, bias, x, onto = torch.randn(48, 32), torch.randn(48), torch.randn(5, 32), torch.randn(5, 48)
    norm = Norm(torch.randn(32), 1e-5)
    unit = weight.abs().amax(1, True) / 127
    normed = torch.rms_norm(x, (32,), norm.weight, norm.eps)
    wanted = normed @ ((weight / unit).round() * unit).T + bias + onto
    found = Int8Linear(weight, bias, norm, 127)(x, onto)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-5)


def test_rows_of_zeros_and_rows_that_are_not_finite_keep_to_themselves():
    linear, _ = layer(33, 17)
    x = rows(40, 17, 2)
    healthy = linear(x)
    x[3], x[7, 2], x[11, 5], x[39, 0] = 0.0, torch.nan, torch.inf, -torch.inf
    found = linear(x)
    assert torch.equal(found[3], torch.zeros(33))
    ill = [7, 11, 39]
    assert not found[ill].isfinite().any(1).all()
    well = [row for row in range(40) if row not in (3, *ill)]
    assert torch.equal(found[well], healthy[well])
    norm = Int8Linear(torch.randn(33, 17), None, Norm(torch.ones(17), 1e-6), 127)
    assert torch.equal(norm(torch.zeros(1, 17)), torch.zeros(1, 33))


def run(runner: ModelRunner, prompts: list[list[int]]) -> Tensor:
    """Logits of a chunk of each prompt, and then of a token tree below it."""
    cache = runner.new_cache(80 * len(prompts))
    requests = [Request(prompt, SamplingParams()) for prompt in prompts]
    for number, request in enumerate(requests):
        request.block_table = list(range(20 * number, 20 * number + 20))
    chunks = [Scheduled(request, len(request.tokens)) for request in requests]
    logits = [runner.forward(pack(chunks, cache, 4, runner.device))]
    for request in requests:
        request.computed = len(request.tokens) - 1
    trees = [Scheduled(request, 1, TokenTree.chain(range(6))) for request in requests]
    logits.append(runner.forward(pack(trees, cache, 4, runner.device)))
    return torch.cat(logits)


def rounded(model: Any) -> Any:
    """A model whose linear weights are what quantisation makes of them, in float32."""
    for module in model.modules():
        if type(module) is torch.nn.Linear:
            weight = module.weight.detach()
            unit = weight.abs().amax(1, True) / 127
            module.weight = torch.nn.Parameter((weight / unit).round() * unit)
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_runs_with_quantised_weights(
    tiny_model: Callable[[str], Path], family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against transformers with the same rounded weights: of the activations nearly nothing is lost."""
    monkeypatch.setattr(library, "kernels", lambda: None)  # those of torch are meant
    prompts = [list(range(5, 35)), [7], list(range(60, 10, -1))]
    runner = runner_for(load_model(tiny_model(family), device="cpu"), int8=True)
    assert runner.weights == "int8"
    assert isinstance(runner, LeanRunner) == (family in ("llama", "mistral", "qwen2", "qwen3"))
    reference = ModelRunner(rounded(load_model(tiny_model(family), device="cpu")))
    assert runner.identity != reference.identity
    wanted, found = run(reference, prompts), run(runner, prompts)
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def test_linear_modules_are_exchanged_and_nothing_else(tiny_model: Callable[[str], Path]) -> None:
    model = load_model(tiny_model("mixtral"), device="cpu")
    kept = {name for name, _ in model.named_parameters() if "experts" in name or "norm" in name}
    quantise_modules(model)
    assert not any(type(module) is torch.nn.Linear for module in model.modules())
    assert {name for name, _ in model.named_parameters() if "norm" in name or "experts" in name} == kept
    assert any("experts" in name for name in kept)


def test_auto_quantises_and_float_does_not(tiny_model: Callable[[str], Path]) -> None:
    weights = {
        wanted: load_runner(tiny_model("llama"), generate_settings(weights=wanted, device="cpu")).weights
        for wanted in ("auto", "int8", "float")
    }
    assert weights == {"auto": "int8", "int8": "int8", "float": "float32"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"dtype": "bfloat16"}, "dtype is bfloat16"), ({"weights_mb": 1.0}, "weights_mb")],
    ids=["another type", "streamed"],
)
def test_what_cannot_be_quantised_is_refused_in_one_line(
    tiny_model: Callable[[str], Path], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelError, match=words) as error:
        load_runner(tiny_model("llama"), generate_settings(weights="int8", device="cpu", **changes))
    assert "\n" not in str(error.value)
    runner = load_runner(tiny_model("llama"), generate_settings(weights="auto", device="cpu", **changes))
    assert runner.weights == changes.get("dtype", "float32")


def test_a_processor_without_kernels_is_named(
    tiny_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "_levels", lambda: 0)
    with pytest.raises(ModelError, match=r"no INT8 kernels.*generate\.weights=float"):
        load_runner(tiny_model("llama"), generate_settings(weights="int8", device="cpu"))
    assert load_runner(tiny_model("llama"), generate_settings(weights="auto")).weights == "float32"


class Saturating(Int8Linear):
    """What a processor without VNNI instructions makes of weights of 1: sums of two products in 16 bits."""

    def _product(self, digits: Tensor) -> Tensor:
        whole = (digits + self._zero).round().long()
        ones = torch.full((64, 64), 127)
        pairs = (whole[:, None, :] * ones).view(len(whole), 64, 32, 2).sum(3).clamp(-(2**15), 2**15 - 1)
        return (pairs.sum(2) - self._zero * 127 * 64) / (127 * (self._zero - 1))


def test_without_wide_sums_there_are_fewer_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(int8, "Int8Linear", Saturating)
        assert int8._levels.__wrapped__() == 63

    def without(*_: Any) -> None:
        raise RuntimeError("quantized engine FBGEMM is not supported")

    monkeypatch.setattr(int8, "Int8Linear", without)
    assert int8._levels.__wrapped__() == 0


def test_this_processor_quantises(tiny_model: Callable[[str], Path]) -> None:
    if why_no_int8(load_model(tiny_model("llama"), device="cpu")):
        pytest.skip("not an x86 processor")
    assert isinstance(int8_linear(torch.ones(2, 2), None, None), Int8Linear)
