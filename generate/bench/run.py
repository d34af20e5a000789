"""The measurement: rounds in which every system decodes the same prompts, one after the other.

A slow minute of the machine so strikes all of them, and the order turns round by round, so that none
always runs in another's wake. Within a round plain and auto run next to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from generate.bench.cells import Cell
from generate.bench.systems import Decoded, System, label


@dataclass(frozen=True)
class Run:
    """A system's part of a round. ``cell`` and ``group`` are indices."""

    cell: int
    group: int
    lane: int
    system: System
    ttft_s: float
    decoded: Decoded


def measure(
    cells: Sequence[Cell], systems: Sequence[System], rounds: int, note: Callable[[str], None]
) -> Iterator[Run]:
    """Run every system on every cell; yields each run as it ends.

    A group's prompts are prefilled once for all its rounds, by each engine for itself.

    Args:
        rounds: the least number in a cell. Every group of prompts has as many, so there may be more.
        note: takes a line of progress.
    """
    for number, cell in enumerate(cells):
        able = [s for s in systems if s.largest_batch is None or cell.batch <= s.largest_batch]
        lanes = -(-rounds // len(cell.groups))
        note(f"batch {cell.batch}, context {cell.context}: {lanes * len(cell.groups)} rounds")
        for system in able:
            system.reset()
        turn = 0
        for place, group in enumerate(cell.groups):
            ttft = {label(system): system.prefill(group) for system in able}
            for lane in range(lanes):
                done = []
                for system in able if turn % 2 == 0 else reversed(able):
                    decoded = system.decode(group, lane)
                    done.append(decoded)
                    yield Run(number, place, lane, system, ttft[label(system)], decoded)
                turn += 1
                note(f"  round {turn}: {_rates(able if turn % 2 else able[::-1], done)}")


def _rates(systems: Sequence[System], done: Sequence[Decoded]) -> str:
    rates = (
        f"{label(system)} {run.tokens / run.seconds:.1f}"
        for system, run in zip(systems, done, strict=True)
        if run.tokens
    )
    return f"{', '.join(rates)} tokens/s"
