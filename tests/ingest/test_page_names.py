"""Names, titles, sites and dates as pages write them, and where a reader finds what nothing marks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.convert.page_metadata.names import names
from ingest.convert.page_metadata.texts import date_in_address, is_placeholder, line, moment, tags
from ingest.convert.page_metadata.titles import shortened, site_in_title, without_site
from tests.ingest.page_facts import TEXT, found, read, script

ADA, EMIL = "Ada Byron", "Emil Noack"


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("Ada Byron", [ADA]),
        ("By Ada Byron", [ADA]),
        ("by\n   Ada  Byron ", [ADA]),
        ("Posted by Ada Byron on March 5, 2024", [ADA]),
        ("Written by: Ada Byron", [ADA]),
        ("Author: Ada Byron", [ADA]),
        ("Von Ada Byron", [ADA]),
        ("Par Ada Byron et Emil Noack", [ADA, EMIL]),
        ("Ada Byron and Emil Noack", [ADA, EMIL]),
        ("Ada Byron, Emil Noack & Ada byron", [ADA, EMIL]),
        ("Ada Byron; Emil Noack", [ADA, EMIL]),
        ("Ada Byron, Senior Editor", [ADA]),
        ("Ada Byron, Research Scientist, and Emil Noack, VP and Fellow, Tide Research", [ADA, EMIL]),
        ("Ada Byron | Tide Gazette", [ADA, "Tide Gazette"]),
        ("Ada Byron – 5 min read", [ADA]),
        ("Ada Byron (@ada)", [ADA]),
        ("Ada Byron <ada@tide.test>", [ADA]),
        ("Written by Ada Byron Edited by Emil Noack", [ADA]),
        ("Ada Byron, Jr.", ["Ada Byron Jr."]),
        ("Vincent van Gogh", ["Vincent van Gogh"]),
        ("Jean-Luc O'Neill-D’Arc", ["Jean-Luc O'Neill-D’Arc"]),
        ("محمد علي", ["محمد علي"]),
        ("作者：李明", ["李明"]),
        ("J. R. R. Tolkien", ["J. R. R. Tolkien"]),
        ("BBC News", ["BBC News"]),
        ("theahura", ["theahura"]),
        ("Byron", ["Byron"]),
        ("@ada", []),
        ("https://facebook.test/ada", []),
        ("facebook.com/tide", []),
        ("ada@tide.test", []),
        ("admin", []),
        ("By", []),
        ("Published May 22, 2026", []),
        ("Aug 2022", []),
        ("v1.11.1", []),
        ("{{author}}", []),
        (". .", []),
        ("x" * 500, []),
        ("", []),
    ],
)
def test_names(text: str, people: list[str]) -> None:
    assert names([text]) == people


def test_names_of_a_catalogue_are_turned_round() -> None:
    assert names(["Byron, Ada", "Noack, Emil J."], inverted=True) == [ADA, "Emil J. Noack"]
    assert names(["Ada Byron, Emil Noack"], inverted=True) == [ADA, EMIL]


@given(st.lists(st.text(max_size=300), max_size=5), st.booleans())
def test_names_of_anything_are_short_lines_each_once(values: list[str], inverted: bool) -> None:
    people = names(values, inverted=inverted)
    assert len({name.casefold() for name in people}) == len(people)
    assert all(0 < len(name) <= 101 and name == " ".join(name.split()) for name in people)


@pytest.mark.parametrize(
    ("title", "sites", "plain"),
    [
        ("Fog | Tide", ["Tide"], "Fog"),
        ("Fog - Weather - Tide Gazette", ["Tide Gazette"], "Fog - Weather"),
        ("Tide Gazette: Fog", ["Tide Gazette"], "Tide Gazette: Fog"),
        ("Tide – Fog – a report", ["tide"], "Fog – a report"),
        ("Tide", ["Tide"], "Tide"),
        ("Tide | Tide", ["Tide"], "Tide"),
        ("Low-tide fog", ["fog"], "Low-tide fog"),
        ("Fog_Tide|Tide", ["Tide"], "Fog_Tide"),
        ("", ["Tide"], ""),
    ],
)
def test_titles_without_the_site(title: str, sites: list[str], plain: str) -> None:
    assert without_site(title, sites) == plain


@pytest.mark.parametrize(
    ("title", "anchors", "address", "logos", "site"),
    [
        ("Fog at sea | Tide", ["Fog at sea"], None, [], "Tide"),
        ("Fog at sea - Weather | Tide", ["Fog at sea"], None, [], "Tide"),
        ("Fog at sea | Tide", [], None, [], ""),
        ("Fog at sea | Tide", [], "https://www.tide.test/fog", [], "Tide"),
        ("Tide Gazette - Fog at sea", [], "https://tidegazette.test/", [], "Tide Gazette"),
        ("Fog at sea | Tide", [], None, ["Tide"], "Tide"),
        ("Fog | Home", ["Fog"], None, [], ""),
        ("Fog | 2024", ["Fog"], None, [], ""),
        ("Fog - and what the harbour master thinks of it all", ["Fog"], None, [], ""),
        ("Tide", ["Tide"], "https://tide.test/", ["Tide"], ""),
    ],
)
def test_sites_in_titles(
    title: str, anchors: list[str], address: str | None, logos: list[str], site: str
) -> None:
    assert site_in_title(title, anchors, address, logos) == site


def test_a_title_gives_title_and_site() -> None:
    metadata, origins = read("<title>Fog at sea - Tide Gazette</title>", "<h1>Fog at sea</h1>")
    assert metadata == {"title": "Fog at sea", "site": "Tide Gazette"}
    assert origins == {"title": "title", "site": "title"}
    metadata, origins = read(
        "<title>Fog | tide.test</title><link rel=canonical href=https://www.tide.test/fog>"
    )
    assert metadata == {"title": "Fog", "site": "tide.test", "url": "https://www.tide.test/fog"}
    assert shortened("Tide - all about water", ["Tide"]) == "Tide"
    metadata, origins = read(
        "<title>Fog | tide.test</title><link rel=canonical href=https://www.tide.test/fog>"
    )
    assert metadata == {"title": "Fog", "site": "tide.test", "url": "https://www.tide.test/fog"}
    assert shortened("Tide - all about water", ["Sea"]) == "Tide - all about water"


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("2024-03-05T23:30:00-05:00", None, datetime(2024, 3, 6, 4, 30, tzinfo=UTC)),
        ("2024-03-05T10:00:00.000Z", None, datetime(2024, 3, 5, 10, tzinfo=UTC)),
        ("2024-03-05T10:00:00+02:00[Europe/Berlin]", None, datetime(2024, 3, 5, 8, tzinfo=UTC)),
        ("20240305103000", None, datetime(2024, 3, 5, tzinfo=UTC)),
        ("1709632800", None, datetime(2024, 3, 5, 10, tzinfo=UTC)),
        ("1709632800000", None, datetime(2024, 3, 5, 10, tzinfo=UTC)),
        ("Tue, 05 Mar 2024 10:00:00 GMT", None, datetime(2024, 3, 5, 10, tzinfo=UTC)),
        ("Published: March 5, 2024", None, datetime(2024, 3, 5, tzinfo=UTC)),
        ("5. März 2024", "de", datetime(2024, 3, 5, tzinfo=UTC)),
        ("2024年3月5日", "ja", datetime(2024, 3, 5, tzinfo=UTC)),
        ("05/03/2024", "en-GB", datetime(2024, 3, 5, tzinfo=UTC)),
        ("05/03/2024", "en-US", datetime(2024, 5, 3, tzinfo=UTC)),
        ("05/03/2024", "en", None),
        ("2024", None, datetime(2024, 1, 1, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", None, None),
        ("0001-01-01", None, None),
        ("yesterday", None, None),
        ("2024-13-45", None, None),
        ("9" * 400, None, None),
        ("", None, None),
    ],
)
def test_dates(text: str, language: str | None, expected: datetime | None) -> None:
    assert moment(text, language) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://tide.test/2024/03/05/fog", datetime(2024, 3, 5, tzinfo=UTC)),
        ("https://tide.test/2024-03-05-fog.html", datetime(2024, 3, 5, tzinfo=UTC)),
        ("https://tide.test/2024/13/05/fog", None),
        ("https://tide.test/2024/03/fog", None),
        (None, None),
    ],
)
def test_dates_of_addresses(address: str | None, expected: datetime | None) -> None:
    assert date_in_address(address) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<h1>Fog</h1><div>By Ada Byron</div><div>March 5, 2024 · 5 min read</div>", (ADA, 5, None)),
        ("<p>March 5, 2024</p><h1>Fog</h1><p>by <a href=/a>Ada Byron</a></p>", (ADA, 5, None)),
        ("<h1>Fog</h1><p>Ada Byron on March 5, 2024</p>", (ADA, 5, None)),
        ("<h1>Fog</h1><p>Updated March 9, 2024</p><p>March 5, 2024</p>", (None, 5, 9)),
        ("<h1>Fog</h1><table><tr><td>by ada_b on March 5, 2024</td></tr></table>", ("ada_b", 5, None)),
        ("<h1>Fog</h1><p>384 points by ada_b 5 hours ago | hide</p>", ("ada_b", None, None)),
        ("<h1>Fog</h1><p>Ships are sorted by name</p><p>March 5, 2024</p>", (None, 5, None)),
        ("<h1>Fog</h1><p>March 5, 2024</p><i>Last updated on <b><time datetime=2024-03-09>x</time></b></i>",
         (None, 5, 9)),
        ("<h1>Fog</h1><div class=footer>Last updated on Mar 09, 2024. Created by a tool.</div>",
         (None, None, 9)),
        ("<h1>Fog</h1><p>By then the ships were late</p><p>On March 5, 2024 the harbour was closed at last "
         "for all ships of the line</p>", (None, None, None)),
        ("<h1>Fog</h1><table><tr><th>Version</th></tr><tr><td>March 5, 2024</td></tr></table>",
         (None, None, None)),
        ("<h1>Fog</h1><h2>1.2.0 - 2024-03-05</h2>", (None, None, None)),
        ("<h1>Fog</h1><aside>By Ada Byron, March 5, 2024</aside>", (None, None, None)),
        ("<article><h1>Fog</h1><footer class=meta>x<time datetime=2024-03-05></time></footer></article>",
         (None, 5, None)),
        ("<h1>Fog</h1><div class=comments><b class=author>Ada Byron</b> wrote this</div>",
         (None, None, None)),
        ("<h1>Fog</h1><div class='author'><img class='author-photo'><b class='author__name'>Ada Byron</b>"
         " 2 h ago</div>", (ADA, None, None)),
        ("<h1>Fog</h1><p class='byline'>By <a rel=author>Ada Byron</a> and <a rel=author>Emil Noack</a></p>",
         ([ADA, EMIL], None, None)),
        ("<h1>Fog</h1><div><a href='/authors/ada'>Ada Byron</a> · March 5, 2024</div>", (ADA, 5, None)),
        ("<h1>Fog</h1><div>Follow us on <a href='https://social.test/@tide'>Social</a></div>",
         (None, None, None)),
        ("<h1>Fog</h1><p>Ships wait at sea, as the harbour's <a href='/authors/ada'>Ada Byron</a> said.</p>",
         (None, None, None)),
        ("<h1>Fog</h1><p><a href='/authors/ada'>Ada Byron</a> thinks that it is thick.</p>",
         (None, None, None)),
        (f"<h1>Fog</h1><p>March 5, 2024 -- {TEXT}</p>", (None, 5, None)),
        (f"<h1>Fog</h1><p>HULL, 5 March 2024 (Tide Agency) — {TEXT}</p>", (None, 5, None)),
        (f"<h1>Fog</h1><p>On March 5, 2024 — {TEXT}</p>", (None, None, None)),
        (f"<h1>Fog</h1><p>March 5, 2024 was a day like others. {TEXT}</p>", (None, None, None)),
        ("<h1>Fog</h1><a class='author'>Ada Byron</a><a class='author'>Emil Noack</a>",
         ([ADA, EMIL], None, None)),
    ],
)  # fmt: skip
def test_what_a_reader_sees_around_the_heading(
    body: str, expected: tuple[str | list[str] | None, int | None, int | None]
) -> None:
    metadata = found("<title>Fog</title>", body)
    author, day, changed = expected
    assert metadata.get("author") == author
    for field, number in (("date", day), ("updated", changed)):
        assert metadata.get(field) == (None if number is None else datetime(2024, 3, number, tzinfo=UTC))


@pytest.mark.parametrize(
    ("title", "day"),
    [
        ("Fog at sea - 05.03.2024 - Tide", datetime(2024, 3, 5, tzinfo=UTC)),
        ("Fog at sea | March 5, 2024", datetime(2024, 3, 5, tzinfo=UTC)),
        ("Fog at sea - 2024 - Tide", None),
        ("March 5, 2024 - Tide", None),
        ("Fog of March 5, 2024 - Tide", None),
    ],
)
def test_the_date_that_is_a_part_of_the_title(title: str, day: datetime | None) -> None:
    metadata, origins = read(f"<title>{title}</title>", "<h1>Fog at sea</h1>")
    assert (metadata.get("date"), origins.get("date")) == (day, "title" if day else None)


def test_a_page_listed_in_json_gives_its_own_name() -> None:
    article = {"@type": "Article", "headline": "How fog is made, in three steps", "name": "Fog"}
    assert found(script(article), "<h1>Fog</h1>") == {"title": "Fog"}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Tom &amp;amp; Ada", "Tom & Ada"),
        ("&lt;b&gt;Fog&lt;/b&gt; at <em class='x'>sea</em>", "Fog at sea"),
        ("The <main> element", "The <main> element"),
        ("a < b and c > d", "a < b and c > d"),
        ("x" * 600, "x" * 499 + "…"),
    ],
)
def test_lines(text: str, plain: str) -> None:
    assert line(text) == plain


def test_tags_are_split_and_kept_once() -> None:
    assert tags(["sea, fog; Sea", "#tide", "“”", "null", "x" * 200, None]) == ["sea", "fog", "tide"]


def test_titles_that_look_like_placeholders_and_are_none() -> None:
    assert not any(
        map(is_placeholder, ["Null island", "100 %", "A {b} c", "None of us", "True or false", "C++"])
    )
