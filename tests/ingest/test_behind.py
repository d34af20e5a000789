"""Calls made behind the caller's back: in order, none after a failed one, none after the end."""

from __future__ import annotations

import os
import signal
import time
from threading import Event, Thread

import pytest

from ingest.behind import Behind


def _fail() -> None:
    raise OSError("the disk is full")


def test_calls_are_made_in_order_and_all_of_them_before_the_end() -> None:
    made: list[int] = []
    with Behind(2) as behind:
        for number in range(50):
            behind.call(lambda number=number: made.append(number))  # type: ignore[misc]
    assert made == list(range(50))


def test_the_caller_waits_when_too_many_calls_wait() -> None:
    go, made = Event(), list[int]()
    with Behind(1) as behind:
        behind.call(go.wait)
        behind.call(lambda: made.append(1))
        caller = Thread(target=behind.call, args=[lambda: made.append(2)])
        caller.start()
        caller.join(0.2)
        assert caller.is_alive()
        go.set()
        caller.join()
        behind.wait()
    assert made == [1, 2]


def test_a_failed_call_is_the_last_and_is_told_of_ever_after() -> None:
    made: list[int] = []
    behind = Behind(8)

    def run() -> None:
        with behind:
            behind.call(lambda: made.append(1))
            behind.call(_fail)
            for number in range(2, 100):
                behind.call(lambda number=number: made.append(number))  # type: ignore[misc]

    with pytest.raises(OSError, match="disk is full"):
        run()
    with pytest.raises(OSError, match="disk is full"):
        behind.wait()
    with pytest.raises(OSError, match="disk is full"):
        behind.call(lambda: made.append(100))
    assert made == [1]


def test_a_context_that_ends_by_an_error_finishes_what_runs_and_drops_what_waits() -> None:
    began, made = Event(), list[int]()

    def first() -> None:
        began.set()
        time.sleep(0.1)
        made.append(0)

    def slowly() -> None:
        time.sleep(0.01)
        made.append(1)

    def run() -> None:
        with Behind(1_000) as behind:
            behind.call(first)
            for _ in range(1_000):
                behind.call(slowly)
            began.wait()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert made[0] == 0
    assert len(made) < 1_000
    after = len(made)
    time.sleep(0.05)
    assert len(made) == after


def test_who_interrupts_twice_waits_for_what_runs_all_the_same() -> None:
    began, made = Event(), list[int]()

    def first() -> None:
        began.set()
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)  # the main thread waits for this one by now
        time.sleep(0.1)
        made.append(1)

    def run() -> None:
        with Behind(8) as behind:
            behind.call(first)
            began.wait()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert made == [1]


def test_an_error_that_nobody_asked_for_is_raised_at_the_end() -> None:
    behind = Behind(8)
    with pytest.raises(OSError, match="disk is full"), behind:
        behind.call(_fail)
