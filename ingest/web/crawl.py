"""A visit of a site: from one address along its links, no page twice, nothing beyond its limits.

Pages that are known already are asked for only if they have changed. A page that fails keeps what is
known of it, with its old links, so that a visit finds what a first visit on a good day would find.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from configs.sections import IngestSettings
from configs.settings import Settings
from ingest.web.addresses import PrivateAddressError
from ingest.web.fetch import Answer, Fetcher, FetchError
from ingest.web.forms import HTML, as_utf8, changed_at, gunzipped, is_worth_a_look, suffix_of
from ingest.web.links import links_of, sitemap_kind, sitemap_urls
from ingest.web.mirror import Mirror, Page, Visit, copy_name, mirror_of
from ingest.web.robots import MOST_BYTES, Robots, parse_robots
from ingest.web.urls import Area, area_of, given_url, normalise, origin_of, path_of, same_place_secured

_REDIRECTS = 5
_SITEMAPS = 50
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
        self._area = area_of(given)
        self._robots = Robots()
        self._queue: deque[tuple[str, int]] = deque([(given, 0)])
        self._seen = {given}
        self._pages: dict[str, None] = {}
        self._failures: dict[str, str] = {}
        self._arrived = False
        """Something else than a redirect was answered."""
        self._silent = self._skipped = self._barred = self._requests = 0
        self.notes: list[str] = []

    def run(self) -> Visit:
        try:
            self._read_robots()
            self._follow()
        except (_MissingError, PrivateAddressError) as error:
            return self._missing(str(error))
        except _MovedError as error:
            return Visit(str(error), moved=True)
        except FetchError as error:
            if not (self._pages or self._known):
                return self._missing(str(error))
            self._keep_the_rest(str(error))
        if self._barred:
            self.notes.append(f"its robots.txt bars {self._barred} addresses")
        area = self._area.page or self._area.origin + self._area.path
        return Visit(
            self._given,
            area=area,
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
            self._robots = parse_robots(answer.body)
        self._fetcher.delay_s = max(self._fetcher.delay_s, self._robots.delay_s)

    def _follow(self) -> None:
        most = self._settings.crawl_pages
        while self._queue:
            if len(self._pages) >= most or self._requests >= 3 * most + 20:
                self.notes.append(f"stopped at ingest.crawl_pages = {most}; there are more")
                return
            url, depth = self._queue.popleft()
            if not self._robots.allows(url[len(origin_of(url)) :]):
                self._barred += 1
                if not self._arrived:
                    raise _MissingError("its robots.txt does not allow it")
                continue
            self._show(url)
            self._requests += 1
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
            self._mirror.drop([url])  # for every visit that knows it
        else:
            self._failures[url] = f"the server answers {answer.status}"
            self._keep(known, depth)

    def _redirected(self, url: str, depth: int, target: str) -> None:
        if self._arrived:
            self._offer([target], depth, front=True)
            return
        if same_place_secured(url, target):
            raise _MovedError(target)
        if origin_of(target) != origin_of(url):
            raise _MissingError(f"it leads to {target}, which is elsewhere; give that address to ingest it")
        if target in self._seen or len(self._seen) > _REDIRECTS:
            raise _MissingError("it redirects in circles")
        # The folder that was asked for is one even if its first page is called otherwise.
        if not (self._area.page is None and self._area.holds(target)):
            self._area = area_of(target)
        self._seen.add(target)
        self._queue.appendleft((target, depth))

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
            tuple(link for link in self._links(body, url, answer) if self._area.holds(link)),
        )
        same = known is not None and (known.hash, known.file) == (digest, page.file)
        self._mirror.put(page, None if same else body, changed_at(answer, now.timestamp()))
        self._keep(page, depth)

    def _links(self, body: bytes, url: str, answer: Answer) -> list[str]:
        return links_of(body, url) if answer.type in HTML else []

    def _keep(self, page: Page | None, depth: int) -> None:
        if page is not None:
            self._pages[page.url] = None
            if depth < self._settings.crawl_depth:
                self._offer(page.links, depth + 1)

    def _keep_the_rest(self, reason: str) -> None:
        """The site cannot be looked at further: all that is known of it stays."""
        self._failures[self._given] = reason
        for url in self._known:
            if self._mirror.page(url) is not None:
                self._pages[url] = None

    def _offer(self, urls: list[str] | tuple[str, ...], depth: int, *, front: bool = False) -> None:
        most = 100 * self._settings.crawl_pages + 10_000
        for url in urls:
            if url in self._seen or len(self._seen) >= most or not self._area.holds(url):
                continue
            self._seen.add(url)
            if is_worth_a_look(url, self._accepts):
                self._queue.insert(0 if front else len(self._queue), (url, depth))

    def _read_sitemap(self, url: str, answer: Answer) -> None:
        """The pages that a sitemap lists below its own folder; their links are not followed."""
        folder = path_of(url).rpartition("/")[0] + "/"
        self._area = Area(origin_of(url), folder)
        pending, read = deque([gunzipped(answer.body, 50.0)]), 0
        while pending and read < _SITEMAPS:
            data = pending.popleft()
            read += 1
            listed = [found for found in sitemap_urls(data) if self._area.holds(found)]
            if sitemap_kind(data) == "urlset":
                self._offer(listed, self._settings.crawl_depth)
                continue
            for inner in listed[: _SITEMAPS - read]:
                self._show(inner)
                found = self._fetcher.get(inner)
                if found.status >= 400 and found.status not in _GONE:
                    raise FetchError(f"{inner}: the server answers {found.status}")
                pending.append(gunzipped(found.body, 50.0))
