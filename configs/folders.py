"""Making the folders that Draftline keeps its own things in."""

from __future__ import annotations

import errno
from pathlib import Path

from configs.errors import InputError


def make_folder(folder: Path) -> None:
    """Make a folder below ``DRAFTLINE_HOME``, and those above it, where they are not there yet.

    Raises:
        InputError: it cannot be made. OSError: the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        reason = error.strerror or error
        raise InputError(f"the folder {folder} cannot be made: {reason}; see DRAFTLINE_HOME") from None
