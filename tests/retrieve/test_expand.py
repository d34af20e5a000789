"""Passages put together from neighbouring chunks: always exact slices of the document."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.chunk import Span, make_chunks
from retrieve.expand import (
    REACH,
    SHARE,
    Room,
    grown,
    in_context,
    joined,
    missing_neighbours,
    passage_from,
    place_of,
)
from retrieve.filters import Filter
from retrieve.schema import RESERVED, Chunk, Passage
from tests.retrieve.naive import passes
from tests.retrieve.samples import make_document

BODY = "".join(f"Sentence {n} stands here.{' ' if n % 3 else '  ' + chr(10) * (n % 4)}" for n in range(40))


def chunked(cuts: list[int], overlap: int, number: int = 1) -> list[Chunk]:
    """BODY in chunks at these cuts, without the white space between them."""
    document = dataclasses.replace(make_document(number), body=BODY)
    spans = []
    for start, end in pairwise(sorted({0, len(BODY), *cuts})):
        text = BODY[start:end]
        if text.strip():
            first = start + len(text) - len(text.lstrip())
            spans.append(Span(first, start + len(text.rstrip()), ("Top", f"Part {start // 300}")))
    wider = [spans[0]]
    for before, span in pairwise(spans):
        wider.append(Span(max(before.start, span.start - overlap), span.end, span.section))
    return list(make_chunks(document, wider))


def as_passage(chunk: Chunk, score: float = 0.0) -> Passage:
    return dataclasses.replace(passage_from({"id": chunk.id, **chunk.payload()}), score=score)


def words(passage: Passage) -> int:
    return len(passage.text.split())


@given(
    cuts=st.lists(st.integers(1, len(BODY)), max_size=25),
    overlap=st.sampled_from([0, 0, 7, 40]),
    hits=st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1)), min_size=1, max_size=8),
    room=st.builds(Room, st.integers(1, 6), st.integers(1, 150)),
)
def test_grown_passages_are_exact_and_keep_to_their_room(
    cuts: list[int], overlap: int, hits: list[tuple[int, float]], room: Room
) -> None:
    documents = [chunked(cuts, overlap, number) for number in (1, 2)]
    chunks = [chunk for document in documents for chunk in document]
    chosen = {ordinal % len(chunks): score for ordinal, score in hits}
    found = sorted((as_passage(chunks[i], s) for i, s in chosen.items()), key=lambda p: -p.score)
    result = grown(found, map(as_passage, chunks), room, words)
    assert 1 <= len(result) <= room.passages
    for passage in result:
        assert BODY[passage.start : passage.end] == passage.text == passage.ours["text"]
    assert result[0].start <= found[0].start < found[0].end <= result[0].end
    assert result[0].id in {p.id for p in found}
    if len(result) > 1 or result[0].text != found[0].text:
        assert overlap or sum(map(words, result)) <= room.tokens
    for one in result:
        for other in result:
            if one.id < other.id and one.ours["document_id"] == other.ours["document_id"]:
                first, second = sorted((one, other), key=lambda p: p.start)
                # A chunk that is shorter than the overlap lies within the next one, taken or not.
                assert overlap or BODY[first.end : second.start].strip(), "two passages adjoin"


def test_neighbours_of_the_best_go_before_worse_hits() -> None:
    chunks = chunked(list(range(50, 900, 50)), 0)
    found = [as_passage(chunks[3], 1.0), as_passage(chunks[9], SHARE - 0.1)]
    three = Room(5, 3)
    (best,) = grown(found, map(as_passage, chunks), three, lambda passage: 1)
    assert (best.start, best.end) == (chunks[2].start, chunks[4].end)
    assert (best.id, best.score) == (chunks[3].id, 1.0)
    under_one_heading = chunked(list(range(250, 900, 50)), 0)
    edge = as_passage(under_one_heading[2], 1.0)  # its left neighbour stands under another heading
    (best,) = grown([edge], map(as_passage, under_one_heading), Room(5, 2), lambda passage: 1)
    assert best.start == edge.start
    found[1] = as_passage(chunks[9], SHARE + 0.1)
    both = grown(found, map(as_passage, chunks), three, lambda passage: 1)
    assert [(p.id, p.end) for p in both] == [(chunks[3].id, chunks[3].end), (chunks[9].id, chunks[9].end)]


def test_the_first_sentences_of_what_does_not_fit() -> None:
    chunks = chunked([100, 350], 0)
    found = [as_passage(chunks[0], 1.0)]
    room = Room(5, words(found[0]) + 10)
    (passage,) = grown(found, [as_passage(chunks[1])], room, words)
    assert passage.text == BODY[passage.start : passage.end]
    assert passage.text.endswith(" stands here.")
    assert room.tokens - 4 < words(passage) <= room.tokens
    tight = Room(5, words(found[0]) + 3)
    assert grown(found, [as_passage(chunks[1])], tight, words) == found


def test_what_is_not_asked_for_is_not_taken() -> None:
    one, other = chunked([100, 200], 0), chunked([100, 200], 0, number=2)
    found = [as_passage(one[1], 1.0)]
    strangers = [as_passage(other[0]), as_passage(other[2])]
    assert grown(found, strangers, Room(5, 999), words) == found
    newer = dataclasses.replace(as_passage(one[0]), payload=with_ours(as_passage(one[0]), hash="newer"))
    assert grown(found, [newer], Room(5, 999), words) == found


def with_ours(passage: Passage, **changes: object) -> dict[str, object]:
    return {**passage.payload, RESERVED: {**passage.ours, **changes}}


def test_chunks_that_do_not_know_their_gap_stay_apart() -> None:
    chunks = [as_passage(chunk) for chunk in chunked([BODY.index("Sentence 9")], 0)]
    ours = {key: value for key, value in chunks[1].ours.items() if key != "gap"}
    old = dataclasses.replace(chunks[1], payload={RESERVED: ours})
    assert len(joined(chunks)) == 1
    assert joined([chunks[0], old]) == [chunks[0], old]


def test_the_headings_of_a_joined_passage_are_those_that_its_chunks_share() -> None:
    chunks = chunked([290, 310], 0)
    (whole,) = joined(map(as_passage, chunks))
    assert {chunk.section for chunk in chunks} == {("Top", "Part 0"), ("Top", "Part 1")}
    assert whole.section == ("Top",)


def test_a_score_in_context() -> None:
    chunks = chunked([100, 200, 300], 0)
    found = [as_passage(chunks[0], 0.5), as_passage(chunks[1], 1.0), as_passage(chunks[3], 0.2)]
    assert [p.score for p in in_context(found, 0.1)] == pytest.approx([0.6, 1.05, 0.2])
    assert in_context(found, 0.0) == found


@given(st.lists(st.integers(0, 8), min_size=1, max_size=6, unique=True))
def test_the_filter_passes_exactly_the_neighbours_that_are_missing(ordinals: list[int]) -> None:
    chunks = chunked(list(range(60, 540, 60)), 0)
    ordinals = [ordinal for ordinal in ordinals if ordinal < len(chunks)] or [0]
    hits = [as_passage(chunks[ordinal]) for ordinal in ordinals]
    where = missing_neighbours(hits, hits)
    points = [{"id": chunk.id, **chunk.payload()} for chunk in (*chunks, *chunked([99], 0, number=2))]
    passing = {place_of(passage_from(p)) for p in points if where and passes(where, p)}
    document, version, _ = place_of(hits[0])
    steps = range(-REACH, REACH + 1)
    beside = {o + step for o in ordinals for step in steps} - set(ordinals)
    assert passing == {(document, version, o) for o in beside if 0 <= o < len(chunks)}
    assert where is None or isinstance(where, Filter)
