"""How much memory is free, so that what cannot fit is refused before hours are spent on it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import torch

CGROUP = Path("/sys/fs/cgroup")
SHARE = 0.9
"""Of the free memory may be planned with; the rest is for activations and for others."""


def available_bytes(device: torch.device) -> int:
    """Memory on a device that can be taken: of a CUDA device, or of this process's container or machine."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free * SHARE)
    found = [_machine()]
    with contextlib.suppress(OSError, ValueError):  # no such file, or no limit: "max"
        limit, used = (
            int((CGROUP / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current")
        )
        found.append(limit - used + _field(CGROUP / "memory.stat", "inactive_file"))
    return int(min(found) * SHARE)


def _machine() -> int:
    with contextlib.suppress(OSError, ValueError):
        return _field(Path("/proc/meminfo"), "MemAvailable:") * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _field(file: Path, name: str) -> int:
    """The number behind a name in a file of such lines."""
    for line in file.read_text(encoding="ascii").splitlines():
        found, value, *_ = line.split()
        if found == name:
            return int(value)
    raise ValueError(name)


def gigabytes(count: float) -> str:
    """As people read it."""
    return f"{count / 2**30:.1f} GiB"
