"""Chunks keep a document's structure: lists, tables, code, sections, pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest.chunk import Span, chunk_body, document_id, make_chunks
from ingest.regions import RegionIndex
from ingest.sizes import ChunkBudget
from retrieve.schema import Chunk, Document, Region
from tests.ingest.test_chunk import tokenizer

BUDGET = ChunkBudget(text=80, overlap=0, whole=128)


def document(body: str, regions: tuple[Region, ...] = ()) -> Document:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    return Document(document_id("/r", "a"), "a", "/r", "markdown", body, {}, "h", moment, regions=regions)


def chunks_of(body: str, budget: ChunkBudget = BUDGET) -> list[Chunk]:
    return list(make_chunks(document(body), chunk_body(body, "markdown", budget, tokenizer())))


def rows(count: int) -> str:
    return "".join(f"| pump {n} | hall {n % 7} | {n * 13} litres |\n" for n in range(count))


HEADER = "| Pump | Place | Volume |\n|:---|:---:|---:|"


def test_a_table_is_cut_between_rows_and_each_piece_has_its_header() -> None:
    body = f"# Pumps\n\nAll pumps of the plant.\n\n{HEADER}\n{rows(60)}\nWhat follows is prose.\n"
    chunks = chunks_of(body)
    assert len(chunks) > 5
    first, *later = chunks
    assert first.text.startswith("# Pumps\n\nAll pumps of the plant.\n\n| Pump")
    assert not first.header
    for chunk in later:
        assert chunk.header == HEADER
        assert chunk.text.startswith("| pump ")
        assert chunk.embedding_text().startswith("Pumps\n| Pump | Place | Volume |\n| pump ")
        assert body[chunk.start : chunk.end] == chunk.text
        assert chunk.payload()["_dl"]["header"] == HEADER
    lines = [line for chunk in chunks for line in chunk.text.splitlines() if line.startswith("| pump")]
    assert lines == rows(60).splitlines(), "no row is torn"
    assert "What follows is prose." in later[-1].text


def test_a_chunk_without_rows_of_a_table_has_no_header() -> None:
    body = f"{HEADER}\n{rows(3)}\nProse stands here. " + "More of it stands here. " * 40
    chunks = chunks_of(body)
    assert len(chunks) > 2
    assert not any(chunk.header for chunk in chunks)
    assert "header" not in chunks[-1].payload()["_dl"]


def test_a_header_that_would_fill_the_chunks_is_not_repeated() -> None:
    names = "| " + " | ".join(f"measurement {n}" for n in range(20)) + " |"
    body = f"{names}\n{'|---' * 20}|\n" + ("| " + "7 | " * 20 + "\n") * 8
    assert not any(chunk.header for chunk in chunks_of(body))


def test_a_row_that_is_too_long_is_cut_between_cells() -> None:
    cell = "words of one cell, which are many and go on for a while"
    body = f"| a | b |\n|---|---|\n| 1 | 2 |\n| {' | '.join([cell] * 12)} |\n"
    pieces = [chunk.text for chunk in chunks_of(body)]
    assert len(pieces) > 2
    assert sum(piece.count(cell) for piece in pieces) == 12


def test_what_is_no_table_has_no_header() -> None:
    code = "```\n" + HEADER + "\n" + rows(30) + "```\n"
    assert not any(chunk.header for chunk in chunks_of(code))


def test_lists_are_cut_between_items_and_then_between_nested_ones() -> None:
    short = "".join(f"- item {n} says a thing\n  and goes on with it\n" for n in range(30))
    for chunk in chunks_of(short):
        assert chunk.text.startswith("- item")
        assert chunk.text.endswith("goes on with it")
    nested = "- outer\n" + "".join(f"  - inner {n}\n\n    with words of its own\n" for n in range(30))
    for chunk in chunks_of(nested):
        assert chunk.text.startswith(("- outer", "  - inner"))
        assert chunk.text.endswith("words of its own")


def test_what_leads_to_a_block_stays_with_it() -> None:
    prose = "Words that fill the chunk before it comes to the block. " * 5
    block = "".join(f"- port {n} is for the service {n}\n" for n in range(6))
    body = f"{prose}\n\nThese ports are used:\n\n{block}\n{prose}\n"
    assert any(chunk.text.startswith("These ports are used:\n\n- port 0") for chunk in chunks_of(body))


def test_code_is_cut_before_definitions() -> None:
    function = "def part(value):\n    first = value\n\n    return first + 1\n\n\n"
    body = "```python\n" + function * 20 + "```\n"
    chunks = chunks_of(body)
    assert len(chunks) > 3
    assert all(chunk.text.startswith(("```python\ndef", "def part(value):")) for chunk in chunks)


def test_footnotes_and_quotes_are_cut_at_their_parts() -> None:
    notes = "".join(f"[^{n}]: Said in the year {1900 + n}, e.g. in a book. And more.\n" for n in range(30))
    assert all(chunk.text.startswith("[^") for chunk in chunks_of(notes))
    quote = "".join(f"> Paragraph {n} of it.\n> Goes on here.\n>\n" for n in range(30))
    assert all(chunk.text.startswith("> Paragraph") for chunk in chunks_of(quote))


def test_chunks_know_their_section() -> None:
    long = "The quick brown fox jumps over the lazy dog again and again. " * 12
    body = f"# A\n\n{long}\n\n## B\n\n{long}\n"
    chunks = chunks_of(body)
    middle = body.index("## B")
    for chunk in chunks:
        own = (0, len(body[:middle].rstrip())) if chunk.start < middle else (middle, len(body.rstrip()))
        assert chunk.parent == own
        assert chunk.payload()["_dl"]["parent"] == list(own)
    assert len(chunks) > 4


def test_an_overlap_does_not_come_between_a_header_and_its_rows() -> None:
    for chunk in chunks_of(f"{HEADER}\n{rows(60)}", ChunkBudget(text=80, overlap=20, whole=128)):
        assert not chunk.header or chunk.text.startswith("| pump")


@st.composite
def regions(draw: st.DrawFn) -> list[Region]:
    """Sorted regions that do not overlap, on pages that go up."""
    found, position, page = [], 0, 1
    for _ in range(draw(st.integers(0, 8))):
        start = position + draw(st.integers(0, 3))
        position = start + draw(st.integers(1, 6))
        page += draw(st.integers(0, 2))
        x, y = draw(st.floats(0, 0.5)), draw(st.floats(0, 0.5))
        box = draw(st.sampled_from([None, (x, y, x + 0.25, y + 0.5)]))
        found.append(Region(start, position, page, box))
    return found


@given(found=regions(), start=st.integers(0, 40), length=st.integers(1, 20))
def test_the_pages_of_a_chunk(found: list[Region], start: int, length: int) -> None:
    end = start + length
    inside = [region for region in found if region.start < end and start < region.end]
    result = RegionIndex(found).within(start, end)
    assert [region.page for region in result] == sorted({region.page for region in inside})
    for region in result:
        same = [other for other in inside if other.page == region.page]
        assert (region.start, region.end) == (max(start, same[0].start), min(end, same[-1].end))
        boxes = [other.box for other in same if other.box is not None]
        if len(boxes) < len(same):
            assert region.box is None
        else:
            assert region.box is not None
            assert region.box[0] <= min(box[0] for box in boxes) + 1e-4
            assert region.box[3] >= max(box[3] for box in boxes) - 1e-4


def test_pages_reach_the_payload_and_a_quote_finds_its_own() -> None:
    from retrieve.expand import joined, passage_from

    body = "One page. Two pages. Three pages. The end."
    places = (Region(0, 10, 1, (0.1, 0.1, 0.9, 0.2)), Region(10, 21, 2), Region(21, 42, 3))
    chunks = list(make_chunks(document(body, places), [Span(0, 20), Span(21, 42)]))
    payloads: list[dict[str, Any]] = [{"id": chunk.id, **chunk.payload()} for chunk in chunks]
    assert payloads[0]["_dl"]["page"] == 1
    assert payloads[0]["_dl"]["regions"] == [
        {"page": 1, "start": 0, "box": [0.1, 0.1, 0.9, 0.2]},
        {"page": 2, "start": 10, "box": None},
    ]
    (whole,) = joined(map(passage_from, payloads))
    assert [whole.page_at(body.index(word)) for word in ("One", "Two", "Three", "The end")] == [1, 2, 3, 3]
    (without,) = make_chunks(document(body), [Span(0, 42)])
    assert "page" not in without.payload()["_dl"]
    assert passage_from({"id": "a", **without.payload()}).page_at(3) is None
