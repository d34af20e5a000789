"""A visit of a site: from one address along its links, no page twice, nothing beyond its limits.

Pages that are known already are asked for only if they have changed. A page that fails keeps what is
known of it, with its old links, so that a visit finds what a first visit on a good day would find. A visit
that a limit cuts short keeps the known pages that it did not get to: nobody can say whether they are gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from configs.sections import IngestSettings
from configs.settings import Settings
from ingest.report import counted, some
from ingest.web.addresses import PrivateAddressError
from ingest.web.fetch import Answer, Fetcher, FetchError
from ingest.web.forms import HTML, as_utf8, changed_at, gunzipped, suffix_of
from ingest.web.frontier import Frontier
from ingest.web.links import links_of, sitemap_kind, sitemap_pages
from ingest.web.mirror import Mirror, Page, Visit, copy_name, mirror_of
from ingest.web.robots import MOST_BYTES, parse_robots
from ingest.web.urls import Area, area_of, given_url, normalise, origin_of, path_of, same_place_secured

_REDIRECTS = 5
_SILENT = 3
"""Pages in a row that nobody answers for: then the site is down."""
_GONE = (404, 410)


def crawl(
    text: str,
    settings: Settings,
    web: Path,
    *,
    accepts: Callable[[str], bool],
    show: Callable[[str], None] = lambda url: None,
    note: Callable[[str], None] = lambda line: None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Bring the mirror of a site, or of one page, in line with what is on the web.

    Args:
        web: the folder with the mirrors of all sites.
        accepts: whether a file of this name can be converted.
        show: told each address before it is fetched.
        note: told what a person should know.

    Raises:
        InputError: the text is no address. StoreError: another visit of the site is at work.
    """
    given = given_url(text)
    for _ in range(2):  # an address by http may be another by https now
        mirror = mirror_of(web, given)
        with mirror.locked(settings.ingest.lock_wait_s), Fetcher(settings.ingest, sleep) as fetcher:
            visitor = _Visitor(given, mirror, settings.ingest, fetcher, accepts, show)
            visit = visitor.run()
            mirror.finish(given, visit)
        for line in visitor.notes:
            note(f"note: {given}: {line}")
        if not visit.moved:
            return
        given = visit.start


class _MissingError(Exception):
    """There is nothing at the address that was given."""


class _MovedError(Exception):
    """The address that was given is another one now."""


class _Visitor:
    def __init__(
        self,
        given: str,
        mirror: Mirror,
        settings: IngestSettings,
        fetcher: Fetcher,
        accepts: Callable[[str], bool],
        show: Callable[[str], None],
    ) -> None:
        self._given, self._mirror, self._settings = given, mirror, settings
        self._fetcher, self._accepts, self._show = fetcher, accepts, show
        before = mirror.visit(given)
        self._known = before.pages if before is not None else ()
        """The pages of the visit before."""
        self._frontier = Frontier(given, settings, accepts)
        self._pages: dict[str, None] = {}
        self._failures: dict[str, str] = {}
        self._gone: dict[str, int] = {}
        """Addresses with nothing there, and what the server answers."""
        self._arrived = False
        """Something else than a redirect was answered."""
        self._follows = True
        """Whether links are followed: not those of pages that a sitemap lists."""
        self._limits: list[str] = []
        """Settings that cut the visit short."""
        self._silent = self._skipped = self._barred = 0
        self.notes: list[str] = []

    def run(self) -> Visit:
        try:
            self._read_robots()
            self._follow()
            self._end_early()
        except (_MissingError, PrivateAddressError) as error:
            return self._missing(str(error))
        except _MovedError as error:
            return Visit(str(error), moved=True)
        except FetchError as error:
            if not (self._pages or self._known):
                return self._missing(str(error))
            self._failures[self._given] = str(error)
            self._keep_known(but=())  # the site cannot be looked at further
        self.notes = list(self._told())
        area = self._frontier.area
        return Visit(
            self._given,
            area=area.page or area.origin + area.path,
            pages=tuple(self._pages),
            failures=tuple(self._failures.items()),
            skipped=self._skipped,
        )

    def _missing(self, reason: str) -> Visit:
        """Nothing there now; the copies stay for the day when there is."""
        return Visit(self._given, missing=reason, pages=self._known)

    def _read_robots(self) -> None:
        url = f"{origin_of(self._given)}/robots.txt"
        try:
            for _ in range(_REDIRECTS):
                answer = self._fetcher.get(url, most_bytes=MOST_BYTES)
                target = normalise(answer.headers.get("location", ""), url)
                if not 300 <= answer.status < 400 or target is None or origin_of(target) != origin_of(url):
                    break
                url = target
        except FetchError as error:
            raise FetchError(f"robots.txt: {error}", unreachable=error.unreachable) from None
        if answer.status >= 500:
            raise FetchError(f"robots.txt: the server answers {answer.status}")
        if 200 <= answer.status < 300:
            self._frontier.robots = parse_robots(answer.body)
        self._fetcher.delay_s = max(self._fetcher.delay_s, self._frontier.robots.delay_s)

    def _follow(self) -> None:
        while self._frontier and not self._is_full():
            url, depth = self._frontier.take()
            if not self._frontier.allows(url):
                self._barred += 1
                if not self._arrived:
                    raise _MissingError("its robots.txt does not allow it")
                continue
            self._show(url)
            known = self._mirror.page(url)
            try:
                answer = self._fetcher.get(
                    url,
                    etag=known.etag if known else None,
                    modified=known.modified if known else None,
                    wants=lambda answer, url=url: self._wants(answer, url),  # type: ignore[misc]
                )
            except (FetchError, PrivateAddressError) as error:
                self._fail(url, depth, known, error)
            else:
                self._silent = 0
                self._answered(url, depth, known, answer)

    def _is_full(self) -> bool:
        most = self._settings.crawl_pages
        return len(self._pages) >= most or len(self._frontier.taken) - self._barred >= 3 * most + 20

    def _end_early(self) -> None:
        """Where a limit cut the visit short, keep the known pages that it did not get to."""
        self._limits = self._frontier.limits()
        if self._limits:
            self._keep_known(but=self._frontier.taken)

    def _told(self) -> Iterator[str]:
        if self._gone:
            answers = " or ".join(map(str, sorted(set(self._gone.values()))))
            addresses = f"{counted(len(self._gone), 'address')}: {some(list(self._gone))}"
            yield f"the server answers {answers} for {addresses}"
        if self._barred:
            yield f"its robots.txt bars {counted(self._barred, 'address')}"
        for name in self._limits:
            yield f"stopped at ingest.{name} = {getattr(self._settings, name)}; there are more"

    def _wants(self, answer: Answer, url: str) -> bool:
        return suffix_of(answer, url, self._accepts) is not None or self._may_be_sitemap(answer, url)

    def _may_be_sitemap(self, answer: Answer, url: str) -> bool:
        named = path_of(url).endswith((".xml", ".xml.gz"))
        return not self._arrived and (named or answer.type in ("text/xml", "application/xml"))

    def _fail(
        self, url: str, depth: int, known: Page | None, error: FetchError | PrivateAddressError
    ) -> None:
        if not self._arrived:
            raise error
        self._failures[url] = str(error)
        self._keep(known, depth)
        self._silent = self._silent + 1 if isinstance(error, FetchError) and error.unreachable else 0
        if self._silent >= _SILENT:
            raise FetchError(f"the site is down: {error}")

    def _answered(self, url: str, depth: int, known: Page | None, answer: Answer) -> None:
        target = normalise(answer.headers.get("location", ""), url)
        if answer.status in (301, 302, 303, 307, 308) and target is not None:
            self._redirected(url, depth, target)
        elif not self._arrived and not (200 <= answer.status < 300 or answer.status == 304):
            raise _MissingError(f"the server answers {answer.status}")
        elif answer.status == 304 and known is not None:
            self._arrived = True
            self._keep(known, depth)
        elif 200 <= answer.status < 300:
            kind = sitemap_kind(gunzipped(answer.body, 50.0)) if self._may_be_sitemap(answer, url) else None
            self._arrived = True
            if kind is not None:
                self._read_sitemap(url, answer)
            else:
                self._store(url, depth, known, answer)
        elif answer.status in _GONE:
            self._gone[url] = answer.status
            self._mirror.drop([url])  # for every visit that knows it
        else:
            self._failures[url] = f"the server answers {answer.status}"
            self._keep(known, depth)

    def _redirected(self, url: str, depth: int, target: str) -> None:
        if self._arrived:
            self._frontier.offer([target], depth, front=True)
            return
        if same_place_secured(url, target):
            raise _MovedError(target)
        if origin_of(target) != origin_of(url):
            raise _MissingError(f"it leads to {target}, which is elsewhere; give that address to ingest it")
        if target in self._frontier.seen or len(self._frontier.seen) > _REDIRECTS:
            raise _MissingError("it redirects in circles")
        # The folder that was asked for is one even if its first page is called otherwise.
        if self._frontier.area.page is not None or not self._frontier.area.holds(target):
            self._frontier.area = area_of(target)
        self._frontier.lead(target, depth)

    def _store(self, url: str, depth: int, known: Page | None, answer: Answer) -> None:
        suffix = suffix_of(answer, url, self._accepts)
        if suffix is None:
            self._skipped += 1
            return
        body = as_utf8(answer)
        digest, now = sha256(body).hexdigest(), datetime.now(UTC)
        page = Page(
            url,
            copy_name(url, suffix),
            digest,
            answer.headers.get("etag"),
            answer.headers.get("last-modified"),
            now.isoformat(timespec="seconds"),
            tuple(link for link in self._links(body, url, answer) if self._frontier.area.holds(link)),
        )
        same = known is not None and (known.hash, known.file) == (digest, page.file)
        self._mirror.put(page, None if same else body, changed_at(answer, now.timestamp()))
        self._keep(page, depth)

    def _links(self, body: bytes, url: str, answer: Answer) -> list[str]:
        return links_of(body, url) if answer.type in HTML else []

    def _keep(self, page: Page | None, depth: int) -> None:
        if page is not None:
            self._pages[page.url] = None
            if self._follows:
                self._frontier.offer(page.links, depth + 1)

    def _keep_known(self, *, but: Container[str]) -> None:
        """Keep the pages of the visit before, but for these."""
        for url in self._known:
            if url not in but and self._mirror.page(url) is not None:
                self._pages[url] = None

    def _read_sitemap(self, url: str, answer: Answer) -> None:
        """The pages that a sitemap lists below its own folder; their links are not followed."""
        folder = path_of(url).rpartition("/")[0] + "/"
        area = self._frontier.area = Area(origin_of(url), folder)
        self._follows = False
        for listed in sitemap_pages(gunzipped(answer.body, 50.0), area.holds, self._inner_sitemap):
            self._frontier.offer(listed, 0)

    def _inner_sitemap(self, url: str) -> bytes:
        self._show(url)
        found = self._fetcher.get(url)
        if found.status in _GONE:
            self._gone[url] = found.status
        elif found.status >= 400:
            raise FetchError(f"{url}: the server answers {found.status}")
        return gunzipped(found.body, 50.0)
