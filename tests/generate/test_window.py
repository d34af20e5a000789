"""The window as a policy: what it hides is what its definition hides, and drafts change nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoModelForCausalLM

from configs.errors import InputError
from generate.engine.batch import Segment
from generate.engine.engine import Engine
from generate.engine.lean_model import why_not
from generate.engine.request import SamplingParams
from generate.engine.runner import ModelRunner, load_model
from generate.engine.window import SINKS, Window
from generate.load import load_runner, load_service
from generate.speculate.costs import GRID, Share, StepCosts
from generate.speculate.factory import open_speculator
from generate.speculate.speculator import Speculator
from generate.speculate.tree import TokenTree
from tests.generate.attention_cases import trees
from tests.generate.conftest import generate_settings
from tests.generate.drafters import OracleDrafter
from tests.generate.families import FAMILIES, VOCAB, WINDOW
from tests.generate.pairs import random_prompts
from tests.generate.reference import Continuation, assert_same, run

PROMPTS = random_prompts((70, 5, 41, 17, 30), seed=5)
COUNT = 12
RECENT = (5, 20)
"""Less than the tiny models' own window, and more."""


def visible(position: int, policy: int | None, own: int | None) -> list[int]:
    """The definition: positions that a token sees."""
    seen: Sequence[int] = range(position + 1)
    if policy is not None:
        seen = [at for at in seen if at < SINKS or at > position - policy]
    if own is not None:
        seen = [at for at in seen if at > position - own]
    return list(seen)


@given(
    context=st.integers(0, 60),
    shape=st.integers(0, 30) | trees(20),
    policy=st.integers(1, 40),
    own=st.none() | st.integers(2, 70),
)
def test_rows_see_what_the_definition_says(
    context: int, shape: int | tuple[int, ...], policy: int, own: int | None
) -> None:
    if isinstance(shape, int):
        count, ancestors = shape, None
        rows = [[*range(row + 1)] for row in range(count)]
    else:
        tree = TokenTree(tuple(range(len(shape))), shape)
        count, ancestors = 1 + len(tree), tree.ancestors()
        rows = [row.nonzero().flatten().tolist() for row in ancestors]
    slots = torch.randperm(context + count)
    window = Window.of(own, policy)
    assert window is not None
    if not window.sinks:
        assert own is not None
        assert own <= policy
        return
    found, mask = window.narrow(Segment(0, count, slots, ancestors))
    assert len(found) <= SINKS + policy + count, "it reads no more than is seen"
    for row, ancestry in enumerate(rows):
        path = [*range(context), *(context + node for node in ancestry)]
        wanted = [int(slots[path[at]]) for at in visible(len(path) - 1, policy, own)]
        got = found if mask is None else found[mask[row]]
        assert sorted(got.tolist()) == sorted(wanted)


class WindowedReference:
    """transformers, with a mask of the definition handed to it; the whole text anew for every token."""

    def __init__(self, folder: Path, policy: int) -> None:
        self._policy = policy
        self._model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
        ).eval()

    @torch.inference_mode()
    def __call__(self, prompts: Sequence[Sequence[int]], count: int) -> list[Continuation]:
        found = []
        for prompt in prompts:
            tokens, logits = list(prompt), []
            for _ in range(count):
                masks = self._masks(len(tokens))
                output = self._model(torch.tensor([tokens]), attention_mask=masks, use_cache=False)
                logits.append(output.logits[0, -1])
                tokens.append(int(logits[-1].argmax()))
            found.append(Continuation(tokens[len(prompt) :], torch.stack(logits)))
        return found

    def _masks(self, length: int) -> Tensor | dict[str, Tensor]:
        own = getattr(self._model.config, "sliding_window", None)
        sliding = _mask(length, self._policy, own)
        if getattr(self._model.config, "layer_types", None) is None:
            return sliding
        full = _mask(length, self._policy, None)
        return {"full_attention": full, "sliding_attention": sliding}


def _mask(length: int, policy: int, own: int | None) -> Tensor:
    mask = torch.full((1, 1, length, length), torch.finfo(torch.float32).min)
    for position in range(length):
        mask[0, 0, position, visible(position, policy, own)] = 0
    return mask


@pytest.fixture(scope="module")
def references(tiny_model: Callable[[str], Path]) -> Callable[[str, int], list[Continuation]]:
    known: dict[tuple[str, int], list[Continuation]] = {}

    def get(family: str, policy: int) -> list[Continuation]:
        if (family, policy) not in known:
            known[family, policy] = WindowedReference(tiny_model(family), policy)(PROMPTS, COUNT)
        return known[family, policy]

    return get


def _engine(folder: Path, policy: int, *, blocks: int = 200, **changes: Any) -> Engine:
    runner = ModelRunner(load_model(folder, device="cpu"), attention_window=policy)
    size = blocks * 4 * runner.bytes_per_token()
    return Engine(runner, generate_settings(kv_cache_mb=size / 2**20, **changes))


def _oracle(wanted: Sequence[Continuation]) -> Speculator:
    futures = {tuple(p): found.tokens for p, found in zip(PROMPTS, wanted, strict=True)}
    return Speculator([OracleDrafter(futures, vocabulary=VOCAB)], limit=8, planner=None)


@pytest.mark.parametrize("policy", RECENT)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_engine_writes_what_a_masked_model_writes(
    tiny_model: Callable[[str], Path],
    references: Callable[[str, int], list[Continuation]],
    family: str,
    policy: int,
) -> None:
    """In batches, in chunks and preempted, with token trees and without."""
    assert min(RECENT) < WINDOW < max(RECENT)
    wanted = references(family, policy)
    for speculator in (None, _oracle(wanted)):
        engine = _engine(tiny_model(family), policy, blocks=26, max_batch_tokens=19)
        engine.speculator = speculator
        found = run(engine, PROMPTS, COUNT)
        assert_same(wanted, [continuation for _, continuation in found])
        assert any(request.preemptions for request, _ in found)
        assert (sum(r.steps for r, _ in found) < COUNT * len(PROMPTS)) == (speculator is not None)


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_a_window_of_another_size_is_seen(
    tiny_model: Callable[[str], Path], references: Callable[[str, int], list[Continuation]], family: str
) -> None:
    for other in (19, 21):
        engine = _engine(tiny_model(family), other, max_batch_tokens=512)
        with pytest.raises(AssertionError):
            assert_same(references(family, 20), [found for _, found in run(engine, PROMPTS, COUNT)])


def test_sampled_answers_with_drafts_are_those_without(tiny_model: Callable[[str], Path]) -> None:
    params = SamplingParams(max_tokens=COUNT, temperature=1.0, seed=3)
    plain = _engine(tiny_model("llama"), 5).generate(PROMPTS, params)
    engine = _engine(tiny_model("llama"), 5)
    futures = {tuple(p): out for p, out in zip(PROMPTS, plain, strict=True)}
    engine.speculator = Speculator([OracleDrafter(futures, vocabulary=VOCAB)], limit=8, planner=None)
    assert engine.generate(PROMPTS, params) == plain


def test_a_cached_prefix_says_the_same(
    tiny_model: Callable[[str], Path], references: Callable[[str, int], list[Continuation]]
) -> None:
    engine = _engine(tiny_model("llama"), 5)
    run(engine, PROMPTS[:1], 1)
    ((request, found),) = run(engine, PROMPTS[:1], COUNT)
    assert request.cached_prompt_tokens
    assert_same(references("llama", 5)[:1], [found])


def test_a_window_larger_than_the_text_hides_nothing(tiny_model: Callable[[str], Path]) -> None:
    params = SamplingParams(max_tokens=COUNT)
    whole = Engine(ModelRunner.from_folder(tiny_model("llama")), generate_settings(kv_cache_mb=4))
    assert _engine(tiny_model("llama"), 100).generate(PROMPTS, params) == whole.generate(PROMPTS, params)


# Settings, labels, and who has to know


@pytest.mark.parametrize(("weights", "label"), [("float", "float32"), ("int8", "int8")])
def test_it_is_labelled_and_runs_in_the_general_runner(
    tiny_model: Callable[[str], Path], weights: str, label: str
) -> None:
    settings = generate_settings(attention_window=20, weights=weights, device="cpu")
    runner = load_runner(tiny_model("llama"), settings)
    assert type(runner) is ModelRunner
    assert runner.weights == f"{label} (lossy: window 20)"
    assert runner.weights in runner.identity
    reason = why_not(load_model(tiny_model("llama"), device="cpu"), 20)
    assert reason == "a window over the context (generate.attention_window is 20)"


def test_a_streamed_model_has_it_too(tiny_model: Callable[[str], Path]) -> None:
    runner = load_runner(tiny_model("llama"), generate_settings(attention_window=20, weights_mb=0.1))
    assert runner.weights == "float32 (lossy: window 20)"
    assert runner.attention_window == 20


@pytest.mark.parametrize("name", ["streaming", "snapkv"])
def test_a_draft_with_less_context_is_refused(tiny_model: Callable[[str], Path], name: str) -> None:
    engine = _engine(tiny_model("llama"), 20)
    settings = generate_settings(drafters=["copy", name], speculate="always")
    with pytest.raises(InputError, match=rf"{name}.*generate\.attention_window.*one of the two"):
        open_speculator(engine, settings)


def test_a_service_drafts_within_the_window(
    tiny_model: Callable[[str], Path], references: Callable[[str, int], list[Continuation]]
) -> None:
    settings = generate_settings(attention_window=5, speculate="always", kv_cache_mb=4)
    service = load_service(tiny_model("llama"), settings)
    try:
        stream = service.submit(PROMPTS[0], SamplingParams(max_tokens=COUNT))
        assert list(stream) == references("llama", 5)[0].tokens
    finally:
        service.close()


def test_a_context_out_of_sight_costs_nothing() -> None:
    reading = [1e-3] * len(GRID)
    costs = StepCosts([1.0] * len(GRID), reading, 100)
    assert costs.predict([Share(1, 100)]) == costs.predict([Share(1, 9000)]) > costs.predict([Share(1, 50)])
    measured = StepCosts.measure(lambda rows, length: 1.0 + 1e-3 * min(length, 100), 2048, 1, 100)
    assert measured.predict([Share(1, 5000)]) == pytest.approx(1.1)
