"""Chunks are exact slices, cover all text once and fit the embedder, whatever the text."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.settings import load_settings
from ingest.chunk import ChunkBudget, Span, chunk_body, document_id, make_chunks
from ingest.tokens import count_tokens
from retrieve.schema import Document, embedding_text

BUDGET = ChunkBudget(text=40, overlap=0, whole=64)
WIDE = ChunkBudget(text=200, overlap=0, whole=256)

SNIPPETS = st.sampled_from(
    [
        "# Title",
        "## Part",
        "### *Deep* `part`",
        "#### " + "long heading " * 40,
        "Setext\n======",
        "Sub\n---",
        "```\n# no heading\n\nx = 1\n```",
        "~~~~\n" + "line of code\n" * 60 + "~~~~",
        "    indented\n    code",
        "| a | b |\n|---|---|\n" + "| 1 | two |\n" * 40,
        "| " + "a wide column | " * 12 + "\n|" + "---|" * 12 + "\n" + ("| " + "cell | " * 12 + "\n") * 5,
        "> | a | b |\n> |---|---|\n" + "> | 1 | two |\n" * 40,
        "The parts are:\n\n" + "- a part\n  - of it, with words\n\n    more words of it\n" * 20,
        "> [!NOTE]\n> A word of it. " + "\n> Another word. " * 60,
        "[^1]: A footnote with words.\n[^2]: Another. " * 20,
        "```python\n" + "def f():\n    return 1\n\n\n" * 30 + "```",
        "- item\n  - nested\n\n- loose",
        "1. one\n2. two",
        '[ref]: https://example.test "a definition"',
        "> # quoted\n> text",
        "<div>\n<p>x</p>\n</div>",
        "A short one.",
        "A sentence. Another one! A third? " * 30,
        "word " * 300,
        "x" * 3000,
        "日本語の文。" * 80,
        "***",
        "&amp; \\# [link](x) ![i](y)",
        "\x0b\x0c",
        "a\u2028b",
        "é\u0301" * 50,
        "\U0001f469\u200d\U0001f467" * 60,
        "\x00\ufeff\u200b",
    ]
)
BODIES = st.lists(st.one_of(SNIPPETS, st.text(max_size=60)), max_size=12).flatmap(
    lambda parts: st.lists(
        st.sampled_from(["\n\n", "\n", "\n \n\n", " ", "\r\n"]), min_size=len(parts), max_size=len(parts)
    ).map(lambda gaps: "".join(part + gap for part, gap in zip(parts, gaps, strict=True)))
)


@cache
def tokenizer() -> Any:
    from retrieve.embed import load_tokenizer

    return load_tokenizer(load_settings())


def check(body: str, spans: list[Span], budget: ChunkBudget) -> None:
    texts = [body[span.start : span.end] for span in spans]
    assert bool(texts) == bool(body.strip())
    covered = bytearray(len(body))
    for span in spans:
        for position in range(span.start, span.end):
            covered[position] += 1
    for position, character in enumerate(body):
        assert covered[position] <= 1
        assert covered[position] == 1 or character.isspace(), (position, character)
    if texts:
        headers = [body[slice(*span.header)] if span.header else "" for span in spans]
        whole = [
            embedding_text(span.section, text, header)
            for span, text, header in zip(spans, texts, headers, strict=True)
        ]
        assert all(span.header is None or span.header[1] <= span.start for span in spans)
        assert all(span.parent[0] <= span.start < span.end <= span.parent[1] for span in spans)
        assert max(count_tokens(texts, tokenizer())) <= budget.text
        assert max(len(tokenizer().encode(text).ids) for text in whole) <= budget.whole
        assert all(text.strip() for text in texts)


@given(body=BODIES, kind=st.sampled_from(["markdown", "html", "text", "pdf"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_is_covered_once_within_the_budget(body: str, kind: str) -> None:
    check(body, chunk_body(body, kind, BUDGET, tokenizer()), BUDGET)


@given(body=BODIES, kind=st.sampled_from(["markdown", "text"]))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_chunks_with_their_gaps_are_the_body(body: str, kind: str) -> None:
    name, moment = document_id("/r", "a"), datetime(2024, 1, 1, tzinfo=UTC)
    document = Document(name, "a", "/r", kind, body, {}, "h", moment)
    chunks = list(make_chunks(document, chunk_body(body, kind, BUDGET, tokenizer())))
    if chunks:
        together = "".join(chunk.gap + chunk.text for chunk in chunks)
        assert together == body[chunks[0].start : chunks[-1].end]
        assert not any(chunk.gap.strip() for chunk in chunks)


@pytest.mark.deep
@given(body=BODIES, kind=st.sampled_from(["markdown", "text"]), text=st.integers(16, 200))
@settings(max_examples=3000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_with_any_budget(body: str, kind: str, text: int) -> None:
    budget = ChunkBudget(text=text, overlap=0, whole=max(64, text + 10))
    check(body, chunk_body(body, kind, budget, tokenizer()), budget)


@given(body=BODIES, overlap=st.integers(1, 100))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_overlap_repeats_only_what_came_just_before(body: str, overlap: int) -> None:
    budget = ChunkBudget(text=40, overlap=overlap, whole=64)
    end = 0
    for span in chunk_body(body, "markdown", budget, tokenizer()):
        assert not body[end : span.start].strip()
        repeated = body[span.start : end] if span.start < end else ""
        assert count_tokens([repeated], tokenizer())[0] <= overlap
        assert count_tokens([body[span.start : span.end]], tokenizer())[0] <= budget.text
        assert span.end > end
        end = span.end


GUIDE = """# Guide

Words about the guide, enough of them to stand alone as a chunk of their own: what it is for, whom it
serves, how to read it, where to begin and where to look when something does not work as it should.

## Install

Setext and fences
-----------------

```
# not a heading
pip install draftline
```

## Use

One.

### Ask

Two.

### Filter

Three.
"""


def test_sections_follow_headings_and_fences_are_not_headings() -> None:
    spans = chunk_body(GUIDE, "markdown", ChunkBudget(60, 0, 100), tokenizer())
    texts = [GUIDE[span.start : span.end] for span in spans]
    assert texts[0].startswith("# Guide\n\nWords")
    assert spans[0].section == ("Guide",)
    assert "# not a heading\npip install" in texts[1]
    assert "## Install\n\nSetext and fences" in texts[1], "a heading alone stays with what follows"
    assert [text for text in texts if "One." in text and "Two." in text and "Three." in text]


def test_a_section_of_its_own_keeps_its_path() -> None:
    long = "The quick brown fox jumps over the lazy dog again and again. " * 6
    body = f"# A\n\n{long}\n\n## B *c* `d`\n\n{long}\n\n### E\n\n{long}\n\n# F\n\n{long}\n"
    spans = chunk_body(body, "markdown", ChunkBudget(100, 0, 160), tokenizer())
    assert [span.section for span in spans] == [("A",), ("A", "B c d"), ("A", "B c d", "E"), ("F",)]


@pytest.mark.parametrize(
    "code",
    ["```python\n" + "value = 1\n\n" * 10 + "```", "| a | b |\n|---|---|\n" + "| c | d |\n" * 10],
)
def test_code_and_tables_that_fit_stay_whole(code: str) -> None:
    prose = "Words that fill the chunk before it comes to the block. " * 12
    body = f"# T\n\n{prose}\n\n{code}\n\n{prose}\n"
    spans = chunk_body(body, "markdown", ChunkBudget(120, 0, 160), tokenizer())
    assert sum(code in body[span.start : span.end] for span in spans) == 1
    assert len(spans) > 1


def test_sentences_are_not_torn_where_they_fit() -> None:
    body = "The first sentence is here. " * 100
    for span in chunk_body(body, "text", WIDE, tokenizer()):
        assert body[span.start : span.end].endswith("here.")


def test_plain_text_has_no_headings() -> None:
    body = "# a comment\n\nsome words\n"
    assert chunk_body(body, "text", WIDE, tokenizer()) == [Span(0, len(body) - 1, parent=(0, len(body) - 1))]


def test_ids_depend_on_document_content_and_position() -> None:
    def chunks(path: str, content: str) -> list[str]:
        document = Document(
            document_id("/r", path), path, "/r", "text", "body", {}, content, datetime(2024, 1, 1, tzinfo=UTC)
        )
        return [chunk.id for chunk in make_chunks(document, [Span(0, 2), Span(2, 4)])]

    assert chunks("a", "h") == chunks("a", "h")
    assert len({*chunks("a", "h"), *chunks("b", "h"), *chunks("a", "g")}) == 6
