"""Drafters with a model run where they are measured to be faster, and trying them costs little."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from generate.speculate.mixes import CHEAP, FIRST_TRIALS, TRIAL_SHARE, Mix, Mixes

DEEP = Mix("model", 8)
SHALLOW = Mix("model", 3)
Speed = Callable[[Mix, int], tuple[int, float]]
"""Tokens and seconds of a step, by mix and step number."""


def run(mixes: Mixes, speed: Speed, steps: int, contexts: tuple[int, ...] = (1000,)) -> list[Mix]:
    ran = []
    for step in range(steps):
        mix = mixes.choose(contexts)
        mixes.observe(contexts, mix, *speed(mix, step))
        ran.append(mix)
    return ran


def steady(**rates: float) -> Speed:
    """One token a step at so many tokens a second."""
    known = {CHEAP: rates["cheap"], SHALLOW: rates.get("shallow", 1), DEEP: rates.get("deep", 1)}
    return lambda mix, step: (1, 1 / known[mix])


def test_the_fastest_mix_runs():
    mixes = Mixes([SHALLOW, DEEP])
    run(mixes, steady(cheap=50, shallow=80, deep=120), 400)
    ran = run(mixes, steady(cheap=50, shallow=80, deep=120), 400)
    assert ran.count(DEEP) > 380


def test_mixes_that_never_pay_cost_a_known_share_of_the_time():
    mixes = Mixes([SHALLOW, DEEP])
    speed = steady(cheap=50, shallow=25, deep=10)
    ran = run(mixes, speed, 4000)
    wasted = sum(speed(mix, 0)[1] for mix in ran if mix != CHEAP)
    total = sum(speed(mix, 0)[1] for mix in ran)
    longest = 6 * 0.1  # a trial that has begun is ended
    assert wasted <= FIRST_TRIALS / 50 + TRIAL_SHARE * total + longest
    assert ran.count(CHEAP) > 3800


def test_a_change_of_text_is_noticed_and_nothing_flutters():
    mixes = Mixes([DEEP])
    run(mixes, steady(cheap=50, deep=100), 600)
    ran = run(mixes, steady(cheap=50, deep=20), 3000)
    assert ran[-500:].count(CHEAP) > 450, "the phase in which drafts fail is left"
    ran = run(mixes, steady(cheap=50, deep=100), 6000)
    assert ran[-500:].count(DEEP) > 450, "and comes to an end"
    changes = sum(one != other for one, other in itertools.pairwise(ran))
    assert changes < 200


def test_a_small_difference_changes_nothing():
    mixes = Mixes([DEEP])
    ran = run(mixes, steady(cheap=50, deep=50.5), 3000)
    assert ran.count(CHEAP) > 2800


def test_companies_are_apart():
    mixes = Mixes([DEEP])

    def speed(mix: Mix, step: int) -> tuple[int, float]:
        crowd = step % 2
        return 1, 1 / (100 if (mix == DEEP) == bool(crowd) else 40)

    lone, many = (500,), (8000,) * 32
    ran: dict[int, list[Mix]] = {0: [], 1: []}
    for step in range(6000):
        contexts = many if step // 50 % 2 else lone
        mix = mixes.choose(contexts)
        mixes.observe(contexts, mix, *speed(mix, len(contexts) > 1))
        ran[len(contexts) > 1].append(mix)
    assert ran[0][-500:].count(CHEAP) > 450
    assert ran[1][-500:].count(DEEP) > 450


@pytest.mark.parametrize("steps", [1, 5])
def test_nothing_is_tried_before_the_cheap_way_is_known(steps):
    assert run(Mixes([DEEP]), steady(cheap=50, deep=100), steps) == [CHEAP] * steps


def test_a_drafter_that_still_reads_its_prompt_is_not_judged_by_that():
    mixes = Mixes([DEEP])
    contexts = (1000,)
    run(mixes, steady(cheap=50), 6)
    reading = 40
    ran = []
    for _ in range(800):
        mix = mixes.choose(contexts)
        if mix == DEEP and reading:
            reading -= 1
            mixes.wait(contexts, mix, 0.001)
        else:
            mixes.observe(contexts, mix, *steady(cheap=50, deep=100)(mix, 0))
        ran.append(mix)
    assert ran[-200:].count(DEEP) > 180


def test_a_drafter_that_never_says_anything_is_given_up():
    mixes = Mixes([DEEP])
    contexts = (1000,)
    silent = 0
    for _ in range(2000):
        mix = mixes.choose(contexts)
        if mix == DEEP:
            silent += 1
            mixes.wait(contexts, mix, 0.02)
        else:
            mixes.observe(contexts, mix, 1, 0.02)
    assert silent < 600
