"""How results are shown: a table for people, facts about the run for both people and programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

Row = Mapping[str, Any]

COLUMNS = (
    ("system", "system"),
    ("batch", "batch"),
    ("context", "context"),
    ("tokens/s", "tokens_per_s"),
    ("tokens/step", "tokens_per_step"),
    ("ttft s", "ttft_s"),
    ("x transformers", "ratio_vs_transformers"),
    ("x plain", "ratio_vs_plain"),
    ("identical", "identical"),
    ("weights", "weights"),
    ("runs", "runs"),
)
INTERVALS = {
    "tokens_per_s": ("low", "high"),
    "ratio_vs_transformers": ("ratio_vs_transformers_low", "ratio_vs_transformers_high"),
    "ratio_vs_plain": ("ratio_vs_plain_low", "ratio_vs_plain_high"),
}
PACKAGES = ("draftline", "torch", "transformers", "llama-cpp-python")
LEGEND = (
    "Medians; in brackets their 95 % intervals (bootstrap over runs). tokens/s: decoding only, whole batch. "
    "tokens/step: of a request. ttft: cold. identical: share of outputs that are token for token the "
    "reference's (transformers for float32, else plain with the same weights)."
)


def machine(device: str, threads: int) -> dict[str, Any]:
    """What the figures depend on beside the code."""
    return {
        "device": device,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            names = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            return next(names, platform.machine())
    except OSError:
        return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def name_of(row: Row) -> str:
    """A row's system, with what tells it from others of the name."""
    return f"{row['system']} ({row['variant']})" if row["variant"] else str(row["system"])


def table(rows: Sequence[Row]) -> list[str]:
    """Lines of an aligned table; columns that no row fills are left out."""
    used = [(title, key) for title, key in COLUMNS if any(row[key] is not None for row in rows)]
    cells = [[title for title, _ in used]]
    cells += [[_cell(row, key) for _, key in used] for row in rows]
    return align(cells)


def align(cells: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table whose first row is its header; the first column is text, the others are numbers."""
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = []
    for row in cells:
        first, *others = (
            text.rjust(width) if column else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join((first, *others)).rstrip())
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def _cell(row: Row, key: str) -> str:
    if key == "system":
        return name_of(row)
    value = row[key]
    if value is None:
        return "-"
    if key == "identical":
        ties = f" ({row['ties']} ties)" if row["ties"] else ""
        return f"{value:.1%}{ties}" if value < 1 else f"100%{ties}"
    if not isinstance(value, float):
        return str(value)
    digits = 1 if key == "tokens_per_s" else 2
    if key not in INTERVALS or row["runs"] == 1:
        return f"{value:.{digits}f}"
    low, high = (row[name] for name in INTERVALS[key])
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
