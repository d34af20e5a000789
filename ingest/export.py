"""``--convert-only``: a folder of converted markdown that mirrors the tree; no store is touched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from configs.errors import InputError
from configs.settings import Settings
from ingest.compare import make_plan
from ingest.conversion import Conversion
from ingest.front_matter import dump_front_matter
from ingest.ledger import Ledger
from ingest.progress import Stages
from ingest.report import Report
from ingest.sources import Failure, Source, absolute, is_within
from ingest.spool import Spool
from ingest.web.urls import is_url
from ingest.writing import free_name, target_names, write_below
from retrieve.store.base import StoreInfo

EMPTY = StoreInfo(0, 0, None, None, {}, "")


def export(paths: Sequence[str], out: str, settings: Settings, stages: Stages) -> Report:
    """Convert every file below the paths into the folder ``out``.

    Raises:
        InputError: none of the paths exists, or ``out`` would overwrite what is converted.
    """
    folder = absolute(out)
    plan = make_plan(paths, settings, Ledger(), EMPTY, avoid=(folder,))
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {out}: not a folder")
    _refuse_overwriting(plan.listing.sources, folder)
    report = Report(failed=list(plan.failures), skipped=plan.listing.skipped)
    with Spool() as spool:
        Conversion(plan, settings, spool, stages, report, prune=True, chunked=False).run()
        stages.stage("writing", spool.documents, "documents")
        used: dict[str, set[str]] = defaultdict(set)  # pages of a site may have one file name
        names = [free_name(one.file_name, used[one.document.root]) for one in spool]
        targets = target_names(names)
        taken: dict[str, str] = {}
        for name, prepared in zip(names, spool, strict=True):
            document = prepared.document
            try:
                if (other := taken.setdefault(targets[name], document.root)) != document.root:
                    raise InputError(f"{other} has a file of the same path; convert the two apart")
                write_below(folder, targets[name], dump_front_matter(document.metadata, document.body))
                report.documents[prepared.key] = 0
            except InputError as error:
                report.failed.append(Failure(document.path, str(error)))
            stages.advance()
    if _lies_among(folder, paths):
        stages.note(
            f"note: {out} lies among the documents: the next ingest takes what was written as well, unless "
            ".draftlineignore names it"
        )
    return report


def _lies_among(folder: Path, paths: Sequence[str]) -> bool:
    """Whether an ingest of these paths would walk into the folder, as far as names tell."""
    roots = [absolute(path) for path in paths if not is_url(path)]
    above = [root for root in roots if is_within(str(folder), str(root))]
    return any(not any(part.startswith(".") for part in folder.relative_to(root).parts) for root in above)


def _refuse_overwriting(sources: Sequence[Source], folder: Path) -> None:
    originals = {source.file.resolve() for source in sources}
    for target in target_names([source.file_name for source in sources]).values():
        if (folder / target).resolve() in originals:
            raise InputError(f"--out {folder} would overwrite {folder / target}; name another folder")
