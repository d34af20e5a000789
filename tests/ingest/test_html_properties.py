"""What holds for every page: nothing invented, no script, bounded work."""

from __future__ import annotations

import html as escaping
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from configs.errors import InputError
from tests.ingest.pages import PROSE, body

WORDS = st.text("abcdefghij", min_size=1, max_size=8)
PHRASES = ("b", "i", "a href='/x'", "code", "span", "sup", "sub", "q", "em", "button", "label", "mark")
BLOCKS = re.findall(
    r"\w+",
    "p div section article ul ol li dl dt dd table tr td th blockquote pre figure figcaption h1 h2 h3 h6 "
    "aside header footer nav form details summary main hr br img",
)
CLASSES = st.sampled_from(
    [
        "",
        " class=note",
        " class='footnotes'",
        " class='callout tip'",
        " class=line",
        " class=highlight",
        " class=share",
        " class='language-python'",
        " hidden",
        " id=fn1",
        " href='#fn1'",
        " role=note",
        " data-lang=c",
    ]
)


def element(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """An element, sometimes left open, around some of what is there already."""
    return st.builds(
        lambda tag, attributes, inner, closed: (
            f"<{tag}{attributes}>{' '.join(inner)}" + (f"</{tag.split()[0]}>" if closed else "")
        ),
        st.sampled_from((*PHRASES, *BLOCKS)),
        CLASSES,
        st.lists(children, max_size=4),
        st.booleans(),
    )


PAGES = st.lists(st.recursive(WORDS, element, max_leaves=20), min_size=1, max_size=6).map(" ".join)


@settings(max_examples=80, deadline=None)
@given(PAGES)
@example("<h1><ol> <i>a")
def test_every_word_is_on_the_page(page: str) -> None:
    found = body(page)
    visible = set(re.findall(r"\w+", re.sub("<[^>]*>", " ", page)))
    # Numbers are of lists, which may stand in headings and cells as well: no word of these pages has digits.
    marks = set(re.findall(r"\[!(\w+)\]|`{3,}(\w+)|\b(\d+)\\?\.|\[\^(\d+)\]", found))
    written = re.sub(r"</?su[bp]>|<br>|\]\([^)]*\)", " ", found)
    assert set(re.findall(r"\w+", written)) <= visible | {word for group in marks for word in group}


@settings(max_examples=30, deadline=None)
@given(PAGES, st.sampled_from(["script", "style", "template", "noscript", "select", "textarea"]))
def test_scripts_are_never_text(page: str, tag: str) -> None:
    assert "zzz" not in body(f"{page}<{tag}>zzz()</{tag}>{page}<p onclick='zzz()' title=zzz>{PROSE}</p>")


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=200))
def test_any_text_is_a_page(text: str) -> None:
    body(text)
    body(f"<p>{escaping.escape(text)}</p>" + f"<a href='{escaping.escape(text, quote=True)}'>x</a>")


@settings(max_examples=15, deadline=None)
@given(PAGES)
def test_the_same_page_gives_the_same_markdown(page: str) -> None:
    assert body(page) == body(page)


MANY = 1200
MARKS = "".join(f"<a href='#f{n}'>{n}</a>" for n in range(MANY))


@pytest.mark.parametrize(
    "page",
    [
        "<p>text</p>" * MANY,
        "<p>" + "<b>a</b><i>b</i><code>c</code>" * MANY,
        "<script>x</script>t" * MANY,
        "<table>" + "<tr><td>a</td><td>b</td></tr>" * MANY,
        "<table>" + "<tr><td colspan=99999 rowspan=99999>a</td><td>b</td></tr>" * MANY,
        "<table><tr>" + "<td>a</td>" * MANY,
        "<ul>" + "<li>a" * MANY,
        "<pre>" + "<span class=line>a</span>\n" * MANY,
        "<p>" + "<math><mi>x</mi></math>" * MANY,
        "<figure>" + "<img src=/a.png>" * MANY,
        f"<p>{MARKS}<ol>" + "".join(f"<li id=f{n}>x" for n in range(MANY)),
        f"<p>{MARKS}<p>" + "".join(f"<a name=f{n}>{n}</a>x" for n in range(MANY)),
        "<p>x<sup>1</sup></p>" * MANY,
        "<h2>Related posts</h2><p>May 5, 2020</p>" * MANY,
        "<div class='callout note'>" * 100 + "x",
        "<p>" + "$a [b] <c \\( *d* _e_ `f" * MANY,
        "<div class='" + "share-" * MANY + "'>x",
        "<ul><li>" * 120 + "x",
        "<blockquote>" * 240 + "x",
        "<span>" * 200 + "<div>x</div>" * MANY,
    ],
)
def test_large_pages_take_no_more_than_their_size(page: str) -> None:
    """Each would take minutes if the work grew with the "
    "square of the size; the suite's timeout watches."""
    body(page)


@pytest.mark.parametrize("tag", ["div", "span", "ul><li", "table><tr><td", "blockquote", "b", "math><mrow"])
def test_a_page_nested_too_deeply_is_refused(tag: str) -> None:
    with pytest.raises(InputError, match="excessive depth"):
        body(f"<{tag}>" * 100_000 + "x")


@pytest.mark.parametrize(
    "tag", ["div", "ul><li", "blockquote", "section", "i", "a", "li", "dl><dd", "code", "figure"]
)
def test_the_deepest_pages_that_are_read(tag: str) -> None:
    for depth in (60, 110, 120, 240, 250):
        page = f"<{tag}>" * (depth // (1 + tag.count(">"))) + "x"
        assert "x" in body(page)


def test_a_page_cannot_use_the_names_of_the_passes() -> None:
    own = "<x-ref n=7>a</x-ref><x-math tex=y>b</x-math><x-callout>c</x-callout><x-gone>d</x-gone>"
    assert body(f"<article><p>{PROSE} {own}</p></article>") == f"{PROSE} abcd\n"
    assert body(f"<ul><li data-x-task=q>{PROSE}</li></ul>") == f"- {PROSE}\n"
