"""Files written so that a reader sees the old one or the new one, and never outside of their folder."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from configs.errors import InputError


def target_names(paths: Iterable[str]) -> dict[str, str]:
    """Where each file's markdown goes: ``<stem>.md``, or ``<name>.md`` where two would meet."""
    targets = {path: str(PurePosixPath(path).with_suffix(".md")) for path in paths}
    while True:
        uses = Counter(targets.values())
        clashing = [path for path, target in targets.items() if uses[target] > 1 and target != f"{path}.md"]
        if not clashing:
            return targets
        targets.update((path, f"{path}.md") for path in clashing)


def free_name(name: str, used: set[str]) -> str:
    """``name``, or ``<stem>-2`` and so on where it is used; used from now on."""
    whole, number = PurePosixPath(name), 1
    while name in used:
        number += 1
        name = str(whole.with_stem(f"{whole.stem}-{number}"))
    used.add(name)
    return name


def write_below(folder: Path, target: str, text: str) -> None:
    """Write a file below a folder.

    Raises:
        InputError: it cannot be written, or a link leads out of the folder. OSError: the disk is full.
    """
    path = folder / target
    try:
        if not path.parent.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{path.parent} leads out of {folder}; not written")
        with replacing(path) as fresh:
            fresh.write_text(text, encoding="utf-8", newline="")
    except (IsADirectoryError, NotADirectoryError, FileExistsError, PermissionError) as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file beside ``path`` to write into; it takes its place when all went well, else it goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".draftline-", dir=path.parent)
    os.fchmod(descriptor, 0o644)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            error.filename = str(path)  # a failed write does not say where
        raise
