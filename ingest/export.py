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
from ingest.compare import require_any
from ingest.convert.base import load_converter, time_limit
from ingest.convert.kinds import kind_of
from ingest.fields.resolve import Resolver
from ingest.front_matter import dump_front_matter
from ingest.listing import list_sources
from ingest.prepare import convert
from ingest.progress import Stages
from ingest.reading import read_source
from ingest.report import Report
from ingest.sources import Failure, Source, absolute
from ingest.web.urls import WEB


def export(paths: Sequence[str], out: str, settings: Settings, stages: Stages) -> Report:
    """Convert every file below the paths into the folder ``out``.

    Raises:
        InputError: none of the paths exists, or ``out`` would overwrite what is converted.
    """
    folder = absolute(out)
    listing = list_sources(
        paths,
        settings.ingest,
        accepts=lambda path: kind_of(path) is not None,
        avoid=(settings.home, folder),
        web=settings.home / WEB,
    )
    require_any(listing, paths)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {out}: not a folder")
    report = Report(failed=list(listing.failures), skipped=listing.skipped)
    resolver = Resolver(settings.ingest)
    targets = target_names([source.file_name for source in listing.sources])
    _refuse_overwriting(listing.sources, targets, folder)
    stages.stage("converting", len(listing.sources), "files")
    written: dict[str, Source] = {}
    for source in listing.sources:
        target = targets[source.file_name]
        stages.show(source.path)
        try:
            if (other := written.get(target)) is not None:
                raise InputError(f"{other.root} has a file of the same path; convert the two apart")
            _export_one(source, folder, target, settings, resolver, stages)
            written[target] = source
            report.documents[source.key] = 0
        except InputError as error:
            report.failed.append(Failure(source.path, " ".join(str(error).split())))
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


def _refuse_overwriting(sources: Sequence[Source], targets: dict[str, str], folder: Path) -> None:
    originals = {source.file.resolve() for source in sources}
    for source in sources:
        target = folder / targets[source.file_name]
        if target.resolve() in originals:
            raise InputError(f"--out {folder} would overwrite {target}; name another folder")


def _export_one(
    source: Source, folder: Path, target: str, settings: Settings, resolver: Resolver, stages: Stages
) -> None:
    kind = kind_of(source.file.name)
    assert kind is not None
    data, _ = read_source(source, settings.ingest.max_file_mb)
    with time_limit(settings.ingest.convert_timeout_s):
        found = convert(load_converter(kind, settings.ingest), data, source.file.suffix.lower())
        converted = resolver.resolve(found, source.path, kind)
    for note in converted.notes:
        stages.note(f"note: {source.path}: {note}")
    path = folder / target
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{path.parent} leads out of {folder}; not written")
    try:
        _write(path, dump_front_matter(converted.metadata, converted.body))
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
