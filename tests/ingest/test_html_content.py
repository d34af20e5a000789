"""Which part of a page is taken, and what of it is left out."""

from __future__ import annotations

import re

import pytest

from tests.ingest.pages import PROSE, article, body

TEXT = "".join(f"<p>{PROSE}</p>" for _ in range(3))
MARKDOWN = "\n\n".join([PROSE] * 3) + "\n"
NAV = "<nav><ul><li><a href='/'>Home</a></li><li><a href='/shop'>Shop</a></li></ul></nav>"
TEASERS = "".join(
    f"<div class=card><a href='/{n}'><h3>Another story, "
    f"number {n}</h3></a><p>Read about it, all of it.</p></div>"
    for n in range(4)
)


@pytest.mark.parametrize(
    "page",
    [
        f"{NAV}<article>{TEXT}</article><footer>Imprint</footer>",
        f"{NAV}<div id=main><div class=post>{TEXT}</div><div "
        f"class=sidebar><a href='/x'>Popular</a></div></div>",
        f"<table><tr><td>{NAV}</td><td>{TEXT}</td></tr></table>",
        f"{NAV}<div><div>{TEXT}</div></div><div class='related-posts'>{TEASERS}</div>",
        f"<main><article>{TEXT}</article><section>"
        f"<article>{TEASERS}</article><article>x</article></section></main>",
        f"<div class=cookie-banner><p>{PROSE[:80]}</p></div><main>{TEXT}</main>",
        f"<main>{TEXT}<section class=comments><p>First!</p></section></main>",
        f"<form>{TEXT}</form>",
    ],
)
def test_the_content_of_a_page(page: str) -> None:
    assert body(page) == MARKDOWN


@pytest.mark.parametrize(
    "clutter",
    [
        "<div class='share-buttons'><a href='#'>Facebook</a> <a href='#'>Mastodon</a></div>",
        "<div class='newsletter-signup'><p>Get our letters, every week.</p><form><input></form></div>",
        "<p>Advertisement</p>",
        "<p>Share this article</p>",
        "<div style='display: none'>hidden words</div>",
        "<p hidden>hidden words</p>",
        "<span class='sr-only'>hidden words</span>",
        "<div aria-hidden=true>hidden words</div>",
        "<script>var words = 1</script><style>p{}</style><template>hidden words</template>",
        "<noscript>Please enable scripts.</noscript>",
        "<svg><text>icon</text></svg><canvas>x</canvas><object>y</object>",
        "<select><option>Deutsch</option></select><textarea>z</textarea>",
        "<ul><li><a href='#a'>One</a></li><li><a href='#b'>Two</a></li><li><a href='#c'>Three</a></li></ul>",
        "<dialog open>Sign in</dialog>",
    ],
)
def test_clutter_within_the_text_goes(clutter: str) -> None:
    assert article(clutter) == ""


@pytest.mark.parametrize(
    "kept",
    [
        "<div class='commented-text'><p>An aside that is text.</p></div>",
        "<section id=CommentsOnMethod><h2>On method</h2><p>An aside that is text.</p></section>",
        "<p class='h2-related'>An aside that is text.</p>",
        "<p><time datetime=2020-01-01>On New Year</time> it began.</p>",
        "<aside><p>An aside that is text.</p></aside>",
        "<p>The element <span class=tag>body</span> holds the page.</p>",
        "<ul><li><a href='/a'>A tool</a> that saws</li><li><a href='/b'>A tool</a> that drills</li></ul>",
        "<h2>See the numbers</h2><p>They are below.</p>",
    ],
)
def test_text_that_only_looks_like_clutter_stays(kept: str) -> None:
    words = re.sub("<[^>]*>", " ", kept).split()
    assert all(word in article(kept) for word in words)


@pytest.mark.parametrize(
    ("page", "start"),
    [
        (
            "<p class=eyebrow>News</p><h1>Pumps</h1><p>By Ada Byron</p><p>May 5, 2024 · 4 min read</p>",
            "# Pumps\n\n",
        ),
        (
            "<div><a href='/blog'>Blog</a></div><h1>Pumps</h1><div class=byline><a href='/ada'>Ada</a></div>",
            "# Pumps\n\n",
        ),
        ("<h1>Pumps</h1><p>A guide for beginners</p>", "# Pumps\n\nA guide for beginners\n\n"),
        ("<ul><li><a href='/'>Home</a></li><li>Pumps</li></ul>", ""),
        ("<h1>Pumps</h1><hr>", "# Pumps\n\n---\n\n"),
        ("<hr>", ""),
    ],
)
def test_around_the_title_only_the_title_stays(page: str, start: str) -> None:
    assert body(f"<article>{page}{TEXT}</article>") == start + MARKDOWN


@pytest.mark.parametrize(
    "end",
    [
        "<h2>Related posts</h2><ul><li><a href='/a'>Another story about pumps</a></li></ul>",
        "<hr>",
        "<div class=author-box><p>Ada writes about machines.</p></div>",
        "<p>Tags: pumps, water</p>",
        "<h3>Subscribe to our newsletter</h3><p>Every week.</p>",
    ],
)
def test_what_trails_behind_the_text_goes(end: str) -> None:
    assert body(f"<article>{TEXT}{end}</article>") == MARKDOWN


def test_what_a_script_would_show_is_taken_when_hardly_anything_else_is_there() -> None:
    assert body(f"<p>Loading</p><div style='display:none'>{TEXT}</div>").endswith(MARKDOWN)
    place = "<article><template id='B:0'></template><div class=skeleton>...</div></article>"
    streamed = f"{place}<div hidden id='S:0'>{TEXT}</div>"
    assert body(streamed) == MARKDOWN


def test_a_page_of_links_keeps_them() -> None:
    page = "<h1>Index</h1><ul>" + "".join(f"<li><a href='/{n}'>Page {n}</a></li>" for n in range(5)) + "</ul>"
    assert "[Page 3](/3)" in body(page)


def test_a_short_page_is_taken_whole() -> None:
    assert body("<div class=sidebar>Closed today.</div>") == "Closed today.\n"


def test_a_short_text_is_not_drowned_in_the_menus_around_it() -> None:
    menu = "".join(f"<a href='/{n}'>Menu entry {n}</a> " for n in range(30))
    for tag in ("main", "div"):
        page = f"<nav>{menu}</nav><{tag}><h1>Closed</h1><p>We are closed today, and tomorrow too.</p></{tag}>"
        assert (
            body(page + "<footer>Imprint</footer>") == "# Closed\n\nWe are closed today, and tomorrow too.\n"
        )
