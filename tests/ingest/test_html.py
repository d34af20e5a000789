"""What a page's content becomes: blocks, links, pictures, tables, formulas, notes."""

from __future__ import annotations

import pytest

from tests.ingest.pages import PROSE, article, body


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>one <b>two</b> <i>three</i></p>", "one **two** *three*"),
        ("<p><b>spaces </b>outside</p>", "**spaces** outside"),
        ("<p>a<b>b</b><b>c</b></p>", "a**bc**"),
        ("<p>H<sub>2</sub>O and <del>this</del></p>", "H<sub>2</sub>O and ~~this~~"),
        ("<p>line<br>break</p>", "line  \nbreak"),
        ("<p>one<br><br>two</p>", "one\n\ntwo"),
        ("<p>a_b *c* [d](e) 1 < 2 &lt;b></p>", r"a_b \*c\* \[d](e) 1 < 2 \<b>"),
        ("<p># no heading</p><p>1. no list</p>", "\\# no heading\n\n1\\. no list"),
        ("<p>use <code>a`b</code></p>", "use ``a`b``"),
        ("<blockquote><p>said</p><p>more</p></blockquote>", "> said\n>\n> more"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n\t- b\n- c"),
        ("<ol start=3><li>a</li><li><p>b</p><p>c</p></li></ol>", "3. a\n4. b\n\n\tc"),
        ("<dl><dt>Term</dt><dd>What it means.</dd></dl>", "Term\n\nWhat it means."),
        ("<h2>Part <a class=anchor href='#part'>#</a></h2>", "## Part"),
        ("<h3><a href='#x'>Self</a></h3>", "### Self"),
        ("<dl><dt>f(x)<a class=headerlink href='#f'>¶</a></dt><dd>Twice x.</dd></dl>", "f(x)\n\nTwice x."),
        (
            "<ul><li><input type=checkbox checked> a</li><li><input type=checkbox> b</li></ul>",
            "- [x] a\n- [ ] b",
        ),
        ("<div><span><div>deep</div></span></div>", "deep"),
        ("<a href='https://a.test/x'><h3>Linked</h3></a>", "### [Linked](https://a.test/x)"),
        ("<p>Press <button>OK</button> now</p><button>Share</button>", "Press OK now"),
    ],
)
def test_blocks_and_phrases(html: str, markdown: str) -> None:
    assert article(html) == markdown


@pytest.mark.parametrize(
    ("href", "target"),
    [
        ("https://b.test", "https://b.test/"),
        ("page.html", "https://docs.test/guide/page.html"),
        ("/top?q=1", "https://docs.test/top?q=1"),
        ("//cdn.test/x", "https://cdn.test/x"),
        ("#part", "#part"),
        ("a (b).html", "https://docs.test/guide/a%20(b).html"),
        ("a).html", "https://docs.test/guide/a%29.html"),
        ("mailto:a@b.test", "mailto:a@b.test"),
    ],
)
def test_links_lead_where_the_page_says(href: str, target: str) -> None:
    head = '<link rel="canonical" href="https://docs.test/guide/pumps.html">'
    assert article(f'<p>See <a href="{href}">this</a>.</p>', head) == f"See [this]({target})."


@pytest.mark.parametrize("href", ["javascript:alert(1)", "data:text/html,x", "", "#", "http://["])
def test_links_to_nowhere_are_their_text(href: str) -> None:
    assert article(f'<p>See <a href="{href}">this</a>.</p>') == "See this."


def test_relative_links_stay_so_on_a_page_without_an_address() -> None:
    assert article("<p>See <a href='x.html'>this</a>.</p>") == "See [this](x.html)."
    head = "<base href='/root/'><link rel=canonical href='https://a.test/b/c'>"
    assert article("<p>See <a href='x.html'>this</a>.</p>", head) == "See [this](https://a.test/root/x.html)."


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<img src='/a.png' alt='A [pump]'>", r"![A \[pump\]](/a.png)"),
        ("<img src='data:image/gif;base64,R0' data-src='/lazy.jpg' alt=x>", "![x](/lazy.jpg)"),
        ("<img src='/s.jpg' srcset='/s.jpg 300w, /l.jpg 900w' alt=x>", "![x](/l.jpg)"),
        (
            "<picture><source srcset='/w.webp 1x'><img src='data:image/gif;base64,R0' alt=x></picture>",
            "![x](/w.webp)",
        ),
        ("<img src='data:x' alt=x><noscript><img src='/real.png' alt=x></noscript>", "![x](/real.png)"),
        (
            "<figure><img src='/a.png' alt=x><figcaption>Cap <b>one</b></figcaption></figure>",
            "![x](/a.png)\n\nCap **one**",
        ),
        ("<img src='/pixel.gif' width=1 height=1><p>text</p>", "text"),
        (
            "<iframe src='https://www.youtube.com/embed/abcdef12345'></iframe>",
            "![](https://www.youtube.com/watch?v=abcdef12345)",
        ),
        ("<p>a</p><iframe src='https://ads.test/x'>fallback</iframe>", "a"),
    ],
)
def test_pictures(html: str, markdown: str) -> None:
    assert article(html) == markdown


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        (
            "<table><tr><th>a</th><th>b</th></tr><tr><td>1|2</td><td><b>x</b></td></tr></table>",
            "| a | b |\n| --- | --- |\n| 1\\|2 | **x** |",
        ),
        (
            "<table><tr><td colspan=2>both</td></tr><tr><td "
            "rowspan=2>down</td><td>1</td></tr><tr><td>2</td></tr></table>",
            "| both |  |\n| --- | --- |\n| down | 1 |\n|  | 2 |",
        ),
        (
            "<table><caption>Sizes</caption><thead><th>a</th><th>b</th></thead><tr><td>1</td></tr></table>",
            "Sizes\n\n| a | b |\n| --- | --- |\n| 1 |  |",
        ),
        ("<table><tr><td><h3>Left</h3><p>only a layout</p></td></tr></table>", "### Left\n\nonly a layout"),
        (
            "<table><tr><td><p>out</p><table><tr><th>a</th><th>b</th>"
            "</tr><tr><td>1</td><td>2</td></tr></table></td></tr></table>",
            "out\n\n| a | b |\n| --- | --- |\n| 1 | 2 |",
        ),
        (
            "<table><tr><th>a</th><th>b</th></tr><tr><td><ul>"
            "<li>x</li><li>y</li></ul></td><td>1<br>2</td></tr></table>",
            "| a | b |\n| --- | --- |\n| - x<br>- y | 1<br>2 |",
        ),
    ],
)
def test_tables(html: str, markdown: str) -> None:
    assert article(html) == markdown


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        (
            "<p>so <span class=katex><span class=katex-mathml><math><semantics><mi>x</mi><annotation "
            "encoding='application/x-tex'>x^2</annotation>"
            "</semantics></math></span><span class=katex-html "
            "aria-hidden=true>x2</span></span> holds</p>",
            "so $x^2$ holds",
        ),
        ("<p>so <script type='math/tex'>a_i</script> holds</p>", "so $a_i$ holds"),
        ("<script type='math/tex; mode=display'>a=b</script>", "$$\na=b\n$$"),
        ("<math display=block alttext='E=mc^2'><mi>E</mi></math>", "$$\nE=mc^2\n$$"),
        (
            "<p><math><mfrac><mi>a</mi><mrow><mn>2</mn><mi>b</mi></mrow>"
            "</mfrac><mo>≤</mo><msup><mi>α</mi><mn>2</mn></msup></math></p>",
            r"$\frac{a}{2 b} \leq \alpha^{2}$",
        ),
        (
            "<p><math><mrow><mo>(</mo><mtable><mtr><mtd><mi>a</mi></mtd></mtr>"
            "<mtr><mtd><mi>b</mi></mtd></mtr></mtable><mo>)</mo></mrow></math></p>",
            r"$\begin{pmatrix} a \\ b \end{pmatrix}$",
        ),
        (r"<p>with \(a_1 * b\) and 5$ or 6$</p>", "with $a_1 * b$ and 5$ or 6$"),
        (r"<p>image <img src='/f.svg' alt='\frac{a}{b}'></p>", r"image $\frac{a}{b}$"),
    ],
)
def test_formulas_are_their_tex(html: str, markdown: str) -> None:
    assert article(html) == markdown


def test_dollars_are_formulas_where_a_script_would_set_them() -> None:
    assert article("<p>cost $a_1$ now</p>", "<script src='/mathjax/tex.js'></script>") == "cost $a_1$ now"
    assert article("<p>cost $a_1 b_2_$ now</p>") != "cost $a_1 b_2_$ now"


@pytest.mark.parametrize(
    ("html", "kind"),
    [
        (
            "<div class='admonition warning'><p class='admonition-title'>Take care</p><p>Hot.</p></div>",
            "warning",
        ),
        (
            "<div class='markdown-alert markdown-alert-tip'><p "
            "class='markdown-alert-title'>Take care</p><p>Hot.</p></div>",
            "tip",
        ),
        (
            "<div class='alert alert-danger' role=alert><h4 class=alert-heading>Take care</h4>Hot.</div>",
            "danger",
        ),
        (
            "<div class='theme-admonition theme-admonition-info alert alert--info'>"
            "<div class='admonitionHeading_x'>Take care</div><p>Hot.</p></div>",
            "info",
        ),
        (
            "<div class=callout data-callout=example><div class=callout-title>Take "
            "care</div><div class=callout-content><p>Hot.</p></div></div>",
            "example",
        ),
        (
            "<aside class='callout callout-note'><span "
            "class=callout-title>Take care</span><p>Hot.</p></aside>",
            "note",
        ),
    ],
)
def test_callouts(html: str, kind: str) -> None:
    assert article(html) == f"> [!{kind}] Take care\n> Hot."


def test_a_folded_callout_says_so_and_keeps_its_text() -> None:
    html = (
        "<div class=callout data-callout=faq data-callout-fold='-'><div class=callout-title>Why?</div>"
        "<div class=callout-content style='display:none'><p>Because.</p></div></div>"
    )
    assert article(html) == "> [!faq]- Why?\n> Because."


NOTES = "[^1]: First note.\n\n[^2]: Second note."


@pytest.mark.parametrize(
    "html",
    [
        "<p>A.<sup><a href='#fn1' id=r1>1</a></sup> B.<sup><a href='#fn2' id=r2>2</a></sup></p>"
        "<section class=footnotes><ol><li id=fn1><p>First note. <a href='#r1'>↩</a></p></li>"
        "<li id=fn2><p>Second note. <a href='#r2'>↩</a></p></li></ol></section>",
        "<p>A.<a href='#n1' name=b1>[1]</a> B.<a href='#n2' name=b2>[2]</a></p>"
        "<p><a name=n1 href='#b1'>[1]</a> First note.</p>"
        "<p><a name=n2 href='#b2'>[2]</a> Second note.</p>",
        "<p>A.<sup>1</sup> B.<sup>2</sup></p><hr><p><sup>1</sup>"
        " First note.</p><p><sup>2</sup> Second note.</p>",
        "<p>A.<sup>1</sup> B.<sup>2</sup></p><h2>Notes</h2>"
        "<ol><li>First note.</li><li>Second note.</li></ol>",
        "<p>A.<span class=footnote>1<span class=footnote-content hidden>First note.</span></span> "
        "B.<span class=footnote>2<span class=footnote-content hidden>Second note.</span></span></p>",
        "<p>A.<sup class=footnote-reference><a href='#1'>1</a></sup> B.<sup><a href='#2'>2</a></sup></p>"
        "<div class=footnote-definition id=1><sup "
        "class=footnote-definition-label>1</sup><p>First note.</p></div>"
        "<div class=footnote-definition id=2><sup "
        "class=footnote-definition-label>2</sup><p>Second note.</p></div>",
    ],
)
def test_footnotes(html: str) -> None:
    found = body(f"<article><p>{PROSE}</p>{html}</article>")
    assert found == f"{PROSE}\n\nA.[^1] B.[^2]\n\n{NOTES}\n"


def test_what_only_looks_like_a_footnote_stays() -> None:
    html = "<p>By (<a href='#t'>1</a>), 2<sup>3</sup> is 8.</p><h3><a name=t></a>Theorem 1</h3>"
    assert article(html) == "By ([1](#t)), 2<sup>3</sup> is 8.\n\n### Theorem 1"
