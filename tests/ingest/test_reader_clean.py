"""What a reader model gets of a page: cleaned, and in pieces that fit."""

from __future__ import annotations

from collections.abc import Sequence

import lxml.html
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.convert.reader_lm.clean import clean_page
from ingest.convert.reader_lm.pieces import UncuttableError, cut

WORD = st.text("abcdefgh", min_size=1, max_size=6)
SPACE = st.sampled_from([" ", "  ", "\n", "\n\t "])
NAMES = ("div", "p", "ul", "li", "b", "span", "h2", "table", "section", "pre")


def page_of(html: str) -> lxml.html.HtmlElement:
    return lxml.html.document_fromstring(f"<html><body>{html}</body></html>")


def whole(page: lxml.html.HtmlElement) -> str:
    (html,) = cut(page, 10**9, tokens_of)
    return html


def tokens_of(texts: Sequence[str]) -> list[int]:
    """A tokenizer of a kind: four characters a token."""
    return [-(-len(text) // 4) for text in texts]


def said(html: lxml.html.HtmlElement | str) -> list[str]:
    tree = lxml.html.document_fromstring(html) if isinstance(html, str) else html
    return " ".join(tree.itertext()).split()


@st.composite
def nested(draw: st.DrawFn, depth: int = 4) -> str:
    """Elements in elements, with words between them."""
    parts = [draw(WORD)]
    for _ in range(draw(st.integers(0, 4 if depth else 0))):
        name = draw(st.sampled_from(NAMES))
        parts += [f"<{name} class='{draw(WORD)}'>{draw(nested(depth - 1))}</{name}>", draw(WORD)]
    return draw(SPACE).join(parts)


@st.composite
def littered(draw: st.DrawFn) -> str:
    """The same with everything that no reader sees strewn over it."""
    junk = st.sampled_from(
        [
            "<script>var SECRET</script>",
            "<SCRIPT src=SECRET></SCRIPT>",
            "<style>.SECRET{}</style>",
            "<!-- SECRET -->",
            "<meta name=SECRET content=SECRET>",
            "<link rel=SECRET href=SECRET>",
            "<template><p>SECRET</p></template>",
            "<svg><path d=SECRET /><text>SECRET</text></svg>",
            "<img src='data:image/png;base64,SECRET'>",
            "<i onclick='SECRET()' style='color: SECRET'></i>",
            "<a href='javascript:SECRET()'></a>",
            "<img srcset='SECRET 2x'>",
            "<?php SECRET ?>",
        ]
    )
    words = draw(nested()).split(" ")
    return " ".join(
        f"{word} {draw(junk)}" if draw(st.booleans()) and "<" not in word else word for word in words
    )


@given(littered())
def test_what_no_reader_sees_goes_and_text_stays(html: str) -> None:
    page = page_of(html)
    clean = whole(clean_page(page))
    assert "SECRET" not in clean
    assert not {"script", "style", "meta", "link", "template"} & {e.tag for e in page_of(clean).iter()}
    for element in page.xpath("//script | //style | //template | //svg"):
        element.drop_tree()
    assert said(clean) == [word for word in said(page) if "SECRET" not in word]


def test_the_page_itself_is_left_alone() -> None:
    page = page_of("<p style='x'>a  b<script>c</script></p>")
    before = lxml.html.tostring(page)
    clean_page(page)
    assert lxml.html.tostring(page) == before


def test_pictures_become_stubs_and_space_shrinks_but_for_code() -> None:
    html = "<p>a   b\n\n  <img alt=c src='data:x'><svg viewBox='0'><path/></svg>d</p> <pre>x\n   y</pre>"
    assert whole(clean_page(page_of(html))) == (
        '<html><body><p>a b\n<img alt="c" src="#"><svg></svg>d</p> <pre>x\n   y</pre></body></html>'
    )


def test_signs_that_mean_something_in_html_are_escaped() -> None:
    html = "<p title='&quot;x&quot;'>1 &lt; 2 &amp;amp; <code>&lt;b&gt;</code></p>"
    clean = whole(page_of(html))
    assert said(clean) == ["1", "<", "2", "&amp;", "<b>"]
    assert page_of(clean).xpath("//p/@title") == ['"x"']


@given(nested(), st.integers(24, 200))
def test_pieces_fit_and_hold_every_word_once_in_order(html: str, budget: int) -> None:
    page = page_of(html)
    try:
        pieces = cut(page, budget, tokens_of)
    except UncuttableError:
        assert budget < 60
        return
    assert [word for piece in pieces for word in said(piece)] == said(page)
    assert all(sum(tokens_of([piece])) <= budget for piece in pieces)


@given(nested(), st.integers(24, 200))
def test_pieces_are_well_formed_and_within_their_elements(html: str, budget: int) -> None:
    page = page_of(html)
    try:
        pieces = cut(page, budget, tokens_of)
    except UncuttableError:
        return
    for piece in pieces:
        assert whole(lxml.html.document_fromstring(piece)).split() == piece.split()


def test_elements_that_fit_are_not_cut() -> None:
    items = "".join(f"<li>item number {number} of the list</li>" for number in range(20))
    pieces = cut(page_of(f"<ul class=long>{items}</ul>"), 60, tokens_of)
    assert len(pieces) > 3
    for piece in pieces:
        assert piece.startswith("<html><body><ul><li>item")
        assert piece.endswith("of the list</li></ul></body></html>")


def test_a_text_too_long_for_a_piece_is_cut_between_words() -> None:
    words = [f"word{number}" for number in range(500)]
    pieces = cut(page_of(f"<p>{' '.join(words)}</p>"), 64, tokens_of)
    assert [word for piece in pieces for word in said(piece)] == words


def test_a_word_without_end_is_cut_all_the_same() -> None:
    pieces = cut(page_of(f"<p>{'x' * 100_000}</p>"), 64, tokens_of)
    assert sum(len(said(piece)[0]) for piece in pieces) == 100_000
    assert max(map(len, pieces)) <= 4 * 64


def test_pages_that_make_no_pieces_say_why() -> None:
    with pytest.raises(UncuttableError, match=r"its 25,0\d\d tokens are more than 1,000"):
        cut(page_of("x" * 100_000), 64, tokens_of, limit=1000)
    with pytest.raises(UncuttableError, match="too deep"):
        cut(page_of("<div>" * 200 + "word " * 500 + "</div>" * 200), 64, tokens_of)
