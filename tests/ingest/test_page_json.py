"""Pages that describe themselves in JSON-LD: nodes, what is no JSON, and anything at all."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieve.schema import Metadata
from tests.ingest.page_facts import FIELDS, found, read, script


def graph(*nodes: dict[str, Any]) -> str:
    return script({"@context": "https://schema.org", "@graph": list(nodes)})


def test_nodes_of_a_graph_point_at_one_another() -> None:
    head = graph(
        {"@type": "WebSite", "@id": "#site", "name": "Tide"},
        {"@type": "Person", "@id": "#ada", "name": "Ada Byron"},
        {
            "@type": "WebPage",
            "@id": "#page",
            "name": "Fog - Tide",
            "isPartOf": {"@id": "#site"},
            "inLanguage": "de",
        },
        {"@type": ["Article", "SocialMediaPosting"], "headline": "Fog", "author": {"@id": "#ada"}},
    )
    assert found(head) == {"title": "Fog", "author": "Ada Byron", "site": "Tide", "language": "de"}


def test_of_several_articles_the_one_that_the_page_is_called_after() -> None:
    others = [{"@type": "Article", "headline": f"Other {n}", "author": f"Writer {n}"} for n in "ABC"]
    own = {"@type": "Article", "headline": "Fog at sea", "author": "Ada Byron"}
    assert found(graph(*others, own) + "<title>Fog at sea | Tide</title>")["author"] == "Ada Byron"
    assert found(graph(*others, own) + "<title>All stories</title>") == {"title": "All stories"}


def test_what_an_article_mentions_is_not_the_article() -> None:
    inner = {
        "@type": "Article",
        "headline": "Another",
        "author": "Nobody Else",
        "datePublished": "2020-01-01",
    }
    head = script(
        {"@type": "Article", "headline": "Fog", "citation": inner, "comment": [inner], "mentions": inner}
    )
    assert found(head) == {"title": "Fog"}


@pytest.mark.parametrize(
    "text",
    [
        '{"@type": "Article", "headline": "Fog",}',
        '<![CDATA[\n{"@type": "Article", "headline": "Fog"}\n]]>',
        '//<![CDATA[\n{"@type": "Article", "headline": "Fog"}\n//]]>',
        '<!-- {"@type": "Article", "headline": "Fog"} -->',
        '{"@type": "Article", "headline": "Fog"};',
        '{"@type": "Organization"} {"@type": "Article", "headline": "Fog"}',
        '[{"@type": "Article", "headline": "Fog"}]',
        '[[{"@type": "Article", "headline": "Fog"}]]',
        '{"@type": "https://schema.org/Article", "headline": "F\\u006fg"}',
        '{"@type": "Article", "headline": "\tFog\n"}',
        '{"@type": "Article", "headline": "Fog", "articleBody": "he said "no" and left"}',
        '{"headline": "Fog"}',
        "{&quot;@type&quot;: &quot;Article&quot;, &quot;headline&quot;: &quot;Fog&quot;}",
    ],
)
def test_json_as_pages_write_it(text: str) -> None:
    assert found(f'<script type="application/ld+json">{text}</script>') == {"title": "Fog"}


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "1", '"text"', "[]", "{}", "{"),
        "[" * 10_000,
        "[" * 10_000 + "]" * 10_000,
        '{"@type":' * 5_000,
        '{"@type": "Article", "datePublished": ' + "9" * 100_000 + "}",
        "," * 100_000,
        '{"a": "' + '\\"' * 100_000,
        '{"@type": ["Article"], "headline": ["", {}, null, 1, [[["x"]]]], "author": [[[[[["deep"]]]]], 1]}',
        '{"@id": "#a", "@type": "Article", "author": {"@id": "#a"}, "publisher": {"@id": "#a"}}',
        '{"@type": "Article", "headline": "\\ud800", "author": {"name": {"name": {"name": {"name": "x"}}}}}',
    ],
)
def test_json_that_says_nothing(text: str) -> None:
    assert found(f'<script type="application/ld+json">{text}</script>') == {}


def test_scripts_beyond_all_measure_are_left_alone() -> None:
    huge = f'<script type="application/ld+json">{{"headline": "{"x" * 2_100_000}"}}</script>'
    assert found(huge + script({"@type": "Article", "headline": "Fog"})) == {"title": "Fog"}


BINARY = "".join(map(chr, range(23)))  # a page with many of these is no page
texts = st.text(st.characters(exclude_characters=BINARY), max_size=40) | st.sampled_from(
    ["By Ada Byron", "2024-03-05", "https://tide.test/", "&amp;lt;", "a\x07b"]
)
keys = st.sampled_from(
    [
        *(
            "@type",
            "@id",
            "@graph",
            "@value",
            "headline",
            "name",
            "author",
            "creator",
            "givenName",
            "familyName",
        ),
        *("datePublished", "publisher", "isPartOf", "inLanguage", "keywords", "url", "mainEntityOfPage"),
        "description",
    ]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.sampled_from(["Article", "WebPage", "Person"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(keys | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=30,
)


def assert_sound(metadata: Metadata, origins: dict[str, str]) -> None:
    assert set(metadata) == set(origins) <= FIELDS
    for field, value in metadata.items():
        for item in value if isinstance(value, list) else [value]:
            assert isinstance(item, str | datetime)
            if isinstance(item, str):
                assert item == " ".join(item.split())
                assert 0 < len(item) <= 2000
                item.encode()
        if field in ("date", "updated"):
            assert isinstance(value, datetime)
            assert value.tzinfo is UTC


@settings(max_examples=150)
@given(st.lists(values, max_size=3), texts)
def test_any_json_gives_sound_values(nodes: list[Any], title: str) -> None:
    assert_sound(*read(f"<title>{escape(title)}</title>{script(*nodes)}"))


meta_names = st.sampled_from(
    [
        *("og:title", "author", "article:author", "date", "og:site_name", "og:url", "keywords", "dc.creator"),
        *("og:locale", "twitter:label1", "twitter:data1", "description", "citation_author"),
    ]
)


@settings(max_examples=100)
@given(st.lists(st.tuples(meta_names, texts), max_size=8), texts)
def test_any_meta_elements_give_sound_values(pairs: list[tuple[str, str]], heading: str) -> None:
    head = "".join(f'<meta name="{name}" content="{escape(value)}">' for name, value in pairs)
    assert_sound(*read(head, f"<h1>{escape(heading)}</h1>"))
