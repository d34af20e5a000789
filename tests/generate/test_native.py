"""The compiled kernels: exact products, and rows that do not know what is computed beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import LlamaConfig, MistralConfig, PreTrainedConfig, Qwen2Config, Qwen3Config

from generate.engine.batch import pack
from generate.engine.lean import LeanRunner
from generate.engine.lean_model import Norm
from generate.engine.native import library
from generate.engine.native.runner import NativeFloatLinear, NativeLinear, NativeRunner, why_not
from generate.engine.request import Request, SamplingParams
from generate.engine.runner import ModelRunner
from generate.engine.scheduler import Scheduled
from generate.load import runner_for
from generate.speculate.tree import TokenTree
from tests.generate.families import _shape
from tests.generate.test_lean import VARIANTS, logits, random_model

pytestmark = pytest.mark.skipif(library.kernels() is None, reason="no kernels for this processor")

BLOCK = 16  # tokens of a block of the cache
CHUNK = 256  # attention's own: contexts on both sides of it
MODELS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**_shape()),
    "window": MistralConfig(**_shape(sliding_window=40)),
    "windows longer than a chunk": MistralConfig(**_shape(sliding_window=270)),
    "wide heads": Qwen3Config(**_shape(head_dim=64)),
    "biases": Qwen2Config(**_shape(num_attention_heads=8, num_key_value_heads=1, head_dim=16)),
    "float32": LlamaConfig(**_shape()),
    "float32 biases": Qwen2Config(**_shape(num_attention_heads=8, num_key_value_heads=1, head_dim=16)),
}


@pytest.fixture(scope="module")
def runners() -> dict[str, NativeRunner]:
    return {
        name: NativeRunner(random_model(config), int8=not name.startswith("float32"))
        for name, config in MODELS.items()
    }


@given(
    shape=st.sampled_from([(40, 64), (16, 32), (7, 130), (48, 200)]),
    rows=st.integers(1, 40),
    normed=st.booleans(),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=40)
def test_products_are_those_of_the_quantised_numbers(
    shape: tuple[int, int], rows: int, normed: bool, seed: int
) -> None:
    outputs, inputs = shape
    generator = torch.Generator().manual_seed(seed)
    weight, x = (
        torch.randn(outputs, inputs, generator=generator),
        torch.randn(rows, inputs, generator=generator),
    )
    bias, gain = torch.randn(outputs, generator=generator), torch.rand(inputs, generator=generator) + 0.5
    norm = Norm(gain, 1e-5) if normed else None
    assume(not any(on_the_edge(numbers) for numbers in (weight, x * gain if normed else x)))
    # The norm is a factor of the row and its gain, so it does not change what the digits are.
    factor = torch.rsqrt(x.double().square().mean(1, True) + 1e-5) if normed else 1.0
    wanted = rounded(x * gain if normed else x) @ rounded(weight).T * factor + bias.double()
    found = NativeLinear(weight, bias, norm)(x)
    torch.testing.assert_close(found.double(), wanted, atol=2e-5, rtol=2e-6)


def scaled(x: Tensor) -> tuple[Tensor, Tensor]:
    """To -127 to 127, and the scale of each 64 numbers of a row."""
    padded = torch.nn.functional.pad(x, (0, -x.shape[1] % 64)).view(len(x), -1, 64)
    peak = padded.abs().amax(2, True)
    return padded * (127 / peak), peak / 127


def rounded(x: Tensor) -> Tensor:
    """To 8 bits, with a scale for each 64 numbers of a row."""
    numbers, scale = scaled(x)
    return (numbers.round().double() * scale.double()).view(len(x), -1)[:, : x.shape[1]]


def on_the_edge(x: Tensor) -> bool:
    """Whether a number lies between two digits as exactly as float32 can tell."""
    numbers, _ = scaled(x)
    return bool(((numbers - numbers.floor() - 0.5).abs() < 8e-6).any())


@pytest.mark.parametrize("name", VARIANTS)
def test_a_step_is_what_its_layers_make(name: str) -> None:
    """Against the same layers, called one by one, with torch's attention between them."""
    reference = LeanRunner(random_model(VARIANTS[name]()), NativeLinear)
    runner = NativeRunner(random_model(VARIANTS[name]()))
    difference = (logits(runner) - logits(reference)).abs()
    # A sum in another order can move an activation to the next of 255 digits: seldom, and not far.
    assert difference.median() < 1e-5
    assert difference.max() < 0.1
    exact = ModelRunner(random_model(VARIANTS[name]()))
    assert (logits(runner) - logits(exact)).abs().mean() < 0.05


@pytest.mark.parametrize("name", VARIANTS)
def test_a_step_in_float32_is_that_of_transformers(name: str) -> None:
    found = logits(NativeRunner(random_model(VARIANTS[name]()), int8=False))
    torch.testing.assert_close(found, logits(ModelRunner(random_model(VARIANTS[name]()))), atol=1e-4, rtol=0)


class Written:
    """A request that is read by chunks of given sizes, wherever its blocks lie."""

    def __init__(self, runner: NativeRunner, cache: Any, tokens: list[int], blocks: list[int]) -> None:
        self.runner, self.cache = runner, cache
        self.request = Request(tokens, SamplingParams())
        self.request.block_table = blocks

    def read(self, *counts: int) -> None:
        for count in counts:
            step(self.runner, self.cache, Scheduled(self.request, count))
            self.request.computed += count


def step(runner: NativeRunner, cache: Any, *shares: Scheduled) -> Tensor:
    return runner.forward(pack(shares, cache, BLOCK, runner.device))


def trees(most: int) -> st.SearchStrategy[TokenTree]:
    """Any tree whose parents come before their children."""

    def build(parents: list[int]) -> TokenTree:
        return TokenTree(
            tuple(7 * i % 300 for i in range(len(parents))),
            tuple(parent % (i + 1) - 1 for i, parent in enumerate(parents)),
        )

    return st.lists(st.integers(0, 10**6), min_size=1, max_size=most).map(build)


@given(
    name=st.sampled_from(sorted(MODELS)),
    length=st.one_of(st.integers(1, 60), st.integers(CHUNK - 12, CHUNK + 12), st.integers(280, 400)),
    tree=trees(40),
    others=st.lists(st.integers(1, 300), max_size=3),
    threads=st.integers(1, 3),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_a_row_has_the_same_bits_whatever_is_computed_beside_it(
    runners: dict[str, NativeRunner],
    name: str,
    length: int,
    tree: TokenTree,
    others: list[int],
    threads: int,
    data: st.DataObject,
) -> None:
    """A tree's nodes, among other requests, after any chunks: as each path decoded alone, token by token."""
    runner = runners[name]
    blocks = data.draw(st.permutations(range(120)))
    tokens = [(11 * i + 5) % 320 for i in range(length)]
    cut = data.draw(st.integers(0, length - 1))
    torch.set_num_threads(threads)
    cache = runner.new_cache(120 * BLOCK)
    need = -(-(length + len(tree)) // BLOCK)
    drafted = Written(runner, cache, tokens, blocks[:need])
    drafted.read(*(n for n in (cut, length - 1 - cut) if n))
    shares = [Scheduled(drafted.request, 1, tree)]
    for count in others:
        taken, need = need, need + -(-count // BLOCK)
        other = Written(runner, cache, [(3 * i + count) % 320 for i in range(count)], blocks[taken:need])
        shares.insert(0, Scheduled(other.request, count))
    together = step(runner, cache, *shares)[len(others) :]
    torch.set_num_threads(1)

    alone = runner.new_cache(120 * BLOCK)
    plain = Written(runner, alone, tokens, list(range(40)))
    plain.read(*[1] * (length - 1))
    leaf = data.draw(st.integers(-1, len(tree) - 1))
    path = []
    while leaf >= 0:
        path.insert(0, leaf)
        leaf = tree.parents[leaf]
    for node in (-1, *path):
        if node >= 0:
            plain.request.tokens.append(tree.tokens[node])
        row = step(runner, alone, Scheduled(plain.request, 1))
        plain.request.computed += 1
        assert torch.equal(row[0], together[node + 1])


@pytest.mark.parametrize("chunks", [(240, 25), (248, 17), (200, 40, 25), (233, 32)])
@pytest.mark.parametrize("name", ["biases", "float32 biases"])
def test_a_short_stretch_over_the_border_of_a_chunk(
    runners: dict[str, NativeRunner], name: str, chunks: tuple[int, ...]
) -> None:
    """With many heads on one KV head, lines that end before the border share the chunk behind it."""
    found = []
    for counts in (chunks, [1] * sum(chunks)):
        cache = runners[name].new_cache(40 * BLOCK)
        tokens = [(11 * i + 5) % 320 for i in range(sum(chunks))]
        written = Written(runners[name], cache, tokens, list(range(40)))
        written.read(*counts)
        found.append(cache.keys[-1][: sum(chunks)].clone())
    assert torch.equal(*found)


def test_numbers_that_are_not_finite_stay_with_their_request(runners: dict[str, NativeRunner]) -> None:
    runner = runners["llama"]
    cache = runner.new_cache(8 * BLOCK)
    sick = Written(runner, cache, list(range(20)), [0, 1])
    well = Written(runner, cache, list(range(30, 60)), [2, 3])
    sick.read(19), well.read(29)
    expected = step(runner, cache, Scheduled(well.request, 1))
    cache.keys[0][5] = torch.nan
    found = step(runner, cache, Scheduled(sick.request, 1), Scheduled(well.request, 1))
    assert not found[0].isfinite().any()
    assert torch.equal(found[1], expected[0])


@pytest.mark.parametrize("int8", [True, False])
def test_all_variants_of_the_kernels_agree_to_the_last_bit(
    int8: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for path in sorted(library.folder().glob("_*.so")):
        kernels = library.load(path)
        if kernels.runs_here():
            monkeypatch.setattr(library, "kernels", lambda kernels=kernels: kernels)
            found.append(logits(NativeRunner(random_model(VARIANTS["llama3"]()), int8=int8)))
    assert len(found) == len(library.VARIANTS)
    assert all(torch.equal(other, found[0]) for other in found)


@given(rows=st.integers(1, 40), inputs=st.integers(1, 200), normed=st.booleans(), seed=st.integers(0, 10**6))
@settings(max_examples=40)
def test_float_products_are_exact_but_for_rounding(rows: int, inputs: int, normed: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight, bias = torch.randn(37, inputs, generator=generator), torch.randn(37, generator=generator)
    x, gain = torch.randn(rows, inputs, generator=generator), torch.rand(inputs, generator=generator) + 0.5
    found = NativeFloatLinear(weight, bias, Norm(gain, 1e-5) if normed else None)(x)
    inner = Norm(gain.double(), 1e-5)(x.double()) if normed else x.double()
    torch.testing.assert_close(found.double(), inner @ weight.double().T + bias, atol=5e-5, rtol=1e-5)


@given(rows=st.integers(1, 40), blocks=st.integers(1, 5), seed=st.integers(0, 10**6))
@settings(max_examples=40)
def test_amx_makes_the_same_bits_as_vectors(rows: int, blocks: int, seed: int) -> None:
    kernels = library.kernels()
    assert kernels is not None
    if not kernels.refuse_tiles(False):
        pytest.skip("no AMX here")
    generator = torch.Generator().manual_seed(seed)
    layer = NativeLinear(torch.randn(37, 64 * blocks - 9, generator=generator), torch.randn(37), None)
    x = torch.randn(rows, 64 * blocks - 9, generator=generator) * 10.0 ** torch.randint(-3, 4, (rows, 1))
    x[rows // 2, 3] = torch.nan
    found = layer(x)
    try:
        kernels.refuse_tiles(True)
        expected = layer(x)
    finally:
        kernels.refuse_tiles(False)
    assert found.isfinite().all(1).sum() == rows - 1
    torch.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)


def test_the_observer_sees_the_queries_of_every_layer(runners: dict[str, NativeRunner]) -> None:
    seen: list[list[Tensor]] = []
    config = MODELS["wide heads"]
    for runner in (runners["wide heads"], LeanRunner(random_model(config), NativeLinear)):
        cache, found = runner.new_cache(64), []
        request = Request([5, 6, 7], SamplingParams())
        request.block_table = [1]
        batch = pack([Scheduled(request, 3)], cache, BLOCK, runner.device)
        watched = replace(batch, observer=lambda layer, queries, scale, found=found: found.append(queries))
        runner.forward(watched)
        seen.append(found)
    assert len(seen[0]) == len(seen[1]) == config.num_hidden_layers
    for one, other in zip(*seen, strict=True):
        torch.testing.assert_close(one, other, atol=1e-2, rtol=0)


def test_it_is_chosen_for_models_of_its_shape() -> None:
    assert isinstance(runner_for(random_model(MODELS["llama"]), int8=True), NativeRunner)
    assert isinstance(runner_for(random_model(MODELS["llama"])), NativeRunner)
    odd = random_model(LlamaConfig(**_shape(intermediate_size=90)))
    assert "multiple of 16" in (why_not(odd) or "")
    assert type(runner_for(odd, int8=True)) is LeanRunner


def test_without_kernels_torch_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "kernels", lambda: None)
    runner = runner_for(random_model(MODELS["llama"]), int8=True)
    assert type(runner) is LeanRunner
    assert runner.weights == "int8"
