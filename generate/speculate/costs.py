"""What a step costs on this machine: seconds by rows and context.

The model's own work grows with the rows of a step (weights are read once, whatever their number);
attention adds, for each request, a price by the rows that look at its context and by its length:

    seconds = f(all rows) + sum over requests of h(its rows) * context

f and h are measured once over a grid of rows. While the engine runs, every step is compared with
its prediction, which corrects for what the sum leaves out (large batches) and for a machine that has
become slower or faster as a whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

GRID = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 64, 128)
"""Dense where steps are small: costs go up by stairs, as wide as the kernels' vectors and tiles."""
DRIFT = 0.1
"""How fast the machine's overall pace is followed."""
RESIDUAL = 0.05
"""How fast a cell's own deviation is."""
OUTLIER = 4.0

Timer = Callable[[int, int], float]
"""``timer(rows, context)``: seconds of one step of a request with so many rows behind so much context."""


@dataclass(frozen=True)
class Share:
    """One request's part of a step: its rows, and the tokens of context that each of them sees."""

    rows: int
    context: int


class StepCosts:
    """Predicts and follows the time of a step.

    Args:
        base: f at the rows of ``GRID``, in seconds.
        reading: h at the rows of ``GRID``, in seconds a token of context.
        sight: tokens of a context that are read at most; None: all.
    """

    def __init__(self, base: Sequence[float], reading: Sequence[float], sight: int | None = None) -> None:
        assert len(base) == len(reading) == len(GRID)
        self.base = _non_decreasing(base)
        self.reading = _non_decreasing(reading)
        self._sight = sight
        self._pace = 1.0
        self._cells: dict[tuple[int, int, int], float] = {}

    @classmethod
    def measure(cls, timer: Timer, context: int, repeats: int = 3, sight: int | None = None) -> StepCosts:
        """Time the grid, at no context and at ``context`` tokens of it, interleaved."""
        context = context if sight is None else min(context, sight)
        samples: dict[tuple[int, int], list[float]] = {}
        for repeat in range(repeats + 1):
            for rows in GRID:
                for length in (0, context):
                    seconds = timer(rows, length)
                    if repeat:  # the first round warms up
                        samples.setdefault((rows, length), []).append(seconds)
        base = [median(samples[rows, 0]) for rows in GRID]
        reading = [
            max(0.0, median(samples[rows, context]) - bare) / max(1, context)
            for rows, bare in zip(GRID, base, strict=True)
        ]
        return cls(base, reading, sight)

    def predict(self, shares: Sequence[Share]) -> float:
        """Seconds of a step with these shares."""
        return self._model(shares) * self._pace * self._residual(shares)

    def observe(self, shares: Sequence[Share], seconds: float) -> None:
        """Compare a step with its prediction."""
        ratio = seconds / max(1e-9, self._model(shares) * self._residual(shares))
        ratio = min(max(ratio, self._pace / OUTLIER), self._pace * OUTLIER)
        self._pace += DRIFT * (ratio - self._pace)
        cell = _cell(shares)
        deviation = self._residual(shares) * ratio / self._pace
        self._cells[cell] = self._cells.get(cell, 1.0) * (1 - RESIDUAL) + RESIDUAL * deviation

    def _model(self, shares: Sequence[Share]) -> float:
        rows = sum(share.rows for share in shares)
        return _at(self.base, rows) + sum(
            _at(self.reading, share.rows) * self._read(share.context) for share in shares
        )

    def _read(self, context: int) -> int:
        return context if self._sight is None else min(context, self._sight)

    def _residual(self, shares: Sequence[Share]) -> float:
        """A cell's deviation; of a cell never seen, that of the nearest row count in the same company."""
        batch, context, rows = _cell(shares)
        found = self._cells.get((batch, context, rows))
        if found is not None:
            return found
        near = [(abs(r - rows), v) for (b, c, r), v in self._cells.items() if (b, c) == (batch, context)]
        return min(near)[1] if near else 1.0


def _cell(shares: Sequence[Share]) -> tuple[int, int, int]:
    """Batch, context and rows, each by powers of two."""
    context = sum(share.context for share in shares)
    rows = sum(share.rows for share in shares)
    return len(shares).bit_length(), (context // 256).bit_length(), (rows // len(shares)).bit_length()


def _non_decreasing(values: Sequence[float]) -> list[float]:
    """More rows never cost less: what says otherwise is noise."""
    found: list[float] = []
    for value in values:
        found.append(max(value, found[-1]) if found else value)
    return found


def _at(table: Sequence[float], rows: int) -> float:
    """Interpolate over ``GRID``, and go on along its last slope."""
    index = min(max(1, bisect_left(GRID, rows)), len(GRID) - 1)
    low, high = GRID[index - 1], GRID[index]
    slope = (table[index] - table[index - 1]) / (high - low)
    return table[index - 1] + slope * (rows - low)
