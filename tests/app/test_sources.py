"""What turns look like as HTML, whatever is in them."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from app.history import Figures, Quote, Source, Turn
from app.sources import answer_html, figures_html, passage_html, plain_label, sources_html

LAYOUT = {"div", "p", "span", "a", "section", "article", "header", "details", "summary", "blockquote", "mark"}
TEXTUAL = {"h1", "h2", "h3", "h4", "h5", "h6", "em", "strong", "code", "pre", "ul", "ol", "li", "hr", "br"}
TABLES = {"table", "thead", "tbody", "tr", "th", "td"}
ALLOWED = LAYOUT | TEXTUAL | TABLES
SAFE_ATTRIBUTES = {
    "class",
    "id",
    "href",
    "aria-label",
    "aria-live",
    "aria-hidden",
    "start",
    "style",
    "tabindex",
}
HOSTILE = st.sampled_from(
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](http://b.example/p.png)",
        "[a](javascript:alert(1))",
        "<http://b.example>",
        "http://b.example",
        "```html\n<b>\n```",
        "[1]: http://b.example",
        "[1]",
        "[2]",
        "`[1]`",
        "\n\n",
        "| a | b |\n|---|:-:|\n| 1 | 2 |",
        '" onmouseover="x',
        "&lt;b&gt;",
        "</mark>",
        "# T",
    ]
)
TEXT = st.lists(HOSTILE | st.text(max_size=12), max_size=8).map("".join)


class Inspector(HTMLParser):
    """Collects what an HTML text would create."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}


def source(text: str = "A passage.", document: str = "a.md") -> Source:
    return Source(id="1", document=document, section=("One", "Two"), text=text, start=10)


@given(TEXT, TEXT, TEXT)
def test_nothing_untrusted_becomes_markup(answer: str, text: str, document: str) -> None:
    turn = Turn(question="?", answer=answer, sources=(source(text, document), source()), state="done")
    html = answer_html(turn, "s0") + sources_html(turn, "s0")
    seen = Inspector(html)
    assert seen.tags <= ALLOWED
    assert {name for name, _ in seen.attributes} <= SAFE_ATTRIBUTES
    for name, value in seen.attributes:
        if name == "href":
            assert re.fullmatch(r"#s0-[12]", value)
        if name == "style":
            assert re.fullmatch(r"text-align:(left|right|center)", value)


@given(TEXT, st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60)), max_size=4))
def test_a_passage_keeps_its_text_whatever_is_marked(text: str, offsets: list[tuple[int, int]]) -> None:
    quotes = tuple(Quote(marker=1, quote="", start=10 + a, end=10 + b) for a, b in offsets)
    turn = Turn(question="?", state="done", sources=(source(text),), quotes=quotes)
    card = sources_html(turn, "s0")
    body = re.findall(r'<blockquote class="dl-passage">(.*?)</blockquote>', card, re.DOTALL)[-1]
    assert unescape(re.sub(r"</?mark>", "", body)) == text


def test_markers_link_only_to_sources_that_exist_and_not_in_code() -> None:
    turn = Turn(question="?", answer="One. [1] Two. [2] Three `[1]`", sources=(source(),))
    html = answer_html(turn, "s3")
    assert html.count('href="#s3-1"') == 1
    assert "[2]" in html
    assert "<code>[1]</code>" in html


def test_overlapping_quotes_become_one_mark() -> None:
    text = "alpha beta gamma delta"
    quotes = (
        Quote(marker=1, quote="alpha beta", start=10, end=20),
        Quote(marker=1, quote="beta gamma", start=16, end=26),
    )
    turn = Turn(question="?", state="done", sources=(source(text),), quotes=quotes)
    assert "<mark>alpha beta gamma</mark> delta" in sources_html(turn, "s0")


def test_a_long_passage_is_folded_around_its_quote() -> None:
    text = "before " * 100 + "the quoted words" + " after" * 100
    start = text.index("the quoted")
    excerpt, _, whole = passage_html(text, [(start, start + 16)]).partition("<details")
    assert "<mark>the quoted words</mark>" in excerpt
    assert "<mark>the quoted words</mark>" in whole
    assert len(excerpt) < 700 < len(whole)
    assert "… before" in excerpt
    assert "after …" in excerpt


def test_figures_leave_out_what_says_nothing() -> None:
    plain = Figures(ttft_s=1.23, tokens=31, tokens_per_s=12.5, tokens_per_step=1.0, cached_prompt_tokens=0)
    assert "first word after 1.2 s · 12.5 tokens/s · 31 tokens" in figures_html(plain)
    assert "2.10 tokens a step" in figures_html(plain.model_copy(update={"tokens_per_step": 2.1}))


@given(st.text())
def test_a_label_is_one_line_and_never_empty(text: str) -> None:
    label = plain_label(text)
    assert label.strip()
    assert "\n" not in label


def test_rows_of_a_table_stand_below_their_header_and_a_quote_names_its_page() -> None:
    source = Source(
        id="a",
        document="d",
        section=("Ports",),
        text="| 1 | two |",
        start=5,
        header="| <a> | b |",
        also_in=("<b>.md", *(f"{n}.md" for n in range(5))),
    )
    quote = Quote(marker=1, quote="two", start=11, end=14, page=3)
    turn = Turn(question="?", state="done", answer="two [1]", sources=(source,), quotes=(quote,))
    card = sources_html(turn, "s0")
    assert "| &lt;a&gt; | b |\n| 1 | <mark>two</mark> |" in card
    assert "Ports › page 3" in card
    assert "Also in &lt;b&gt;.md, 0.md, 1.md, 2.md and 2 more" in card
