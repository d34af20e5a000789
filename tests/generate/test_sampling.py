"""Sampling: the distribution drawn from is transformers', and the draws follow it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chisquare
from transformers import (
    AutoModelForCausalLM,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from configs.errors import InputError
from generate.engine.request import SamplingParams
from generate.engine.sampling import SeenTokens, logits_to_probs, penalise_repetition, sample

LOGITS = torch.tensor([2.0, 1.5, 1.4, 1.0, 0.5, 0.2, 0.0, -0.3, -0.5, -1.0, -2.0, -4.0])
PROMPT = [5, 9, 200, 31, 7, 7, 111]
UNLIKELY = 1e-3

finite = st.floats(-30, 30, width=32)


def warped(logits: torch.Tensor, params: SamplingParams) -> torch.Tensor:
    """Transformers' own distribution for these parameters, shape (vocabulary,)."""
    scores = TemperatureLogitsWarper(params.temperature)(None, logits[None])
    if params.top_k:
        scores = TopKLogitsWarper(params.top_k)(None, scores)
    if params.top_p < 1:
        scores = TopPLogitsWarper(params.top_p)(None, scores)
    return scores.softmax(-1)[0]


def assert_follows(counts: np.ndarray, probs: np.ndarray) -> None:
    """Chi-square test; cells that expect fewer than 5 draws are put together."""
    assert counts[probs == 0].sum() == 0, "nothing outside the kept tokens is drawn"
    expected = probs * counts.sum()
    common = expected >= 5
    observed, wanted = counts[common], expected[common]
    if (rest := expected[~common].sum()) >= 1:
        observed, wanted = np.append(observed, counts[~common].sum()), np.append(wanted, rest)
    observed, wanted = observed.astype(float), wanted * observed.sum() / wanted.sum()
    assert chisquare(observed, wanted).pvalue > UNLIKELY


@given(
    # equals, but nothing so nearly equal that rounding decides
    logits=st.lists(st.integers(-400, 400).map(lambda number: number / 16), min_size=1, max_size=40),
    temperature=st.floats(0.05, 5),
    top_k=st.integers(0, 45),
    top_p=st.floats(0.01, 1),
)
def test_the_distribution_is_that_of_transformers(logits, temperature, top_k, top_p):
    scores = torch.tensor(logits)
    params = SamplingParams(temperature=temperature, top_k=top_k, top_p=top_p)
    before_top_p = warped(scores, SamplingParams(temperature=temperature, top_k=top_k))
    ascending = before_top_p.sort().values.double().cumsum(-1)
    assume((ascending - (1 - top_p)).abs().min() > 1e-5)  # at the edge itself rounding decides
    torch.testing.assert_close(logits_to_probs(scores, params), warped(scores, params))


@given(
    logits=st.lists(finite, min_size=1, max_size=20),
    temperature=st.floats(0, 1e300),
    top_k=st.integers(0, 25),
    top_p=st.floats(0, 1, exclude_min=True),
    penalty=st.floats(0.01, 100),
)
def test_no_parameters_make_anything_but_a_distribution(logits, temperature, top_k, top_p, penalty):
    params = SamplingParams(temperature=temperature, top_k=top_k, top_p=top_p, repetition_penalty=penalty)
    scores = penalise_repetition(torch.tensor(logits), range(len(logits)), penalty)
    probs = logits_to_probs(scores, params)
    assert (probs >= 0).all()
    assert float(probs.sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0.0},
        {"temperature": 1e-40},
        {"temperature": 1e-300},
        {"temperature": 1.0, "top_k": 1},
        {"temperature": 1.0, "top_p": 1e-9},
    ],
)
def test_what_leaves_only_the_best_token_is_greedy(changes):
    params = SamplingParams(**changes)
    for seed in range(20):
        logits = torch.randn(50, generator=torch.Generator().manual_seed(seed))
        assert sample(logits, [], params) == int(logits.argmax())
        assert float(logits_to_probs(logits, params)[logits.argmax()]) == 1


def test_greedy_takes_the_first_of_equals():
    logits = torch.tensor([0.0, 3.0, 1.0, 3.0])
    assert sample(logits, [], SamplingParams()) == 1
    assert logits_to_probs(logits, SamplingParams()).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ("top_p", "kept"), [(0.24, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.51, 3), (0.75, 3), (0.76, 4)]
)
def test_equals_at_the_edge_of_top_p_stay_only_while_needed(top_p, kept):
    params = SamplingParams(temperature=1.0, top_p=top_p)
    probs = logits_to_probs(torch.zeros(4), params)
    assert sorted(probs.tolist()) == pytest.approx([0] * (4 - kept) + [1 / kept] * kept)
    assert probs.tolist() == warped(torch.zeros(4), params).tolist()


def test_equals_at_the_edge_of_top_k_all_stay_as_in_transformers():
    params = SamplingParams(temperature=1.0, top_k=2)
    logits = torch.tensor([3.0, 1.0, 1.0, 0.0])
    assert (logits_to_probs(logits, params) > 0).tolist() == [True, True, True, False]
    assert logits_to_probs(logits, params).tolist() == warped(logits, params).tolist()


@given(
    logits=st.lists(finite, min_size=10, max_size=10),
    tokens=st.lists(st.integers(0, 9), min_size=1, max_size=20),
    penalty=st.floats(0.5, 3),
)
def test_the_repetition_penalty_is_that_of_transformers(logits, tokens, penalty):
    scores = torch.tensor(logits)
    reference = RepetitionPenaltyLogitsProcessor(penalty)(torch.tensor([tokens]), scores[None].clone())[0]
    assert torch.equal(penalise_repetition(scores, tokens, penalty), reference)
    assert scores.tolist() == logits, "the logits handed in stay as they were"


@given(st.lists(st.tuples(st.lists(st.integers(0, 9), max_size=6), st.lists(st.integers(0, 9), max_size=4))))
def test_different_tokens_are_kept_as_a_sequence_grows(steps):
    seen, tokens = SeenTokens(), []
    for settled, tentative in steps:
        tokens += settled
        ids = seen.ids([*tokens, *tentative], len(tokens), torch.device("cpu"))
        assert sorted(ids.tolist()) == sorted({*tokens, *tentative})


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 1.0},
        {"temperature": 0.6},
        {"temperature": 1.7},
        {"temperature": 1.0, "top_k": 4},
        {"temperature": 1.0, "top_p": 0.7},
        {"temperature": 1.3, "top_k": 8, "top_p": 0.8},
        {"temperature": 0.9, "repetition_penalty": 1.4},
    ],
)
def test_draws_follow_the_distribution(changes):
    params = SamplingParams(seed=11, **changes)
    tokens = [0, 2, 9]
    counts = Counter(sample(LOGITS, [*tokens, *([9] * more)], params) for more in range(5000))
    penalised = RepetitionPenaltyLogitsProcessor(params.repetition_penalty)(
        torch.tensor([tokens]), LOGITS[None].clone()
    )[0]
    probs = warped(penalised, params).double().numpy()
    assert_follows(np.array([counts[token] for token in range(len(LOGITS))]), probs / probs.sum())


def test_a_draw_depends_on_the_seed_and_the_position_alone():
    params = SamplingParams(temperature=1.0, seed=3)
    drawn = [sample(LOGITS, [0] * position, params) for position in range(40)]
    assert [sample(LOGITS, [5] * position, params) for position in reversed(range(40))] == drawn[::-1]
    assert len(set(drawn)) > 3
    other = SamplingParams(temperature=1.0, seed=4)
    assert [sample(LOGITS, [0] * position, other) for position in range(40)] != drawn


def test_first_draws_of_different_seeds_follow_the_distribution():
    counts = Counter(sample(LOGITS, [], SamplingParams(temperature=1.0, seed=seed)) for seed in range(5000))
    probs = warped(LOGITS, SamplingParams(temperature=1.0)).double().numpy()
    assert_follows(np.array([counts[token] for token in range(len(LOGITS))]), probs / probs.sum())


def test_the_engines_pairs_of_tokens_follow_the_models_own_distribution(make_engine, tiny_model):
    """1,000 requests, two tokens each: the second is drawn given the first."""
    model = AutoModelForCausalLM.from_pretrained(tiny_model("llama"))
    params = SamplingParams(temperature=1.2, top_k=3, max_tokens=2)

    def distribution(ids: list[int]) -> torch.Tensor:
        with torch.no_grad():
            return warped(model(torch.tensor([ids])).logits[0, -1], params).double()

    expected = {}
    first = distribution(PROMPT)
    for one in first.nonzero().flatten().tolist():
        second = distribution([*PROMPT, one])
        for two in second.nonzero().flatten().tolist():
            expected[one, two] = float(first[one] * second[two])
    engine = make_engine(max_running=64, max_batch_tokens=128, blocks=300)
    requests = [
        engine.add(PROMPT, SamplingParams(temperature=1.2, top_k=3, max_tokens=2, seed=seed))
        for seed in range(1000)
    ]
    while engine.busy:
        engine.step()
    counts = Counter(tuple(request.output) for request in requests)
    assert set(counts) <= set(expected)
    probs = np.array(list(expected.values()))
    assert_follows(np.array([counts[pair] for pair in expected]), probs / probs.sum())


@pytest.mark.parametrize("blocks", [200, 16], ids=["roomy", "preempting"])
def test_a_seed_gives_the_same_tokens_whoever_shares_the_batch(make_engine, blocks):
    def params(seed: int) -> SamplingParams:
        return SamplingParams(temperature=1.0, top_p=0.95, max_tokens=24, seed=seed)

    prompts = [PROMPT, [3] * 20, [8, 8, 9], PROMPT[:4], list(range(30))]
    alone = [
        make_engine(blocks=200).generate([prompt], params(seed))[0] for seed, prompt in enumerate(prompts)
    ]
    engine = make_engine(blocks=blocks)
    requests = [engine.add(prompt, params(seed)) for seed, prompt in enumerate(prompts)]
    while engine.busy:
        engine.step()
    assert [request.output for request in requests] == alone
    assert any(request.preemptions for request in requests) == (blocks == 16)


def test_different_seeds_give_different_tokens(make_engine):
    engine = make_engine()
    outputs = {
        tuple(engine.generate([PROMPT], SamplingParams(temperature=1.0, max_tokens=12, seed=seed))[0])
        for seed in range(5)
    }
    assert len(outputs) == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_k", -1),
        ("max_tokens", 0),
        ("repetition_penalty", 0.0),
        ("repetition_penalty", 1e-9),
        ("seed", 2**64),
        ("seed", -(2**63) - 1),
    ],
)
def test_parameters_that_mean_nothing_are_refused_by_name(name, value):
    with pytest.raises(InputError, match=f"{name} = .* must be"):
        SamplingParams(**{name: value})


@pytest.mark.parametrize("seed", [-(2**63), -1, 0, 2**64 - 1])
def test_every_accepted_seed_can_be_drawn_with(seed):
    assert 0 <= sample(LOGITS, [], SamplingParams(temperature=1.0, seed=seed)) < len(LOGITS)
