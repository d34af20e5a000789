"""Files of what was measured once, to spare the next start."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def keep(file: Path | None, content: bytes) -> None:
    """Replace the file in one piece; a folder that cannot be written only costs the next start."""
    if file is None:
        return
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(file)
    except OSError:
        with suppress(OSError):
            partial.unlink()
