"""The tree that is planned is the best there is by the costs, and the costs follow the machine."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generate.engine.request import Request, SamplingParams
from generate.speculate.build import Proposal, propose
from generate.speculate.calibration import Calibration, Contest, Leaning
from generate.speculate.costs import GRID, Share, StepCosts
from generate.speculate.drafter import Candidate
from generate.speculate.planner import MARGIN, SIZES, Planner
from generate.speculate.speculator import PATIENCE, RAREST, Speculator

probabilities = st.lists(st.floats(0.01, 0.95), min_size=1, max_size=4)


class Positional:
    """Each node's k-th child is accepted with probability p[k], as in Sequoia's model."""

    name = "positional"

    def __init__(self, shares: Sequence[float]) -> None:
        self.shares = shares

    def begin(self, request):
        return 0

    def candidates(self, state):
        return [Candidate(rank, rank, share) for rank, share in enumerate(self.shares)]

    def advance(self, state, token):
        return state + 1

    def observe(self, outcome):
        pass

    def forget(self, request):
        pass


def sequoia(shares: Sequence[float], size: int) -> float:
    """The most tokens that a tree of ``size`` nodes, its root included, can yield (the paper's programme)."""

    @cache
    def best(nodes: int, child: int) -> float:
        """Of a tree of so many nodes whose root has children up to the ``child``-th at most."""
        if nodes == 1:
            return 1.0
        if child == 0:
            return -math.inf
        without = best(nodes, child - 1)
        split = max(
            best(nodes - below, child - 1) + shares[child - 1] * best(below, len(shares))
            for below in range(1, nodes)
        )
        return max(without, split)

    return best(size, len(shares))


@given(probabilities, st.integers(1, 14))
def test_the_best_first_tree_is_the_optimum_of_the_dynamic_programme(shares, size):
    calibration = Calibration()
    proposal = propose(
        Request((1,), SamplingParams(max_tokens=100)),
        [Positional(shares)],
        calibration,
        limit=size,
        threshold=0.0,
    )
    shares = calibration.contest.probabilities(sorted(shares, reverse=True), 0.0)
    assert len(proposal.tokens) == size
    assert proposal.paths == sorted(proposal.paths, reverse=True)
    assert 1 + sum(proposal.paths) == pytest.approx(sequoia(tuple(shares), size + 1))


@given(probabilities, st.integers(0, 40), st.integers(2, 9))
def test_a_tree_is_no_deeper_than_the_request_can_use(shares, limit, remaining):
    request = Request((1,), SamplingParams(max_tokens=remaining))
    proposal = propose(request, [Positional(shares)], Calibration(), limit=limit, threshold=0.0)
    tree = proposal.tree(limit)
    assert len(tree) <= limit
    assert max(tree.depths, default=0) <= remaining - 1


@given(st.data())
def test_renumbering_keeps_the_best_nodes_and_puts_first_children_in_line(data):
    shares = data.draw(probabilities)
    request = Request((1,), SamplingParams(max_tokens=100))
    proposal = propose(request, [Positional(shares)], Calibration(), limit=20, threshold=0.0)
    count = data.draw(st.integers(0, len(proposal.tokens)))
    tree = proposal.tree(count)

    def paths(tokens, parents):
        found = []
        for token, parent in zip(tokens, parents, strict=True):
            found.append((*(found[parent] if parent >= 0 else ()), token))
        return found

    kept = paths(proposal.tokens, proposal.parents)[:count]
    renumbered = paths(tree.tokens, tree.parents)
    assert sorted(kept) == sorted(renumbered)
    best = [renumbered[0][:1]] if renumbered else []
    while best and (nexts := [path for path in kept if path[:-1] == best[-1]]):
        best.append(nexts[0])
    assert renumbered[: len(best)] == best, "the likeliest path lies in one piece"


def flat(seconds: float = 0.03, row: float = 0.0005, reading: float = 1e-6) -> StepCosts:
    return StepCosts([seconds + row * rows for rows in GRID], [reading * (1 + 0.1 * rows) for rows in GRID])


def proposal_of(paths: Sequence[float]) -> Proposal:
    return Proposal(list(range(len(paths))), [-1] * len(paths), sorted(paths, reverse=True))


@given(
    st.lists(st.lists(st.floats(0.001, 1), max_size=30), min_size=1, max_size=6),
    st.floats(0.0001, 0.02),
    st.integers(0, 60),
)
def test_the_plan_is_the_best_of_all_sizes(paths, row, room):
    costs = flat(row=row)
    proposals = [proposal_of(found) for found in paths]
    contexts = [100 * index for index in range(len(paths))]
    counts = Planner(costs).choose(proposals, contexts, room)
    order = sorted(((-p, i) for i, found in enumerate(proposals) for p in found.paths))[:room]

    def rate(size: int) -> float:
        taken = [sum(1 for _, i in order[:size] if i == index) for index in range(len(paths))]
        shares = [Share(1 + n, c) for n, c in zip(taken, contexts, strict=True)]
        return (len(paths) - sum(p for p, _ in order[:size])) / costs.predict(shares)

    chosen = sum(counts)
    assert chosen <= room
    sizes = [0, *(min(size, len(order)) for size in SIZES)]
    assert chosen in sizes
    assert rate(chosen) >= max(rate(size) for size in sizes) / MARGIN - 1e-9
    if chosen:
        assert rate(chosen) > MARGIN * rate(0)


def test_nothing_is_drafted_where_rows_cost_as_much_as_they_bring():
    linear = StepCosts([0.01 * rows for rows in GRID], [0.0] * len(GRID))
    assert Planner(linear).choose([proposal_of([0.9, 0.8])], [10], 32) == [0]


def test_the_threshold_leaves_nothing_out_that_could_pay():
    planner = Planner(flat())
    paths = [0.9 * 0.7**depth for depth in range(40)]
    count = planner.choose([proposal_of(paths)], [500], 64)[0]
    assert 0 < count < 40
    assert paths[count - 1] >= planner.threshold([500])


@given(st.lists(st.floats(1e-4, 1), min_size=len(GRID), max_size=len(GRID)), st.integers(1, 400))
def test_more_rows_never_look_cheaper(base, rows):
    costs = StepCosts(base, [0.0] * len(GRID))
    assert costs.predict([Share(rows + 1, 0)]) >= costs.predict([Share(rows, 0)]) * (1 - 1e-9)


def test_measuring_tells_the_work_of_rows_from_that_of_context():
    calls = []

    def timer(rows: int, context: int) -> float:
        calls.append((rows, context))
        return 0.02 + 0.001 * rows + 1e-6 * rows * context

    costs = StepCosts.measure(timer, context=1000, repeats=3)
    assert len(calls) == 4 * 2 * len(GRID)
    shares = [Share(4, 2000), Share(16, 500)]
    assert costs.predict(shares) == pytest.approx(0.02 + 0.02 + 1e-6 * (8000 + 8000), rel=0.01)


def test_a_machine_that_slows_down_as_a_whole_is_followed_without_changing_plans():
    costs = flat()
    shares = [[Share(1, 500)], [Share(9, 500)]]
    before = costs.predict(shares[1]) / costs.predict(shares[0])
    for step in range(200):
        costs.observe(shares[step % 2], 2.5 * flat().predict(shares[step % 2]))
    assert costs.predict(shares[0]) == pytest.approx(2.5 * flat().predict(shares[0]), rel=0.05)
    assert costs.predict(shares[1]) / costs.predict(shares[0]) == pytest.approx(before, rel=0.05)


def test_what_the_measured_sum_gets_wrong_is_learned_where_it_occurs():
    costs = flat()
    crowd = [Share(9, 500)] * 16
    lone = [Share(1, 500)]
    for _ in range(300):
        costs.observe(crowd, 3 * flat().predict(crowd))
        costs.observe(lone, flat().predict(lone))
    assert costs.predict(crowd) / costs.predict(lone) == pytest.approx(
        3 * flat().predict(crowd) / flat().predict(lone), rel=0.15
    )


def test_one_slow_step_changes_little():
    costs = flat()
    before = costs.predict([Share(1, 500)])
    costs.observe([Share(1, 500)], 100 * before)
    assert costs.predict([Share(1, 500)]) < 1.6 * before


def test_estimates_follow_what_happened():
    calibration = Calibration()
    long = ("copy", "long", 0, 0.6)
    assert calibration.estimate(*long) == 0.6
    for _ in range(300):
        calibration.update(*long, False)
    assert calibration.estimate(*long) < 0.02
    assert calibration.estimate("copy", "long", 1, 0.6) < 0.03, "at other depths as well"
    assert calibration.estimate("copy", "short", 0, 0.3) < 0.03, "and what it says of other kinds"
    assert calibration.estimate("recycle", "short", 0, 0.3) == 0.3
    for _ in range(1500):
        calibration.update(*long, True)
    assert calibration.estimate(*long) > 0.8, "the old failures fade"


def test_candidates_of_one_place_share_what_probability_there_is():
    contest = Contest()
    assert contest.probabilities([], 0.0) == []
    alone = contest.probabilities([0.6], 0.0)[0]
    among = contest.probabilities([0.6, 0.5, 0.4], 0.0)
    assert alone > among[0] > among[1] > among[2] > 0
    assert sum(contest.probabilities([0.995] * 12, 6.0)) <= 1
    assert contest.probabilities([0.6], 2.0)[0] > alone > contest.probabilities([0.6], -2.0)[0]


@pytest.mark.parametrize("truth", [(0.5, 0.2), (0.9, 0.05), (0.02, 0.01)])
def test_a_contest_learns_how_often_its_candidates_win(truth: tuple[float, float]) -> None:
    contest, generator = Contest(), random.Random(3)
    estimates = [0.7, 0.3]
    for _ in range(6000):
        draw = generator.random()
        right = 0 if draw < truth[0] else 1 if draw < sum(truth) else None
        contest.learn(estimates, contest.probabilities(estimates, 0.0), right)
    assert contest.probabilities(estimates, 0.0) == pytest.approx(truth, abs=0.06)


def test_a_requests_leaning_pulls_estimates_down_and_lets_them_recover():
    leaning = Leaning()
    for _ in range(40):
        leaning.update(0.8, False)
    assert leaning.value < -2
    for _ in range(40):
        leaning.update(0.3, True)
    assert leaning.value > 1


class Liar:
    """Confident and wrong, until it is told to be right."""

    name = "liar"

    def __init__(self, truth: Sequence[int]) -> None:
        self.truth = truth
        self.honest = False
        self.asked = 0

    def begin(self, request):
        self.asked += 1
        return len(request.output)

    def candidates(self, state):
        right = self.truth[state % len(self.truth)]
        return [Candidate(right if self.honest else right + 1, "sure", 0.95)]

    def advance(self, state, token):
        return state + 1

    def observe(self, outcome):
        pass

    def forget(self, request):
        pass


def drive(speculator: Speculator, request: Request, truth: Sequence[int], steps: int) -> tuple[int, int]:
    """Steps against a target that says ``truth``: (drafts verified, drafts accepted)."""
    from generate.speculate.verify import walk

    drafted = accepted = 0
    for _ in range(steps):
        at = len(request.output)
        (tree,) = speculator.draft([request], 64)
        verdict = walk(tree, lambda node, path, at=at: truth[(at + len(path)) % len(truth)])
        kept = speculator._requests[request.id]
        if kept.proposal is not None:
            from generate.speculate.build import judge

            for expected, right in judge(kept.proposal, verdict.tokens, speculator._calibration):
                kept.leaning.update(expected, right)
        request.extend(verdict.tokens)
        request.computed = len(request.tokens) - 1
        drafted += len(tree)
        accepted += len(verdict.nodes)
    return drafted, accepted


def test_a_drafter_that_is_always_wrong_is_soon_left_alone_and_comes_back_when_it_is_right():
    truth = [random.Random(5).randrange(50) for _ in range(97)]
    liar = Liar(truth)
    speculator = Speculator([liar], limit=16, planner=Planner(flat()))
    request = Request((1, 2), SamplingParams(max_tokens=100_000))
    drive(speculator, request, truth, 40)
    liar.asked = 0
    wasted, accepted = drive(speculator, request, truth, 200)
    assert accepted == 0
    assert wasted <= 4
    assert liar.asked <= 200 / RAREST + PATIENCE + 2, "it is not even asked at every step"
    liar.honest = True
    drive(speculator, request, truth, 400)
    drafted, accepted = drive(speculator, request, truth, 50)
    assert accepted > 0.8 * drafted > 100
