"""Sites as sources of a sync: what is stored, updated and deleted, and what the other commands make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ingest.site import Reply, Site, page, serve
from tests.ingest.stored import Ran, payloads, stored

OPEN = ("--set", "ingest.crawl_private=true", "--set", "ingest.crawl_delay_s=0")


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as served:
        served.pages = {
            "/docs/": page("Pumps", "valve", "motor.md"),
            "/docs/valve": page("Valves"),
            "/docs/motor.md": Reply(b"# Motors\n\nA motor turns.\n", type="text/markdown"),
        }
        yield served


def test_a_site_is_synced_like_a_folder(site: Site, sync: Callable[..., Ran], docs: Path) -> None:
    url = f"{site.origin}/docs/"
    ran = sync(*OPEN, url, docs)
    assert ran.code == 0, ran.err
    assert ran.counts() == (6, 0, 0, 0)
    assert {"docs/", "docs/valve", "docs/motor.md"} < set(stored())
    pages = {p["_dl"]["document"]: p for p in payloads() if p["_dl"]["root"] == site.origin}
    assert pages["docs/valve"]["url"] == f"{site.origin}/docs/valve"
    assert pages["docs/motor.md"]["url"] == f"{site.origin}/docs/motor.md"
    assert pages["docs/"]["title"] == "Pumps"

    assert sync(*OPEN, url, docs).counts() == (0, 0, 6, 0)
    site.pages["/docs/"] = page("Pumps and more", "valve")
    site.pages["/docs/valve"] = Reply(status=500)
    ran = sync(*OPEN, url)
    assert (ran.code, ran.counts()) == (1, (0, 1, 1, 1))
    assert "500" in ran.failed()[f"{site.origin}/docs/valve"]
    assert {"docs/", "docs/valve"} < set(stored())
    assert "docs/motor.md" not in stored()


def test_a_limit_deletes_no_page_that_is_still_there(site: Site, sync: Callable[..., Ran]) -> None:
    url = f"{site.origin}/docs/"
    sync(*OPEN, url)
    for limit in ("ingest.crawl_pages=2", "ingest.crawl_depth=0"):
        ran = sync(*OPEN, url, "--set", limit)
        assert (ran.code, ran.counts()) == (0, (0, 0, 3, 0))
        assert f"stopped at {limit.replace('=', ' = ')}; there are more" in ran.err
    del site.pages["/docs/valve"]
    ran = sync(*OPEN, url, "--set", "ingest.crawl_pages=2")
    assert (ran.code, ran.counts()) == (0, (0, 0, 2, 1))
    assert f"the server answers 404 for 1 address: {url}valve" in ran.err


def test_a_site_that_is_missing_or_private_deletes_nothing(
    site: Site, sync: Callable[..., Ran], run: Callable[..., Ran], docs: Path
) -> None:
    url = f"{site.origin}/docs/"
    sync(*OPEN, url)
    site.pages.clear()
    ran = run(*OPEN, url)
    assert (ran.code, "404" in ran.err) == (2, True)
    ran = sync(url, docs)  # without leave to read private addresses
    assert (ran.code, ran.counts()) == (1, (3, 0, 0, 0))
    assert "crawl_private" in ran.failed()[url]
    assert "docs/valve" in stored()


def test_status_and_remove_take_addresses(
    site: Site, sync: Callable[..., Ran], run: Callable[..., Ran], home: Path
) -> None:
    sync(*OPEN, f"{site.origin}/docs/")
    assert f"{site.origin}: 3 documents" in run("status").out
    ran = run("remove", f"{site.origin}/docs/valve")
    assert (ran.code, ran.out.startswith("1 document removed")) == (0, True)
    assert run("remove", f"{site.origin}/docs/").out.startswith("2 documents removed")
    assert stored() == {}
    left = [file for file in (home / "web").rglob("*") if file.is_file()]
    assert not any(b"motor" in file.read_bytes() for file in left)
    assert run("remove", site.origin).code == 2


def test_the_first_page_of_a_site_is_shown_by_its_address(
    site: Site, sync: Callable[..., Ran], run: Callable[..., Ran]
) -> None:
    site.pages = {"/": page("Start", "a"), "/a": page("A")}
    sync(*OPEN, site.origin)
    ran = run("status", site.origin)
    assert [line.split(": ")[0].strip() for line in ran.out.splitlines()[1:]] == [
        f"{site.origin}/",
        f"{site.origin}/a",
    ]
    site.pages["/"] = page("Start")
    assert sync(*OPEN, site.origin).counts() == (0, 1, 0, 1)
    assert run("remove", site.origin).out.startswith("1 document removed")


def test_a_sitemap_stands_for_what_it_lists(
    site: Site, sync: Callable[..., Ran], run: Callable[..., Ran], tmp_path: Path
) -> None:
    listed = f"<url><loc>{site.origin}/docs/valve</loc></url>"
    namespace = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    site.pages["/docs/sitemap.xml"] = Reply(
        f"<urlset {namespace}>{listed}</urlset>".encode(), type="text/xml"
    )
    run(*OPEN, f"{site.origin}/docs/", "--convert-only", "--out", tmp_path / "out")
    assert sync(*OPEN, f"{site.origin}/docs/sitemap.xml").counts() == (1, 0, 0, 0), "copies are no documents"
    assert sync(*OPEN, f"{site.origin}/docs/").counts() == (2, 0, 1, 0)
    ran = sync(*OPEN, f"{site.origin}/docs/sitemap.xml")
    assert ran.counts() == (0, 0, 1, 0), "other documents stay"
    assert (ran.report["documents"], ran.report["chunks"]) == (1, 1), "all numbers are about what it lists"
    assert len(stored()) == 3


def test_pages_may_be_records_and_are_exported_by_safe_names(
    site: Site, run: Callable[..., Ran], tmp_path: Path
) -> None:
    items = Reply(b'[{"text": "One of two."}, {"text": "Two of two."}]', type="application/json")
    links = ("/api/items", "/list.json?v=2", "/a/", "/a/index.html", "/q?x=/../../up")
    site.pages |= {"/": page("Start", *links), "/api/items": items, "/list.json?v=2": items}
    site.pages |= {link: page(f"Page {link}") for link in links[2:]}
    ran = run(*OPEN, f"{site.origin}/")
    assert ran.code == 0, ran.err
    assert len(stored()) == 8
    ran = run("export", "--out", tmp_path / "copy")
    assert ran.code == 0, ran.err
    files = {file.relative_to(tmp_path / "copy").as_posix() for file in tmp_path.rglob("*.md")}
    assert len(files) == 8
    assert {"index.md", "a/index.md", "a/index-2.md", "q@x=_.._.._up.md"} < files


def test_a_password_is_shown_nowhere(run: Callable[..., Ran], docs: Path, tmp_path: Path) -> None:
    ran = run("https://ada:secret@example.org/", docs, "--report", tmp_path / "report.json")
    assert ran.code == 1
    assert "ada" not in ran.out + ran.err + (tmp_path / "report.json").read_text()
    assert "***@example.org" in ran.err


def test_pages_are_converted_into_files(site: Site, run: Callable[..., Ran], tmp_path: Path) -> None:
    site.pages |= {"/docs/": page("Pumps", "valve", "motor.md", "q?a=1/2", "index.html")}
    site.pages |= {"/docs/q?a=1/2": page("Question"), "/docs/index.html": page("Index")}
    out = tmp_path / "out"
    ran = run(*OPEN, f"{site.origin}/docs/", "--convert-only", "--out", out)
    assert ran.code == 0, ran.err
    files = {file.relative_to(out).as_posix() for file in out.rglob("*.md")}
    index = {"docs/index.md", "docs/index-2.md"}
    assert files == index | {"docs/valve.md", "docs/motor.md", "docs/q@a=1_2.md"}
    assert f"url: {site.origin}/docs/valve" in (out / "docs/valve.md").read_text()
