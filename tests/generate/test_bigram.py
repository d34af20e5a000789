"""The table of what the model expects after a token: the model's own numbers, kept in one piece."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from generate.engine.engine import Engine
from generate.engine.request import Request, SamplingParams
from generate.speculate import bigram
from generate.speculate.bigram import BigramDrafter, Bigrams, compute, load_bigrams
from generate.speculate.recycling import MIN_PROBABILITY, WIDTH
from tests.generate.families import VOCAB

MakeEngine = Callable[..., Engine]


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3"])
def test_it_holds_the_models_own_probabilities(
    make_engine: MakeEngine, tiny_model: Callable[[str], Path], family: str
) -> None:
    found = compute(make_engine(family=family))
    model = AutoModelForCausalLM.from_pretrained(tiny_model(family)).eval()
    pairs = torch.stack([torch.zeros(VOCAB, dtype=torch.long), torch.arange(VOCAB)], dim=1)
    with torch.inference_mode():
        expected = model(pairs).logits[:, -1].float().softmax(-1).topk(WIDTH)
    assert found.tokens.shape == (VOCAB, WIDTH)
    assert (found.tokens == expected.indices.numpy()).mean() > 0.99, "but for ties"
    np.testing.assert_allclose(found.shares, expected.values.numpy(), rtol=2e-3, atol=1e-4)


def test_what_is_too_unlikely_or_unknown_is_not_proposed() -> None:
    tokens = np.array([[5, 6, 7]], np.int32)
    table = Bigrams(tokens, np.array([[0.5, 0.25, MIN_PROBABILITY / 2]], np.float16))
    assert table.after(0) == [(5, 0.5), (6, 0.25)]
    assert table.after(1) == []
    drafter = BigramDrafter(table)
    state = drafter.begin(Request((9, 0), SamplingParams()))
    assert state is not None
    assert [candidate.token for candidate in drafter.candidates(state)] == [5, 6]
    state = drafter.advance(state, 6)
    assert state is not None
    assert drafter.candidates(state) == []


def test_numbers_that_are_none_propose_nothing() -> None:
    table = Bigrams(np.array([[5, 6]], np.int32), np.full((1, 2), np.nan, np.float16))
    assert table.after(0) == []


def test_it_is_computed_once(
    make_engine: MakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_bigrams(make_engine(), tmp_path)
    (file,) = tmp_path.iterdir()
    monkeypatch.setattr(bigram, "compute", lambda engine: pytest.fail("it is known"))
    again = load_bigrams(make_engine(), tmp_path)
    np.testing.assert_array_equal(first.tokens, again.tokens)
    np.testing.assert_array_equal(first.shares, again.shares)
    with pytest.raises(pytest.fail.Exception, match="it is known"):
        load_bigrams(make_engine(family="mistral"), tmp_path)
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("damage", ["nothing", "cut", "other", "beyond", "shape"])
def test_a_damaged_file_is_computed_anew(make_engine: MakeEngine, tmp_path: Path, damage: str) -> None:
    expected = load_bigrams(make_engine(), tmp_path)
    (file,) = tmp_path.iterdir()
    tokens, shares = expected.tokens, expected.shares
    if damage == "nothing":
        file.write_bytes(b"")
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:500])
    elif damage == "other":
        np.savez(file, words=tokens)
    elif damage == "beyond":
        np.savez(file, tokens=np.full_like(tokens, VOCAB), shares=shares)
    else:
        np.savez(file, tokens=tokens, shares=shares[:3])
    for _ in range(2):
        found = load_bigrams(make_engine(), tmp_path)
        np.testing.assert_array_equal(found.tokens, expected.tokens)


def test_a_folder_that_cannot_be_written_costs_only_time(make_engine: MakeEngine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    assert len(load_bigrams(make_engine(), tmp_path / "file" / "models").tokens) == VOCAB


def test_a_slow_machine_asks_for_less(make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("generate.speculate.bigram.time.monotonic", lambda: float(next(clock)))
    found = compute(make_engine(), seconds=2.0)
    assert found.tokens.shape == (127, WIDTH), "one full step, then the time was over"
    assert len(compute(make_engine(), contexts=40).tokens) == 40


def test_a_cache_of_one_block_is_enough(make_engine: MakeEngine) -> None:
    assert len(compute(make_engine(blocks=1), contexts=9).tokens) == 9
