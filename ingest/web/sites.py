"""Pages in the mirror as sources: what a run sees of the web, without a request."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from configs.errors import InputError
from configs.settings import Settings
from ingest.convert.kinds import kind_of
from ingest.progress import Stages
from ingest.sources import Failure, Listing, Scope, Source, Stamp
from ingest.web.mirror import Visit, mirror_of
from ingest.web.urls import WEB, area_of, document_path, given_url, is_url, origin_of, shown

OTHER_PAGES = "(web)"
"""What pages of a content type that is not followed are counted under."""


def visit_sites(
    paths: Sequence[str], settings: Settings, stages: Stages, note: Callable[[str], None]
) -> None:
    """Bring the mirrors in line with the web for all addresses among the paths.

    Args:
        note: told what a person should know.

    Raises:
        StoreError: another run is at work on the same site.
    """
    for path in filter(is_url, paths):
        from ingest.web.crawl import crawl

        def show(url: str) -> None:
            stages.show(url)
            stages.advance()

        stages.stage(f"fetching {shown(path)}: at most", settings.ingest.crawl_pages, "pages")
        with contextlib.suppress(InputError):  # listing the site says it again
            crawl(
                path,
                settings,
                settings.home / WEB,
                accepts=lambda name: kind_of(name) not in (None, "archive"),
                show=show,
                note=note,
            )


def list_site(text: str, web: Path, listing: Listing) -> list[Source]:
    """The pages at and below an address, as its last visit left them; adds scopes and failures.

    Raises:
        InputError: the text is no address, there is nothing at it, or it was never visited.
    """
    given = given_url(text)
    scopes = [_scope(given)]
    visit = _visit(given, web)
    if visit is not None and visit.moved:
        given = visit.start
        scopes.append(_scope(given))
        visit = _visit(given, web)
    if visit is None:
        raise InputError("it was not fetched")
    if visit.missing is not None:
        raise InputError(visit.missing)
    scopes.append(_scope(visit.area or given))
    listing.scopes += scopes
    listing.failures += [Failure(url, error) for url, error in visit.failures]
    listing.unread += [url for url, _ in visit.failures]
    listing.skipped += Counter({OTHER_PAGES: visit.skipped})
    sources, own = [], set(visit.pages)
    for url, copy in mirror_of(web, given).copies():
        if not any(scope.covers(url) for scope in scopes):
            continue
        if url not in own:  # another address led to it
            listing.apart.append(url)
        elif (source := _source(url, copy)) is not None:
            sources.append(source)
    return sources


def place_of_given(text: str) -> str:
    """Where the ledger has what is at and below an address.

    Raises:
        InputError: the text is no address.
    """
    return _scope(given_url(text)).base


def forget_site(text: str, web: Path) -> None:
    """Delete the copies of the pages at and below an address."""
    mirror = mirror_of(web, given_url(text))
    if mirror.exists:
        mirror.forget(given_url(text))


def _visit(url: str, web: Path) -> Visit | None:
    mirror = mirror_of(web, url)
    return mirror.visit(url) if mirror.exists else None


def _scope(url: str) -> Scope:
    single = area_of(url).page is not None
    return Scope(url if single else url.rstrip("/"), is_file=single)


def _source(url: str, copy: Path) -> Source | None:
    try:
        status = copy.stat()
    except OSError:
        return None  # it was deleted by hand; the next visit fetches it again
    stamp = Stamp(status.st_size, status.st_mtime_ns, status.st_ino)
    return Source(origin_of(url), document_path(url), stamp, location=str(copy), url=url)
