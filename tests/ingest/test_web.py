"""Visits of a site on this machine: what is asked for, what is kept, what is refused."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from configs.errors import InputError, StoreError
from configs.settings import Settings
from ingest.sources import Listing
from ingest.web.crawl import crawl
from ingest.web.fetch import Fetcher, FetchError
from ingest.web.mirror import mirror_of
from ingest.web.sites import forget_site, list_site
from tests.ingest.site import Reply, Site, page, serve

SUFFIXES = (".html", ".xhtml", ".md", ".txt", ".pdf")


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as served:
        yield served


@dataclass
class Visitor:
    """Visits, and lists what the mirror then has."""

    make_settings: Callable[..., Settings]
    web: Path
    slept: list[float]
    notes: list[str]

    def __call__(self, url: str, *overrides: str) -> dict[str, str]:
        """The pages' paths with their copies' text."""
        self.visit(url, *overrides)
        return {source.path: source.file.read_text() for source in list_site(url, self.web, Listing())}

    def visit(self, url: str, *overrides: str) -> None:
        settings = self.make_settings("ingest.crawl_private=true", "ingest.crawl_delay_s=0", *overrides)
        crawl(
            url,
            settings,
            self.web,
            accepts=lambda name: name.endswith(SUFFIXES),
            note=self.notes.append,
            sleep=self.slept.append,
        )

    def failures(self, url: str) -> dict[str, str]:
        listing = Listing()
        list_site(url, self.web, listing)
        return {failure.path: failure.error for failure in listing.failures}


@pytest.fixture
def visit(make_settings: Callable[..., Settings], home: Path) -> Visitor:
    return Visitor(make_settings, home / "web", [], [])


def test_a_site_is_followed_below_its_address_only(site: Site, visit: Visitor) -> None:
    site.pages = {
        "/docs/": page(
            "Start", "a", "sub/b?x=1&y=2#part", "/other/c", "https://example.org/", "mailto:a@b", "a"
        ),
        "/docs/a": page("A", "./", "../docs/a", "x.png", "style.css", "data.zip"),
        "/docs/sub/b?x=1&y=2": page("B", "/docs/c.md"),
        "/docs/c.md": Reply(b"# C\n", type="text/markdown"),
        "/docs/x.png": Reply(b"png", type="image/png"),
        "/other/c": page("C"),
    }
    found = visit(f"{site.origin}/docs/")
    assert list(found) == ["docs/", "docs/a", "docs/c.md", "docs/sub/b?x=1&y=2"]
    assert found["docs/c.md"] == "# C\n"
    assert site.asked() == ["/docs/", "/docs/a", "/docs/sub/b?x=1&y=2", "/docs/c.md"]
    source = list_site(f"{site.origin}/docs/", visit.web, Listing())[0]
    assert (source.root, source.url, source.file.suffix) == (site.origin, f"{site.origin}/docs/", ".html")


def test_an_address_without_a_slash_is_one_page_unless_it_leads_to_a_folder(
    site: Site, visit: Visitor
) -> None:
    site.pages = {"/a": page("A", "/a/b", "/b"), "/a/b": page("B"), "/b": page("other")}
    assert list(visit(f"{site.origin}/a")) == ["a"]
    site.pages["/a"] = Reply(status=301, headers={"Location": "/a/"})
    site.pages["/a/"] = page("folder", "b", "/b")
    assert list(visit(f"{site.origin}/a")) == ["a/", "a/b"]
    site.pages["/"] = page("home", "b")
    assert set(visit(site.origin)) >= {"/", "b"}


def test_a_second_visit_asks_for_changes_only(site: Site, visit: Visitor) -> None:
    site.pages = {"/d/": page("Start", "a", "b"), "/d/a": page("A"), "/d/b": page("B")}
    url = f"{site.origin}/d/"
    visit(url)
    stamps = {s.path: s.stamp for s in list_site(url, visit.web, Listing())}
    site.asked()
    site.pages["/d/b"] = page("changed")
    found = visit(url)
    assert "changed" in found["d/b"]
    conditions = [headers.get("if-none-match") for path, headers in site.seen if path != "/robots.txt"]
    assert all(conditions)
    again = {s.path: s.stamp for s in list_site(url, visit.web, Listing())}
    assert [path for path in stamps if stamps[path] != again[path]] == ["d/b"]


def test_last_modified_is_asked_with_and_kept(site: Site, visit: Visitor) -> None:
    when = "Wed, 01 May 2024 10:00:00 GMT"
    site.pages = {"/a": Reply(page("A").encode(), headers={"Last-Modified": when})}
    visit.visit(f"{site.origin}/a")
    source = list_site(f"{site.origin}/a", visit.web, Listing())[0]
    assert source.stamp.mtime_ns == 1714557600 * 10**9
    visit.visit(f"{site.origin}/a")
    assert site.seen[-1][1]["if-modified-since"] == when


def test_headers_that_no_server_should_send_are_not_sent_back(site: Site, visit: Visitor) -> None:
    site.pages = {"/a": Reply(page("A").encode(), headers={"ETag": '"caf\xe9"', "Last-Modified": "\xfc"})}
    for _ in range(2):
        visit.visit(f"{site.origin}/a")
    assert not {"if-none-match", "if-modified-since"} & site.seen[-1][1].keys()


def test_bytes_that_are_the_same_without_an_etag_are_not_written_again(site: Site, visit: Visitor) -> None:
    site.pages = {"/a": Reply(page("A").encode(), headers={"ETag": ""})}
    url = f"{site.origin}/a"
    visit.visit(url)
    first = list_site(url, visit.web, Listing())[0].stamp
    visit.visit(url)
    assert list_site(url, visit.web, Listing())[0].stamp == first


def test_what_is_gone_goes_and_what_fails_stays_with_its_links(site: Site, visit: Visitor) -> None:
    url = f"{site.origin}/d/"
    site.pages = {
        "/d/": page("Start", "a", "b", "c"),
        "/d/a": page("A", "a1"),
        "/d/a1": page("A1"),
        "/d/b": page("B"),
        "/d/c": page("C"),
    }
    assert len(visit(url)) == 5
    site.pages["/d/a"] = Reply(status=503)
    site.pages["/d/b"] = Reply(status=403)
    del site.pages["/d/c"]
    assert list(visit(url)) == ["d/", "d/a", "d/a1", "d/b"]
    failures = visit.failures(url)
    assert "503, 3 times" in failures[f"{site.origin}/d/a"]
    assert "403" in failures[f"{site.origin}/d/b"]
    site.pages["/d/a"] = Reply(status=410)
    site.pages["/d/b"] = page("B")
    assert list(visit(url)) == ["d/", "d/b"]  # nothing leads to a1 any more
    assert len(list((visit.web / f"http_127.0.0.1_{site.port}").glob("*.html"))) == 2


def test_transient_errors_are_tried_again_as_the_server_asks(site: Site, visit: Visitor) -> None:
    replies = iter([Reply(status=503), Reply(status=429, headers={"Retry-After": "7"}), Reply(b"# A")])

    def raw(handler: BaseHTTPRequestHandler) -> None:
        reply = next(replies)
        handler.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Type": "text/markdown"}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(reply.body)))
        handler.end_headers()
        handler.wfile.write(reply.body)

    site.pages = {"/a.md": Reply(raw=raw)}
    assert visit(f"{site.origin}/a.md") == {"a.md": "# A"}
    assert visit.slept == [1.0, 7.0]


def test_a_missing_address_is_missing_and_deletes_nothing(site: Site, visit: Visitor) -> None:
    url = f"{site.origin}/d/"
    with pytest.raises(InputError, match="404"):
        visit(url)
    site.pages = {"/d/": page("Start", "a"), "/d/a": page("A")}
    visit(url)
    pages, site.pages = site.pages, {"/d/a": page("A")}
    with pytest.raises(InputError, match="404"):
        visit(url)
    site.pages = pages
    site.seen.clear()
    assert list(visit(url)) == ["d/", "d/a"]
    assert all("if-none-match" in headers for path, headers in site.seen if path != "/robots.txt")


def test_a_site_that_is_down_keeps_all(site: Site, visit: Visitor) -> None:
    url = f"{site.origin}/d/"
    site.pages = {"/d/": page("Start", "a"), "/d/a": page("A")}
    visit(url)
    site.pages["/robots.txt"] = Reply(status=500)
    assert list(visit(url)) == ["d/", "d/a"]
    assert "robots.txt" in visit.failures(url)[url]
    with pytest.raises(InputError, match=r"robots\.txt"):
        visit("http://127.0.0.1:9/x/")  # nothing listens there


def test_robots_txt_is_heeded(site: Site, visit: Visitor) -> None:
    site.pages = {
        "/robots.txt": Reply(
            b"User-agent: *\nDisallow: /d/\n\nUser-agent: Draftline\nDisallow: /d/secret\nDisallow: /*.md$\n"
            b"Crawl-delay: 2\nAllow: /d/secret/open\n",
            type="text/plain",
        ),
        "/d/": page("Start", "secret/a", "secret/open/b", "x.md", "c"),
        **{path: page(path) for path in ("/d/secret/a", "/d/secret/open/b", "/d/x.md", "/d/c")},
    }
    assert list(visit(f"{site.origin}/d/")) == ["d/", "d/c", "d/secret/open/b"]
    assert visit.notes == [f"note: {site.origin}/d/: its robots.txt bars 2 addresses"]
    assert len(visit.slept) == 3
    assert all(1.5 < pause <= 2 for pause in visit.slept)
    assert all(headers["user-agent"].startswith("draftline/") for _, headers in site.seen)
    with pytest.raises(InputError, match="does not allow"):
        visit(f"{site.origin}/d/secret/a")


def test_depth_and_pages_are_limited(site: Site, visit: Visitor) -> None:
    site.pages = {f"/n/{i or ''}": page(f"N{i}", str(i + 1), str(i + 100)) for i in range(300)}
    url = f"{site.origin}/n/"
    assert list(visit(url, "ingest.crawl_depth=0")) == ["n/"]
    assert len(visit(url, "ingest.crawl_depth=2")) == 6
    assert len(visit(url, "ingest.crawl_pages=10", "ingest.crawl_depth=50")) == 10
    assert "ingest.crawl_pages = 10" in visit.notes[-1]


def test_a_visit_that_a_limit_cuts_short_deletes_only_what_it_found_gone(site: Site, visit: Visitor) -> None:
    url = f"{site.origin}/n/"
    site.pages = {
        "/n/": page("Start", "gone", "a", "b"),
        "/n/gone": page("Gone"),
        "/n/a": page("A", "a1"),
        "/n/a1": page("A1", "./", "a"),
        "/n/b": page("B"),
    }
    everything = ["n/", "n/a", "n/a1", "n/b", "n/gone"]
    assert list(visit(url)) == everything
    assert list(visit(url, "ingest.crawl_pages=2")) == everything
    assert visit.notes == [f"note: {url}: stopped at ingest.crawl_pages = 2; there are more"]
    assert list(visit(url, "ingest.crawl_depth=1")) == everything
    assert visit.notes[1:] == [f"note: {url}: stopped at ingest.crawl_depth = 1; there are more"]
    site.pages["/n/"] = page("Start", "gone", "a")
    del site.pages["/n/gone"]
    left = ["n/", "n/a", "n/a1", "n/b"]
    assert list(visit(url, "ingest.crawl_pages=2")) == left
    assert visit.notes[2] == f"note: {url}: the server answers 404 for 1 address: {url}gone"
    site.pages["/n/a"] = Reply(status=301, headers={"Location": "a1"})
    assert list(visit(url, "ingest.crawl_pages=1")) == left, "nobody asked for it"
    assert list(visit(url, "ingest.crawl_depth=2")) == ["n/", "n/a1"], "a complete visit does not reach b"


def test_a_limit_that_only_bars_what_is_no_page_of_the_visit_cuts_nothing_short(
    site: Site, visit: Visitor
) -> None:
    url = f"{site.origin}/n/"
    site.pages = {
        "/robots.txt": Reply(b"User-agent: *\nDisallow: /n/secret\n", type="text/plain"),
        "/n/": page("Start", "a", "b"),
        "/n/a": page("A", "./", "secret", "x.png", "/elsewhere"),
        "/n/b": page("B", "a"),
    }
    visit(url)
    site.pages["/n/"] = page("Start", "a")
    assert list(visit(url, "ingest.crawl_depth=1", "ingest.crawl_pages=2")) == ["n/", "n/a"]
    assert visit.notes == [f"note: {url}: its robots.txt bars 1 address"], "of the first visit"


def test_redirects_stay_on_the_host(site: Site, visit: Visitor) -> None:
    def to(target: str) -> Reply:
        return Reply(status=302, headers={"Location": target})

    site.pages = {
        "/d/": page("Start", "in", "out", "loop", "up"),
        "/d/in": to("target"),
        "/d/target": page("Target"),
        "/d/out": to(f"http://localhost:{site.port}/d/private"),
        "/d/loop": to("loop"),
        "/d/up": to("/elsewhere"),
        "/d/private": page("Private"),
        "/away": to(f"http://localhost:{site.port}/d/private"),
        "/circle": to("/circle2"),
        "/circle2": to("/circle"),
    }
    assert list(visit(f"{site.origin}/d/")) == ["d/", "d/target"]
    assert "/d/private" not in site.asked()
    with pytest.raises(InputError, match="elsewhere"):
        visit(f"{site.origin}/away")
    with pytest.raises(InputError, match="circles"):
        visit(f"{site.origin}/circle")
    assert "/d/private" not in site.asked()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:7f00:1]", "0"])
def test_private_addresses_are_refused(site: Site, visit: Visitor, host: str) -> None:
    site.pages = {"/": page("Secret")}
    with pytest.raises(InputError, match=r"private address .*ingest\.crawl_private"):
        visit(f"http://{host}:{site.port}/", "ingest.crawl_private=false")
    assert site.seen == []


def test_a_name_is_resolved_once_and_that_address_is_used(
    site: Site, visit: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the second look at the name would give a private address."""
    import socket

    looks: list[str] = []

    def resolve(host: str, port: int, **kinds: object) -> list[tuple[object, ...]]:
        looks.append(host)
        address = "127.0.0.1" if len(looks) > 1 else "192.88.99.77"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    connected: list[str] = []

    def connect(self: object, host: str, *rest: object) -> None:
        import httpcore

        connected.append(host)
        raise httpcore.ConnectError("not now")

    monkeypatch.setattr("ingest.web.addresses.socket.getaddrinfo", resolve)
    monkeypatch.setattr("httpcore.SyncBackend.connect_tcp", connect)
    with pytest.raises(InputError):
        visit("http://rebind.example/", "ingest.crawl_private=false")
    assert set(connected) <= {"192.88.99.77"}
    assert connected


def test_sitemaps(site: Site, visit: Visitor) -> None:
    def listed(*urls: str) -> bytes:
        return b"<urlset>%s</urlset>" % "".join(f"<url><loc>{u}</loc></url>" for u in urls).encode()

    inner = f"<sitemapindex><sitemap><loc>{site.origin}/d/one.xml.gz</loc></sitemap></sitemapindex>"
    site.pages = {
        "/d/sitemap.xml": Reply(inner.encode(), type="application/xml"),
        "/d/one.xml.gz": Reply(
            gzip.compress(
                listed(f"{site.origin}/d/a?x=1&amp;y=2", f"{site.origin}/e", "http://example.org/d/")
            ),
            type="application/gzip",
        ),
        "/d/a?x=1&y=2": page("A", "b"),
        "/d/b": page("B"),
        "/flat.xml": Reply(listed(f"{site.origin}/e"), type="text/xml"),
        "/e": page("E"),
    }
    url = f"{site.origin}/d/sitemap.xml"
    assert list(visit(url)) == ["d/a?x=1&y=2"]
    assert visit.notes == []
    site.pages["/d/one.xml.gz"] = Reply(status=500)
    assert list(visit(url)) == ["d/a?x=1&y=2"]
    assert "500" in visit.failures(url)[url]
    site.pages["/d/one.xml.gz"] = Reply(listed(f"{site.origin}/d/b"), type="application/xml")
    assert list(visit(url)) == ["d/b"]
    site.pages["/d/one.xml.gz"] = Reply(listed(f"{site.origin}/d/b", f"{site.origin}/d/c"), type="text/xml")
    assert list(visit(url)) == ["d/b"]
    assert visit.notes == [f"note: {url}: the server answers 404 for 1 address: {site.origin}/d/c"]
    assert "e" in visit(f"{site.origin}/flat.xml")


def test_bodies_are_bounded(site: Site, visit: Visitor) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    html = {"Content-Encoding": "gzip"}
    site.pages = {
        "/d/": page("Start", "bomb", "large", "odd", "cut", "packed", "video"),
        "/d/bomb": Reply(bomb, headers=html),
        "/d/large": Reply(b"x" * 3_000_000),
        "/d/odd": Reply(b"x", headers={"Content-Encoding": "br"}),
        "/d/cut": Reply(gzip.compress(b"x" * 1000)[:-12], headers=html),
        "/d/packed": Reply(gzip.compress(page("Packed").encode()), headers=html),
        "/d/video": Reply(b"x" * 100, type="video/mp4"),
    }
    url = f"{site.origin}/d/"
    found = visit(url, "ingest.max_file_mb=2")
    assert list(found) == ["d/", "d/packed"]
    assert "Packed" in found["d/packed"]
    failures = {path.rpartition("/")[2]: error for path, error in visit.failures(url).items()}
    assert set(failures) == {"bomb", "large", "odd", "cut"}
    assert "max_file_mb = 2" in failures["bomb"]
    assert "max_file_mb = 2" in failures["large"]
    assert "br" in failures["odd"]
    assert "damaged" in failures["cut"]


def test_slow_and_broken_answers_fail_alone(site: Site, visit: Visitor) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        try:
            for _ in range(200):
                handler.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            pass

    def slow_headers(handler: BaseHTTPRequestHandler) -> None:
        try:
            for _ in range(200):
                handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                time.sleep(0.05)
        except OSError:
            pass

    def nonsense(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"\x00\x01 what is this\r\n\r\n")
        handler.close_connection = True

    def short(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"only this")
        handler.close_connection = True

    def silent(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.8)
        handler.close_connection = True

    site.pages = {
        "/d/": page("Start", "drip", "headers", "nonsense", "short", "silent", "fine"),
        "/d/drip": Reply(raw=drip),
        "/d/headers": Reply(raw=slow_headers),
        "/d/nonsense": Reply(raw=nonsense),
        "/d/short": Reply(raw=short),
        "/d/silent": Reply(raw=silent),
        "/d/fine": page("Fine"),
    }
    url = f"{site.origin}/d/"
    assert list(visit(url, "ingest.crawl_timeout_s=0.4")) == ["d/", "d/fine"]
    failures = {path.rpartition("/")[2]: error for path, error in visit.failures(url).items()}
    assert set(failures) == {"drip", "headers", "nonsense", "short", "silent"}
    for name in ("drip", "headers", "silent"):
        assert "crawl_timeout_s = 0.4" in failures[name]


def test_a_server_that_says_nothing_is_asked_again(
    site: Site, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.web.fetch._SILENCE_S", 0.2)

    def silent(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.4)
        handler.close_connection = True

    site.pages = {"/quiet": Reply(raw=silent)}
    settings = make_settings("ingest.crawl_private=true", "ingest.crawl_delay_s=0").ingest
    pauses: list[float] = []
    with (
        Fetcher(settings, sleep=pauses.append) as fetcher,
        pytest.raises(FetchError, match=r"says nothing for 0\.2 s, 3 times"),
    ):
        fetcher.get(f"{site.origin}/quiet")
    assert pauses == [1.0, 2.0]


def test_a_charset_that_no_page_is_written_in_is_not_believed(site: Site, visit: Visitor) -> None:
    site.pages = {"/a.txt": Reply(b"plain-kva", type="text/plain; charset=punycode")}
    assert visit(f"{site.origin}/a.txt") == {"a.txt": "plain-kva"}


def test_an_encoding_that_only_the_header_names_is_kept(site: Site, visit: Visitor) -> None:
    site.pages = {"/a.txt": Reply("Привет".encode("koi8-r"), type="text/plain; charset=KOI8-R")}
    assert visit(f"{site.origin}/a.txt") == {"a.txt": "\ufeffПривет"}


def test_two_visits_share_their_pages(site: Site, visit: Visitor) -> None:
    site.pages = {"/d/": page("Start", "a"), "/d/a": page("A"), "/d/lonely": page("Lonely")}
    visit(f"{site.origin}/d/lonely")
    assert list(visit(f"{site.origin}/d/")) == ["d/", "d/a"]
    listing = Listing()
    list_site(f"{site.origin}/d/", visit.web, listing)
    lonely = f"{site.origin}/d/lonely"
    assert not listing.covers(lonely), "what another visit brought is neither of this one nor gone"
    forget_site(f"{site.origin}/d/lonely", visit.web)
    assert list(visit(f"{site.origin}/d/")) == ["d/", "d/a"]
    forget_site(site.origin, visit.web)
    assert not list((visit.web / f"http_127.0.0.1_{site.port}").glob("*.html"))
    with pytest.raises(InputError, match="not fetched"):
        list_site(f"{site.origin}/d/", visit.web, Listing())


def test_a_second_visitor_of_a_site_waits_and_gives_up(site: Site, visit: Visitor) -> None:
    with (
        mirror_of(visit.web, site.origin).locked(0),
        pytest.raises(StoreError, match="another ingest"),
    ):
        visit(site.origin, "ingest.lock_wait_s=0.05")


@pytest.mark.parametrize("text", ["https://user:pw@host/", "http://", "https://host:99999/", "https://a b/"])
def test_what_is_no_address(visit: Visitor, text: str) -> None:
    with pytest.raises(InputError, match="not an address"):
        visit(text)
