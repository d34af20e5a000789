"""The paths a person gives: words of the command line, and lists on standard input."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from configs.errors import InputError
from ingest.listing import ROOT_MARK
from ingest.web.urls import is_url

STDIN = "-"
_MOST_BYTES = 256_000_000
_HERE = re.compile(r"^(?:\./+)+")


def expand(paths: Sequence[str], read: Callable[[int], bytes]) -> list[str]:
    """The paths with each ``-`` replaced by those listed on standard input.

    They are separated by NUL characters if there are any, else by line ends. Relative ones have the
    current folder as their root, so that ``git ls-files | python -m ingest -`` keeps the folders.

    Args:
        read: reads so many bytes of standard input.

    Raises:
        InputError: the list is longer than can be meant.
    """
    expanded: list[str] = []
    for path in paths:
        expanded += _listed(read(_MOST_BYTES + 1)) if path == STDIN else [path]
    return list(dict.fromkeys(expanded))


def _listed(data: bytes) -> list[str]:
    if len(data) > _MOST_BYTES:
        raise InputError(f"the list of paths on standard input has more than {_MOST_BYTES / 1e6:g} MB")
    lines = data.split(b"\0") if b"\0" in data else [line.rstrip(b"\r") for line in data.split(b"\n")]
    here = str(Path.cwd())
    return [
        line
        if is_url(line) or line.startswith(("/", "~"))
        else f"{here}{ROOT_MARK}{_HERE.sub('', line) or '.'}"
        for line in map(os.fsdecode, lines)
        if line
    ]
