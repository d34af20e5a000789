"""What a turn looks like: its answer, sources and figures as HTML.

Documents, answers and questions are untrusted: every piece of their text is escaped here, and what is
not escaped is written by this module. Of an answer's markdown, only what cannot load or run anything
is rendered: no raw HTML, no images, no links. Knows nothing about Streamlit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from app.history import Figures, Quote, Source, Turn

_MARKER = re.compile(r"\[(\d{1,3})\]")
_CONTEXT = 240
"""Code points shown before the first and after the last quote of a passage; the rest is folded away."""
_OTHERS = 4
"""Documents that say the same, named on a card."""

Span = tuple[int, int]


def answer_html(turn: Turn, key: str, *, writing: bool = False) -> str:
    """The answer's markdown as HTML; a marker [n] of a source becomes a link to its card.

    Args:
        key: prefix of the cards' ids, unique on the page.
        writing: whether more is to come; shows a cursor.
    """
    body = _markdown().render(turn.answer, {"key": key, "markers": len(turn.sources)})
    kind = "dl-answer dl-abstained" if turn.abstained else "dl-answer"
    cursor = '<span class="dl-cursor" aria-hidden="true"></span>' if writing else ""
    return f'<div class="{kind}" aria-live="polite">{body}{cursor}</div>'


def question_html(turn: Turn) -> str:
    """The question, as it was typed, and how it was read."""
    remarks = "".join(f'<p class="dl-remark">{escape(remark)}</p>' for remark in turn.remarks)
    return f'<div class="dl-question">{escape(turn.question)}</div>{remarks}'


def note_html(text: str, kind: str = "info") -> str:
    """One line about a turn; ``kind`` is info or error."""
    role = "alert" if kind == "error" else "status"
    return f'<p class="dl-note dl-{kind}" role="{role}">{escape(text)}</p>'


def figures_html(figures: Figures) -> str:
    """What the engine measured, in small print."""
    parts = [f"first word after {figures.ttft_s:.1f} s", f"{figures.tokens_per_s:.1f} tokens/s"]
    if figures.tokens_per_step > 1.005:
        parts.append(f"{figures.tokens_per_step:.2f} tokens a step")
    parts.append(f"{figures.tokens} tokens")
    if figures.cached_prompt_tokens:
        parts.append(f"{figures.cached_prompt_tokens:,} prompt tokens from the cache")
    return f'<p class="dl-figures">{" · ".join(map(escape, parts))}</p>'


def sources_html(turn: Turn, key: str) -> str:
    """Cards of the cited sources with their quotes marked; the other passages found, folded."""
    cited: list[str] = []
    other: list[str] = []
    for marker, source in enumerate(turn.sources, start=1):
        quotes = [quote for quote in turn.quotes if quote.marker == marker]
        (cited if quotes else other).append(_card(source, marker, quotes, key))
    parts = []
    if cited:
        parts.append('<h3 class="dl-heading">Sources</h3>' + "".join(cited))
    if other:
        label = "Also found" if cited else "Found" if turn.state == "answering" else "Found, not quoted"
        parts.append(
            f'<details class="dl-other"><summary>{label} ({len(other)})</summary>{"".join(other)}</details>'
        )
    if not parts:
        return ""
    return f'<section class="dl-sources" tabindex="0" aria-label="Sources">{"".join(parts)}</section>'


def _card(source: Source, marker: int, quotes: Sequence[Quote], key: str) -> str:
    spans = _merged((quote.start - source.start, quote.end - source.start) for quote in quotes)
    pages = sorted({quote.page for quote in quotes if quote.page is not None})
    where = " › ".join((*source.section, *(f"page {page}" for page in pages)))
    section = f'<span class="dl-section">{escape(where)}</span>' if where else ""
    also = f'<p class="dl-note dl-info">{escape(_others(source.also_in))}</p>' if source.also_in else ""
    return (
        f'<article class="dl-card" id="{escape(key)}-{marker}">'
        f'<header><span class="dl-badge">{marker}</span>'
        f'<span class="dl-document">{escape(source.document)}</span>{section}</header>'
        f"{passage_html(source.text, spans, source.header)}{also}</article>"
    )


def _others(documents: Sequence[str]) -> str:
    more = len(documents) - _OTHERS
    return "Also in " + ", ".join(documents[:_OTHERS]) + (f" and {more} more" if more > 0 else "")


def passage_html(text: str, spans: Sequence[Span], header: str = "") -> str:
    """A passage with its quotes marked; what lies far from them is folded away.

    Args:
        header: header rows of the table that the passage begins in.
        spans: sorted and disjoint, in code points of ``text``; those outside it are cut off.
    """
    spans = [(max(0, start), min(end, len(text))) for start, end in spans]
    spans = [(start, end) for start, end in spans if start < end]
    first, last = (spans[0][0], spans[-1][1]) if spans else (0, 0)
    start = _word_start(text, first - _CONTEXT)
    end = _word_end(text, last + (_CONTEXT if spans else 2 * _CONTEXT))
    above = f"{escape(header)}\n" if header else ""
    excerpt = _marked(text, spans, start, end)
    if start == 0 and end == len(text):
        return f'<blockquote class="dl-passage">{above}{excerpt}</blockquote>'
    before, after = above + ("… " if start else ""), (" …" if end < len(text) else "")
    whole = _marked(text, spans, 0, len(text))
    return (
        f'<blockquote class="dl-passage">{before}{excerpt}{after}</blockquote>'
        f'<details class="dl-whole"><summary>Whole passage</summary>'
        f'<blockquote class="dl-passage">{above}{whole}</blockquote></details>'
    )


def _marked(text: str, spans: Sequence[Span], start: int, end: int) -> str:
    parts, position = [], start
    for left, right in spans:
        parts.append(f"{escape(text[position:left])}<mark>{escape(text[left:right])}</mark>")
        position = right
    return "".join([*parts, escape(text[position:end])])


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _word_start(text: str, position: int) -> int:
    if position <= 0:
        return 0
    space = re.compile(r"\s").search(text, position)
    return space.end() if space and space.end() - position < _CONTEXT // 4 else position


def _word_end(text: str, position: int) -> int:
    if position >= len(text):
        return len(text)
    space = max(text.rfind(blank, 0, position) for blank in " \n\t")
    return space if position - space < _CONTEXT // 4 else position


@cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.disable(["image", "link", "autolink", "reference", "html_block", "html_inline"])
    markdown.inline.ruler.before("link", "citation", _citation_rule)
    markdown.add_render_rule("citation", _render_citation)
    return markdown


def _citation_rule(state: StateInline, silent: bool) -> bool:
    match = _MARKER.match(state.src, state.pos)
    if state.pos and re.match(r"\w", state.src[state.pos - 1]):
        return False  # `items[0]`: no marker of ours stands at a word
    if match is None or not 1 <= int(match[1]) <= state.env["markers"]:
        return False
    if not silent:
        state.push("citation", "a", 0).content = match[1]
    state.pos = match.end()
    return True


def _render_citation(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    marker = tokens[index].content
    target = f"{env['key']}-{marker}"
    return f'<a class="dl-marker" href="#{escape(target)}" aria-label="Source {marker}">{marker}</a>'


def plain_label(text: str) -> str:
    """A text as the label of a Streamlit widget, which reads markdown: every special character escaped."""
    line = " ".join(text.split()) or "(untitled)"
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", line)
