"""Making the folders that Draftline keeps its own things in."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from configs.errors import InputError


def expanded(path: str | Path) -> Path:
    """``~`` and ``~/...`` mean the home folder; ``~name`` is a name like others, as of Word's lock files."""
    text = os.fspath(path)
    return Path(text).expanduser() if text == "~" or text.startswith("~/") else Path(text)


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
