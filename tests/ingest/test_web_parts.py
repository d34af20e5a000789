"""The parts of a visit by themselves: addresses, robots.txt, links, sitemaps, kinds of answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.ledger import place
from ingest.web.addresses import is_public
from ingest.web.fetch import Answer
from ingest.web.forms import as_utf8, changed_at, gunzipped, is_worth_a_look, suffix_of
from ingest.web.links import links_of, sitemap_kind, sitemap_urls
from ingest.web.robots import parse_robots
from ingest.web.urls import area_of, document_path, normalise, origin_of, page_file


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("HTTP://Ex.org:80/a/../b/./c%7e%2f?x=1#f", "http://ex.org/b/c~%2F?x=1"),
        ("https://ex.org:443", "https://ex.org/"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("http://münchen.de/ä b", "http://xn--mnchen-3ya.de/%C3%A4%20b"),
        ("https://ex.org/../../a/..", "https://ex.org/"),
        ("https://h/%zz?a=%", "https://h/%25zz?a=%25"),
        ("https://h/a\n\t/b", "https://h/a/b"),
        ("https://u:p@h/", None),
        ("ftp://h/", None),
        ("javascript:alert(1)", None),
        ("http://h:99999/", None),
        ("https://h/" + "x" * 3000, None),
        ("http://h\\evil/", None),
    ],
)
def test_addresses_have_one_spelling(url: str, normal: str | None) -> None:
    assert normalise(url) == normal


@given(st.text(max_size=60), st.sampled_from(["", "https://example.org/a/b?c"]))
def test_normalising_twice_changes_nothing(text: str, base: str) -> None:
    for url in (text, f"https://{text}", f"https://h/{text}"):
        normal = normalise(url, base)
        if normal is not None:
            assert normalise(normal) == normal
            assert normal.isascii()
            file = page_file(normal.split("/", 3)[3], ".html")
            assert not file.startswith("/")
            assert ".." not in file.split("/")


@pytest.mark.parametrize(
    ("url", "inside", "outside"),
    [
        (
            "https://h/d/",
            ["https://h/d/", "https://h/d/x?y", "https://h/d"],
            ["https://h/dx", "http://h/d/x"],
        ),
        ("https://h/", ["https://h/x"], ["https://h:8443/x", "https://h.evil/x"]),
        ("https://h/d", ["https://h/d"], ["https://h/d/", "https://h/d?x"]),
    ],
)
def test_areas(url: str, inside: list[str], outside: list[str]) -> None:
    area = area_of(url)
    assert all(map(area.holds, inside))
    assert not any(map(area.holds, outside))


def test_places_are_where_the_ledger_has_documents() -> None:
    for url in ("https://h/a?b", "https://h/", "https://h//a", "https://h/a/"):
        assert place(origin_of(url), document_path(url)) == url


PUBLIC = ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700::1111"]
PRIVATE = [
    *("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
    *(
        "255.255.255.255",
        "192.0.0.1",
        "198.18.0.1",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "fe80::1",
    ),
    *("fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2002:7f00:1::", "64:ff9b::7f00:1"),
]


@pytest.mark.parametrize(
    ("address", "public"), [*((a, True) for a in PUBLIC), *((a, False) for a in PRIVATE)]
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_robots_groups_patterns_and_ties() -> None:
    robots = parse_robots(
        b"\xef\xbb\xbf# all\nUser-Agent: other\nUser-agent: DRAFTLINE # us\nDisallow: /a\nAllow: /a/b\n"
        b"Disallow: /*.pdf$\nDisallow: /x*y*z\nAllow: /tie\nDisallow: /tie\nDisallow:\nCrawl-delay: 1.5\n\n"
        b"User-agent: *\nDisallow: /\n\nUser-agent: draftline\nDisallow: /later\n"
    )
    barred = ["/a", "/a/c", "/q/r.pdf", "/x1y2z3", "/later/on"]
    allowed = ["/", "/a/b/c", "/q/r.pdf?x", "/xz", "/tie"]
    assert not any(map(robots.allows, barred))
    assert all(map(robots.allows, allowed))
    assert robots.delay_s == 1.5
    assert not parse_robots("User-agent: *\nDisallow: /é%7e%2f\n".encode()).allows("/%C3%A9~%2Fx")
    assert not parse_robots(b"User-agent: *\nDisallow: /\n").allows("/")
    assert parse_robots(b"User-agent: *\nDisallow: /\nUser-agent: draftline\nAllow: /\n").allows("/")
    assert parse_robots(b"Disallow: /\n<html>").allows("/")
    assert parse_robots(b"User-agent: *\nCrawl-delay: 99999\n").delay_s == 60


def test_hostile_robots_take_no_time() -> None:
    lines = [b"Disallow: /" + b"a*" * 300 + b"%d$" % i for i in range(100)]
    robots = parse_robots(b"User-agent: a\n" * 3000 + b"User-agent: *\n" + b"\n".join(lines))
    assert robots.allows("/" + "a" * 1990)


def test_links() -> None:
    html = (
        b"<base href='/base/'><a href='a'>a</a><a href='a'>again</a><a rel='nofollow x' href='b'>b</a>"
        b"<area href='//other/c'><a href='javascript:x'>d</a><a>e</a><a href='#f'>f</a><!-- <a href=g> -->"
    )
    assert links_of(html, "http://h/x/") == ["http://h/base/a", "http://other/c", "http://h/base/"]
    assert links_of(b"", "http://h/") == []
    assert links_of(b"<div>" * 300_000 + b"<a href=x>", "http://h/") in ([], ["http://h/x"])
    assert len(links_of(b"".join(b"<a href=y%d>x</a>" % i for i in range(20_000)), "http://h/")) == 5000


def test_sitemaps() -> None:
    data = b"<?xml?><urlset><url><loc> http://h/a?x=1&amp;y=2 </loc></url><url><loc>no</loc></url></urlset>"
    assert (sitemap_kind(data), sitemap_urls(data)) == ("urlset", ["http://h/a?x=1&y=2"])
    assert sitemap_kind(b"<html>") is None
    assert sitemap_urls(b"<loc>" + b" " * 2_000_000) == []
    assert gunzipped(b"\x1f\x8bnonsense", 1.0) == b""


@pytest.mark.parametrize(
    ("kind", "url", "suffix"),
    [
        ("text/html; charset=utf-8", "http://h/a.php", ".html"),
        ("text/html", "http://h/a.pdf", ".html"),
        ("text/plain", "http://h/a.md", ".md"),
        ("text/plain", "http://h/a", ".txt"),
        ("application/octet-stream", "http://h/a.pdf", ".pdf"),
        ("application/vnd.x", "http://h/a.docx", ".docx"),
        ("", "http://h/a.md", ".md"),
        ("", "http://h/a", None),
        ("image/png", "http://h/a.md", None),
        ("video/mp4", "http://h/a", None),
    ],
)
def test_what_an_answer_is(kind: str, url: str, suffix: str | None) -> None:
    def accepts(name: str) -> bool:
        return name.endswith((".html", ".md", ".txt", ".pdf", ".docx"))

    assert suffix_of(Answer(200, {"content-type": kind}), url, accepts) == suffix


def test_links_to_pictures_and_archives_are_not_followed() -> None:
    def accepts(name: str) -> bool:
        return name.endswith((".html", ".md"))

    follow = ["http://h/", "http://h/a", "http://h/a.php", "http://h/a.md", "http://h/v1.2", "http://h/a.txt"]
    leave = ["http://h/a.png", "http://h/a.css", "http://h/a.js", "http://h/a.zip", "http://h/a.tar.gz"]
    assert all(is_worth_a_look(url, accepts) for url in follow)
    assert not any(is_worth_a_look(url, accepts) for url in leave)


def test_headers_that_lie() -> None:
    odd = Answer(200, {"content-type": "text/html; charset=rot13", "last-modified": "yesterday"}, b"x")
    assert as_utf8(odd) == b"x"
    assert changed_at(odd, 2e9) is None
    assert changed_at(Answer(200, {"last-modified": "Wed, 01 May 2999 10:00:00 GMT"}), 2e9) is None
    cyrillic = Answer(200, {"content-type": 'text/html; charset="windows-1251"'}, "Да".encode("cp1251"))
    assert as_utf8(cyrillic).decode("utf-8-sig") == "Да"
