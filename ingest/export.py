"""``--convert-only``: a folder of converted markdown that mirrors the tree; no store is touched."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from configs.errors import InputError
from configs.settings import Settings
from ingest.compare import make_plan
from ingest.conversion import Conversion
from ingest.front_matter import dump_front_matter
from ingest.ledger import Ledger
from ingest.progress import Stages
from ingest.report import Report
from ingest.sources import Failure, Source, absolute
from ingest.spool import Spool
from retrieve.store.base import StoreInfo

EMPTY = StoreInfo(0, 0, None, None, {}, "")


def export(paths: Sequence[str], out: str, settings: Settings, stages: Stages) -> Report:
    """Convert every file below the paths into the folder ``out``.

    Raises:
        InputError: none of the paths exists, or ``out`` would overwrite what is converted.
    """
    folder = absolute(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {out}: not a folder")
    plan = make_plan(paths, settings, Ledger(), EMPTY, avoid=(folder,))
    _refuse_overwriting(plan.listing.sources, folder)
    report = Report(failed=list(plan.failures), skipped=plan.listing.skipped)
    with Spool() as spool:
        Conversion(plan, settings, spool, stages, report, prune=True, chunked=False).run()
        stages.stage("writing", spool.documents, "documents")
        names = [prepared.file_name for prepared in spool]
        targets = target_names(names)
        taken: dict[str, str] = {}
        for name, prepared in zip(names, spool, strict=True):
            document = prepared.document
            try:
                if (other := taken.setdefault(targets[name], document.root)) != document.root:
                    raise InputError(f"{other} has a file of the same path; convert the two apart")
                _write_into(folder, targets[name], dump_front_matter(document.metadata, document.body))
                report.documents[prepared.key] = 0
            except InputError as error:
                report.failed.append(Failure(document.path, str(error)))
            stages.advance()
    return report


def target_names(paths: Iterable[str]) -> dict[str, str]:
    """Where each file's markdown goes: ``<stem>.md``, or ``<name>.md`` where two would meet."""
    targets = {path: str(PurePosixPath(path).with_suffix(".md")) for path in paths}
    while True:
        uses = Counter(targets.values())
        clashing = [path for path, target in targets.items() if uses[target] > 1 and target != f"{path}.md"]
        if not clashing:
            return targets
        targets.update((path, f"{path}.md") for path in clashing)


def _refuse_overwriting(sources: Sequence[Source], folder: Path) -> None:
    originals = {source.file.resolve() for source in sources}
    for target in target_names([source.file_name for source in sources]).values():
        if (folder / target).resolve() in originals:
            raise InputError(f"--out {folder} would overwrite {folder / target}; name another folder")


def _write_into(folder: Path, target: str, text: str) -> None:
    path = folder / target
    try:
        if not path.parent.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"{path.parent} leads out of {folder}; not written")
        _write(path, text)
    except (IsADirectoryError, NotADirectoryError, FileExistsError, PermissionError) as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def _write(path: Path, text: str) -> None:
    """Replace a file at once: a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".draftline-", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            error.filename = str(path)  # a failed write does not say where
        raise
