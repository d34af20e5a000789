"""The scheduler, driven without a model: who runs in which step, and that everybody ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generate.engine.blocks import BlockPool
from generate.engine.request import FinishReason, Request, SamplingParams
from generate.engine.scheduler import Scheduled, Scheduler

SIZE = 2


def request(prompt: Sequence[int], max_tokens: int) -> Request:
    return Request(tuple(prompt), SamplingParams(max_tokens=max_tokens))


def make_scheduler(blocks: int, budget: int, running: int = 8, *, reuse: bool = True) -> Scheduler:
    return Scheduler(BlockPool(blocks, SIZE, reuse=reuse), max_batch_tokens=budget, max_running=running)


def step(scheduler: Scheduler) -> dict[int, int]:
    """One engine step with 0 as every new token; returns each request's share by its id."""
    work = scheduler.schedule()
    shares = {share.request.id: share.count for share in work}
    finish(scheduler, work)
    return shares


def finish(scheduler: Scheduler, work: Sequence[Scheduled]) -> None:
    for share in work:
        assert share.end <= len(share.request.block_table) * SIZE, "every token has a slot"
    for share in work:
        if share.samples:
            share.request.extend([0])
        scheduler.commit(share)
    scheduler.retire()


def run_to_end(scheduler: Scheduler) -> list[dict[int, int]]:
    steps = []
    while scheduler.busy:
        steps.append(step(scheduler))
        assert steps[-1], "a busy scheduler has work"
    return steps


@dataclass(frozen=True)
class Arrival:
    """A request to come: after how many steps, and after how many more it is cancelled, if at all."""

    prompt: tuple[int, ...]
    max_tokens: int
    at: int
    cancelled_after: int | None

    @property
    def blocks(self) -> int:
        return -(-(len(self.prompt) + self.max_tokens) // SIZE)


ARRIVALS = st.lists(
    st.builds(
        Arrival,
        prompt=st.lists(st.integers(0, 1), min_size=1, max_size=14).map(tuple),
        max_tokens=st.integers(1, 8),
        at=st.integers(0, 12),
        cancelled_after=st.none() | st.none() | st.integers(0, 12),
    ),
    min_size=1,
    max_size=8,
)


class Day:
    """Everything that a scheduler does with some arrivals, checked at every step."""

    def __init__(self, arrivals: list[Arrival], spare: int, budget: int, running: int) -> None:
        count = max(arrival.blocks for arrival in arrivals) + spare
        self.scheduler = make_scheduler(count, budget, running)
        self.budget = budget
        self.running = running
        self.coming = sorted(arrivals, key=lambda arrival: arrival.at)
        self.requests: list[Request] = []
        self.cancels: dict[int, list[Request]] = {}
        self.first_run: list[int] = []

    def run(self) -> None:
        now = 0
        while self.coming or self.scheduler.busy:
            self._arrive(now)
            for one in self.cancels.pop(now, []):
                self.scheduler.cancel(one)
                self._check_blocks()
            if self.scheduler.busy:
                self._step()
            now += 1
            assert now < 1000, "somebody is starved"

    def _arrive(self, now: int) -> None:
        while self.coming and self.coming[0].at == now:
            arrival = self.coming.pop(0)
            one = request(arrival.prompt, arrival.max_tokens)
            self.scheduler.add(one)
            self.requests.append(one)
            if arrival.cancelled_after is not None:
                self.cancels.setdefault(now + arrival.cancelled_after, []).append(one)

    def _step(self) -> None:
        scheduler = self.scheduler
        oldest = next(one for one in self.requests if not one.finished)
        decoding = [one for one in scheduler.running if one.pending == 1]
        preemptions = {one: one.preemptions for one in scheduler.running}
        work = scheduler.schedule()
        self._check_work(work)
        scheduled = [share.request for share in work]
        for one, before in preemptions.items():
            assert one.preemptions == before or one not in scheduled, "room was made, not moved around"
        assert oldest in scheduled, "the oldest request never waits"
        for one in decoding:
            assert one in scheduled or one in scheduler.waiting, "a running decode stalls only by preemption"
        self.first_run += [one.id for one in scheduled if one.id not in self.first_run]
        finish(scheduler, work)
        self._check_blocks()

    def _check_work(self, work: Sequence[Scheduled]) -> None:
        assert 0 < sum(share.count for share in work) <= self.budget
        assert len(self.scheduler.running) <= self.running
        assert len({share.request for share in work}) == len(work)
        for share in work:
            assert share.count > 0
            assert share.request in self.scheduler.running
            assert share.end <= len(share.request.tokens)

    def _check_blocks(self) -> None:
        pool = self.scheduler.pool
        held = {block for one in self.scheduler.running for block in one.block_table}
        assert pool.free == pool.count - len(held)
        for one in self.requests:
            assert one in self.scheduler.running or not one.block_table
        ids = [one.id for one in self.scheduler.running]
        assert ids == sorted(ids), "in order of arrival"


def check_day(arrivals: list[Arrival], spare: int, budget: int, running: int) -> None:
    day = Day(arrivals, spare, budget, running)
    day.run()
    assert day.scheduler.pool.free == day.scheduler.pool.count
    assert day.first_run == sorted(day.first_run), "first come, first served"
    for one in day.requests:
        if one.finished is not FinishReason.CANCELLED:
            assert one.finished is FinishReason.LENGTH
            assert len(one.output) == one.params.max_tokens


DAY = {
    "arrivals": ARRIVALS,
    "spare": st.integers(0, 6),
    "budget": st.integers(1, 12),
    "running": st.integers(1, 5),
}


@given(**DAY)
@settings(max_examples=250)
def test_everybody_ends_within_the_budget_and_in_order(arrivals, spare, budget, running):
    check_day(arrivals, spare, budget, running)


@pytest.mark.deep
@given(**DAY)
@settings(max_examples=20_000)
def test_everybody_ends_over_many_days(arrivals, spare, budget, running):
    check_day(arrivals, spare, budget, running)


def test_a_request_that_was_queued_before_an_earlier_one_makes_room_for_it():
    scheduler = make_scheduler(blocks=9, budget=16, reuse=False)
    earlier, later = request([1] * 4, 10), request([2] * 4, 10)
    scheduler.add(later)  # two threads took their numbers in one order and queued in the other
    scheduler.add(earlier)
    run_to_end(scheduler)
    assert (earlier.preemptions, later.preemptions) == (0, 1)
    assert len(earlier.output) == len(later.output) == 10


def test_running_decodes_go_on_while_a_long_prompt_is_prefilled():
    scheduler = make_scheduler(blocks=200, budget=8)
    streams = [request([1], 60) for _ in range(3)]
    for one in streams:
        scheduler.add(one)
    step(scheduler)
    long = request([0] * 100, 4)
    scheduler.add(long)
    chunks = []
    while long.pending > 1:
        shares = step(scheduler)
        assert all(shares[one.id] == 1 for one in streams)
        chunks.append(shares[long.id])
    assert chunks == [5] * 20, "prefill takes what the decodes leave"


def test_a_step_prefills_several_short_prompts_and_the_beginning_of_the_next():
    scheduler = make_scheduler(blocks=50, budget=10)
    one, two, three = (request([index] * 4, 2) for index in range(3))
    for waiting in (one, two, three):
        scheduler.add(waiting)
    assert step(scheduler) == {one.id: 4, two.id: 4, three.id: 2}
    assert step(scheduler) == {one.id: 1, two.id: 1, three.id: 2}


def test_a_tiny_pool_preempts_the_latest_and_it_ends_all_the_same():
    scheduler = make_scheduler(blocks=8, budget=16, reuse=False)
    first, second = request([1] * 4, 10), request([2] * 4, 10)
    scheduler.add(first)
    scheduler.add(second)
    run_to_end(scheduler)
    assert (first.preemptions, second.preemptions) == (0, 1)
    assert len(first.output) == len(second.output) == 10
    assert second.finished is FinishReason.LENGTH


def test_a_preempted_request_comes_back_before_later_ones():
    scheduler = make_scheduler(blocks=8, budget=16, running=2, reuse=False)
    requests = [request([index] * 4, 10) for index in range(3)]
    for one in requests:
        scheduler.add(one)
    finished = []
    while scheduler.busy:
        step(scheduler)
        finished += [one.id for one in requests if one.finished and one.id not in finished]
    assert requests[1].preemptions == 1
    assert finished == [one.id for one in requests]


def test_what_a_preempted_request_left_in_the_cache_is_not_counted_as_cached_prompt():
    scheduler = make_scheduler(blocks=8, budget=16)
    first, second = request([1] * 4, 10), request([2] * 4, 10)
    scheduler.add(first)
    scheduler.add(second)
    run_to_end(scheduler)
    assert second.preemptions
    assert second.cached_prompt_tokens == 0


def test_a_known_prefix_is_not_computed_again():
    scheduler = make_scheduler(blocks=20, budget=32)
    scheduler.add(request([1, 2, 3, 4, 5], 1))
    run_to_end(scheduler)
    again = request([1, 2, 3, 4, 9], 1)
    scheduler.add(again)
    assert step(scheduler) == {again.id: 1}
    assert again.cached_prompt_tokens == 4


def test_no_more_run_side_by_side_than_allowed():
    scheduler = make_scheduler(blocks=50, budget=32, running=2)
    for _ in range(5):
        scheduler.add(request([1, 2, 3], 3))
    assert max(len(shares) for shares in run_to_end(scheduler)) == 2


@pytest.mark.parametrize("steps", [0, 1, 3, 6])
def test_a_cancelled_request_gives_its_blocks_back_at_once(steps):
    scheduler = make_scheduler(blocks=20, budget=4)
    one = request([0] * 10, 8)
    scheduler.add(one)
    for _ in range(steps):
        step(scheduler)
    scheduler.cancel(one)
    assert one.finished is FinishReason.CANCELLED
    assert scheduler.pool.free == 20
    assert not scheduler.busy


def test_cancelling_a_finished_request_leaves_it_finished():
    scheduler = make_scheduler(blocks=20, budget=32)
    one = request([1], 1)
    scheduler.add(one)
    run_to_end(scheduler)
    scheduler.cancel(one)
    assert one.finished is FinishReason.LENGTH


def test_an_end_token_ends_a_request_and_belongs_to_its_output():
    scheduler = make_scheduler(blocks=20, budget=32)
    one = Request((1, 2), SamplingParams(max_tokens=9, eos_ids=frozenset({0})))
    scheduler.add(one)
    run_to_end(scheduler)
    assert one.output == [0]
    assert one.finished is FinishReason.EOS
