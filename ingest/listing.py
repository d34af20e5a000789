"""Finding files: from the paths a person names to a sorted list of sources.

It knows names, sizes and times; it never reads what is in a file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from configs.errors import InputError
from configs.sections import IngestSettings
from ingest.globs import MAGIC, compile_glob
from ingest.sources import Failure, Key, Listing, Scope, Source, absolute, display, is_within, relative
from ingest.walk import Walk
from ingest.web.urls import is_url, shown

ROOT_MARK = "/./"


def list_sources(
    paths: Sequence[str],
    settings: IngestSettings,
    *,
    accepts: Callable[[str], bool],
    known_roots: Iterable[str] = (),
    avoid: Sequence[Path] = (),
    web: Path | None = None,
) -> Listing:
    """Find the files that the paths name.

    A folder is its own root; a file's root is the folder it lies in; a path inside a folder that
    was ingested before (or is given too) belongs to that folder's root. ``/./`` in a path marks the
    end of the root that the person wants.

    Args:
        accepts: whether a file of this name can be converted.
        known_roots: folders ingested whole before.
        avoid: absolute folders never walked into (Draftline's own home).
        web: the folder with the copies of pages that were fetched.
    """
    listing = Listing()
    found: dict[Key, Source] = {}
    scopes: list[Scope] = []
    for path in paths:
        try:
            if is_url(path) and web is not None:
                found.update((page.key, page) for page in _pages(path, web, listing))
            else:
                scopes.append(_scope(path))
        except InputError as error:
            listing.failures.append(Failure(display(shown(path)), str(error)))
            listing.missing += 1
    listing.scopes += scopes
    listing.roots = sorted({s.base for s in scopes if not (s.is_file or s.pattern or s.root)})
    homes = sorted({*known_roots, *listing.roots}, key=len)
    for scope in scopes:
        Walk(scope, _home(scope, homes), settings, accepts, avoid, listing, found).run()
    used = {root for root, _ in found}
    listing.roots = [root for root in listing.roots if root in used and _outermost(root, homes) == root]
    listing.sources = [found[key] for key in sorted(found)]
    listing.failures = list(dict.fromkeys(listing.failures))
    return listing


def _pages(url: str, web: Path, listing: Listing) -> list[Source]:
    from ingest.web.sites import list_site

    return list_site(url, web, listing)


def _scope(path: str) -> Scope:
    left, mark, _ = path.partition(ROOT_MARK)
    root = str(absolute(left or "/")) if mark else None
    target = absolute(path)
    try:
        found = target.stat()
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise InputError(f"cannot be read: {error.strerror}") from None
        if not MAGIC.search(path):
            raise InputError("no such file or folder") from None
    else:
        return Scope(str(target), is_file=not stat.S_ISDIR(found.st_mode), root=root)
    parts = target.parts
    first = next(i for i, part in enumerate(parts) if MAGIC.search(part))
    base, pattern = Path(*parts[:first]), "/".join(parts[first:])
    matches = compile_glob(pattern).fullmatch
    hit = base.is_dir() and any(
        matches(relative(os.path.join(folder, name), str(base)))  # noqa: PTH118 - strings in a hot loop
        for folder, _, names in os.walk(base)
        for name in names
    )
    if not hit:
        raise InputError("no file matches")
    return Scope(str(base), pattern, root=root)


def _outermost(path: str, folders: Sequence[str]) -> str | None:
    return next((folder for folder in folders if is_within(path, folder)), None)


def _home(scope: Scope, homes: Sequence[str]) -> str:
    own = str(Path(scope.base).parent) if scope.is_file else scope.base
    if scope.root is not None and is_within(scope.base, scope.root):
        own = scope.root
    return _outermost(scope.base, homes) or own
