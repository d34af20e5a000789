"""Lines read ahead: in order, none lost, nobody kept waiting."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieve.batch import windows


@given(st.lists(st.text(min_size=1)), st.integers(1, 5))
def test_windows_hold_all_lines_in_order(lines: list[str], size: int) -> None:
    made = list(windows(iter(lines), size))
    assert [line for window in made for line in window] == lines
    assert all(1 <= len(window) <= size for window in made)


def test_a_line_is_not_kept_waiting_for_the_next() -> None:
    """As somebody who writes a question, reads its answer and then writes the next."""
    typed: queue.Queue[str | None] = queue.Queue()

    def lines() -> Iterator[str]:
        while (line := typed.get()) is not None:
            yield line

    read = windows(lines(), 10)
    for line in ("first", "second"):
        typed.put(line)
        assert next(read) == [line]
    typed.put(None)
    assert list(read) == []


def test_an_error_comes_after_the_lines_before_it() -> None:
    def lines() -> Iterator[str]:
        yield "first"
        raise OSError("gone")

    read = windows(lines(), 1)
    assert next(read) == ["first"]
    with pytest.raises(OSError, match="gone"):
        next(read)
