"""The Triton attention, run by Triton's interpreter, says what the reference says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings

from generate.engine.triton_attention_plan import AttentionPlan, PlanShape
from tests.generate.attention_cases import (
    DTYPES,
    HEAD_DIMS,
    Bug,
    Case,
    Stretch,
    cases,
    compare,
    expected,
    found,
    make_step,
    written,
)

pytest.importorskip("triton", reason="Triton runs on Linux only")

Run = Callable[..., Any]
BUSHY = tuple(node // 3 - 1 for node in range(45))
CHAIN = tuple(range(-1, 127))
COMB = tuple(max(-1, node // 2 * 2 - 2) for node in range(128))
SLOW = (HealthCheck.too_slow,)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("head_dim", HEAD_DIMS)
def test_every_head_size_and_type(interpreted: Run, head_dim: int, dtype: str) -> None:
    number = len(DTYPES) * HEAD_DIMS.index(head_dim) + tuple(DTYPES).index(dtype)
    segments = (Stretch(17), Stretch(0, 30), Stretch(1, parents=BUSHY), Stretch(260), Stretch(0))
    case = Case(segments, head_dim=head_dim, dtype=dtype, group=1 + number % 4, kv_heads=2, block_size=16)
    if number % 2:
        case = replace(case, window=9, softcap=5.0)
    assert interpreted(compare, case) <= 1


@settings(max_examples=40, suppress_health_check=SLOW)
@given(case=cases())
def test_any_step(interpreted: Run, case: Case) -> None:
    assert interpreted(compare, case) <= 1


@pytest.mark.deep
@pytest.mark.timeout(1800)
@settings(max_examples=1000, suppress_health_check=SLOW)
@given(case=cases(longest=400))
def test_many_steps(interpreted: Run, case: Case) -> None:
    assert interpreted(compare, case) <= 1


@settings(max_examples=12, suppress_health_check=SLOW)
@given(case=cases(longest=900, most=3, head_dim=64, dtype="float32", kv_heads=1))
def test_contexts_in_several_parts(interpreted: Run, case: Case) -> None:
    assert interpreted(compare, case) <= 1


@pytest.mark.parametrize("window", [None, 5, 129])
@pytest.mark.parametrize("parents", [CHAIN, COMB, (-1,) * 128])
def test_the_largest_trees(interpreted: Run, parents: tuple[int, ...], window: int | None) -> None:
    case = Case((Stretch(4), Stretch(530, parents=parents)), group=3, window=window)
    assert interpreted(compare, case) <= 1


@pytest.mark.parametrize(("window", "attention_window"), [(None, 70), (300, 70), (1300, 600)])
def test_sinks_before_a_window(interpreted: Run, window: int | None, attention_window: int) -> None:
    """In one part and in several, in stretches that begin within them, and out of a layer's own reach."""
    segments = (Stretch(900, 3), Stretch(5, 150), Stretch(280, parents=BUSHY), Stretch(2500), Stretch(9))
    case = Case(segments, group=2, block_size=16, window=window, attention_window=attention_window)
    assert interpreted(compare, case) <= 1
    for other in (attention_window - 1, attention_window + 1):
        off = interpreted(found, replace(case, attention_window=other)) - expected(case)
        assert off.abs().max() > 10 * DTYPES["float32"]


@pytest.mark.parametrize("window", [None, 4400])
def test_more_parts_than_are_joined_at_once(interpreted: Run, window: int | None) -> None:
    # A seed whose later parts outweigh the earlier ones: else joining would have nothing to rescale.
    case = Case((Stretch(5200), Stretch(4300)), group=7, block_size=16, window=window, seed=4)
    assert interpreted(compare, case) <= 1


@pytest.mark.parametrize("window", [None, 70])
@pytest.mark.parametrize("group", [1, 7])
def test_stretches_of_many_tiles(interpreted: Run, group: int, window: int | None) -> None:
    case = Case((Stretch(0, 150), Stretch(333, 70), Stretch(0, 0)), group=group, window=window)
    assert interpreted(compare, case) <= 1


def test_nothing_to_do(interpreted: Run) -> None:
    assert interpreted(compare, Case((Stretch(0, 0), Stretch(5, 0)))) == 0


@pytest.mark.parametrize("stretch", [Stretch(900), Stretch(600, parents=BUSHY), Stretch(40, 30)])
def test_neighbours_change_nothing(interpreted: Run, stretch: Stretch) -> None:
    """Not by a bit: the sums of a segment are cut where its own length says."""
    neighbours = (Stretch(1500), Stretch(8, parents=(-1, 0)), Stretch(3, 5))  # of no larger tiles
    for window in (None, 100):
        case = Case((stretch,), group=2, window=window)
        alone = interpreted(found, case)
        among = interpreted(found, replace(case, segments=(stretch, *neighbours)))
        assert torch.equal(alone, among[: stretch.count])


@given(case=cases(longest=3000, block_size=16, window=None))
def test_intermediate_results_stay_small(case: Case) -> None:
    step, _ = make_step(replace(case, head_dim=1, kv_heads=1))
    plan = AttentionPlan.build(step.segments, 16, torch.device("cpu"), group=case.group)
    assert plan.shape.partials * case.group * 4 <= sum(len(s.slots) for s in step.segments) * 2 * 2 / 8


def test_an_observer_sees_the_queries(interpreted: Run) -> None:
    assert interpreted(_observed, Case((Stretch(3, 2), Stretch(5)), group=2)) == [(1, (2, 3, 64), 0.2)]


def _observed(case: Case) -> list[Any]:
    seen: list[Any] = []
    found(case, observer=lambda layer, queries, scaling: seen.append((layer, tuple(queries.shape), scaling)))
    return seen


# Padding, and steps that follow each other in one plan's tensors

ROOM = {"tiles": 40, "segments": 9, "rows": 400, "blocks": 900, "words": 5, "splits": 9}
STEP = Case((Stretch(700), Stretch(5, parents=BUSHY), Stretch(0, 20)), group=2)


def _padded(plan: AttentionPlan) -> AttentionPlan:
    return plan.pad_to(PlanShape(height=plan.shape.height, joined=300, partials=999, **ROOM))


def _refilled(plan: AttentionPlan) -> AttentionPlan:
    used = _padded(plan)
    for tensor in (used.tiles, used.segments, used.rows, used.joined, used.blocks, used.ancestors):
        tensor.fill_(-7)
    used.copy_(_padded(plan))
    return used


@pytest.mark.parametrize("make", [_padded, _refilled])
@pytest.mark.parametrize("window", [None, 30])
def test_a_padded_plan_says_the_same(interpreted: Run, make: Bug, window: int | None) -> None:
    assert interpreted(compare, replace(STEP, window=window), "cpu", make) <= 1


# Planted bugs


def _forgets_a_word(plan: AttentionPlan) -> AttentionPlan:
    plan.ancestors[:, 1] = 0
    return plan


def _sees_a_sibling(plan: AttentionPlan) -> AttentionPlan:
    plan.ancestors[1 + 6, 0] |= 1 << 2  # the tree begins in row 1; its row 2 is no ancestor of row 6
    return plan


def _is_a_position_late(plan: AttentionPlan) -> AttentionPlan:
    plan.rows[:, 0] += 1
    return plan


def _takes_a_tree_for_a_stretch(plan: AttentionPlan) -> AttentionPlan:
    plan.segments[:, 6] = 0
    return plan


def _misses_a_token(plan: AttentionPlan) -> AttentionPlan:
    plan.segments[:, 2] -= 1
    return plan


def _reads_another_block(plan: AttentionPlan) -> AttentionPlan:
    plan.blocks[-1] = plan.blocks[0]
    return plan


def _loses_the_last_part(plan: AttentionPlan) -> AttentionPlan:
    plan.rows[:, 2] -= (plan.rows[:, 2] > 1).int()
    return plan


BUGS: tuple[Bug, ...] = (
    _forgets_a_word,
    _sees_a_sibling,
    _is_a_position_late,
    _takes_a_tree_for_a_stretch,
    _misses_a_token,
    _reads_another_block,
    _loses_the_last_part,
)


BUGGED = Case((Stretch(600), Stretch(5, parents=BUSHY), Stretch(2, 20)), group=2)


@pytest.mark.parametrize("window", [None, 4])
def test_without_a_bug_none_is_seen(interpreted: Run, window: int | None) -> None:
    assert interpreted(compare, replace(BUGGED, window=window)) <= 1


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_seen(interpreted: Run, bug: Bug) -> None:
    window = 4 if bug is _is_a_position_late else None
    assert interpreted(compare, replace(BUGGED, window=window), "cpu", bug) > 1


@pytest.mark.parametrize("window", [4, 300])
def test_a_window_of_another_size_is_seen(interpreted: Run, window: int) -> None:
    for stretch in (Stretch(600), Stretch(600, 20), Stretch(600, parents=BUSHY)):
        case = Case((stretch,), window=window)
        for other in (window - 1, window + 1):
            off = interpreted(found, replace(case, window=other)) - expected(case)
            assert off.abs().max() > 10 * DTYPES["float32"]


# The engine


@pytest.mark.parametrize(("family", "attention_window"), [("mistral", None), ("gemma3", 6)])
def test_the_engine_writes_the_same(
    interpreted: Run, tiny_model: Callable[[str], Path], family: str, attention_window: int | None
) -> None:
    folder = tiny_model(family)
    wanted = written(folder, "cpu", triton=False, attention_window=attention_window)
    assert interpreted(_written, folder, attention_window) == wanted


def _written(folder: Path, attention_window: int | None) -> list[list[int]]:
    return written(folder, "cpu", triton=True, attention_window=attention_window)
