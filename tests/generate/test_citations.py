"""Markers and citations: what is shown, what is dropped, and where an answer ends."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generate.citations import Annotator
from generate.prompt import PassageTokens
from generate.provenance import Evidence, Tracer
from retrieve.schema import Copy, Passage

LOCK = "Only one process writes to a store at a time. A second ingest waits for ten seconds."
READ = "Readers never wait for a writer and see the last commit.\n\n- Stop the writer with Ctrl-C.\n"


def passage(text: str, number: int, start: int = 0) -> Passage:
    ours = {"document": f"d{number}.md", "start": start, "end": start + len(text), "section": ["Top"]}
    return Passage(id=f"p{number}", text=text, score=1.0, payload={"_dl": ours})


PASSAGES = [passage(LOCK, 1, start=100), passage(READ, 2)]
WORD = re.compile(r"\s*\w+|\s*[^\w\s]|\s+$")


class Words:
    """A tokenizer of words and marks, enough to tell tokens from text."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}

    def split(self, text: str) -> list[tuple[int, str, tuple[int, int]]]:
        return [
            (self.ids.setdefault(found[0], len(self.ids)), found[0], found.span())
            for found in WORD.finditer(text)
        ]


def annotate(answer: str, *, min_support: float = 0.0, passages: list[Passage] = PASSAGES) -> Annotated:
    words = Words()
    tokens = [words.split(passage.text) for passage in passages]
    parts = [PassageTokens([i for i, *_ in part], [span for *_, span in part]) for part in tokens]
    tracer = Tracer(Evidence([passage.text for passage in passages], parts), 4)
    annotator = Annotator(passages, tracer, min_support)
    pieces = [annotator.push(token, piece) for token, piece, _ in words.split(answer)]
    return Annotated(annotator, [*pieces, annotator.finish()])


class Annotated:
    def __init__(self, annotator: Annotator, pieces: list[str]) -> None:
        self.pieces = pieces
        self.text = "".join(pieces)
        self.citations = annotator.citations
        self.stopped = annotator.stopped

    def quotes(self) -> list[tuple[int, str]]:
        return [(citation.marker, citation.quote) for citation in self.citations]


def test_a_quoted_sentence_gets_its_marker() -> None:
    answer = annotate("Only one process writes to a store at a time.")
    assert answer.text == "Only one process writes to a store at a time. [1]"
    (citation,) = answer.citations
    assert (citation.document, citation.section, citation.passage_id) == ("d1.md", ("Top",), "p1")
    assert (citation.start, citation.end) == (100, 145)
    assert citation.to_json()["quote"] == citation.quote == LOCK[:45]
    assert "page" not in citation.to_json()


def test_a_quote_that_other_documents_hold_to_the_letter_names_their_places() -> None:
    copies = (
        Copy("a.md", 40, LOCK),
        Copy("b.md", 7, f"Also: {LOCK}"),
        Copy("b.md", 900, LOCK),
        Copy("c.md", 0, LOCK.replace("process", "program")),
    )
    answer = annotate(LOCK, passages=[replace(passage(LOCK, 1), copies=copies)])
    first, second = (citation.to_json()["also_in"] for citation in answer.citations)
    assert first == (
        {"document": "a.md", "start": 40, "end": 85},
        {"document": "b.md", "start": 13, "end": 58},
    )
    assert [place["document"] for place in second] == ["a.md", "b.md", "c.md"]


def test_a_quote_of_a_file_with_pages_names_the_one_it_begins_on() -> None:
    paged = passage(LOCK, 1, start=100)
    paged.payload["_dl"] |= {"page": 4, "regions": [{"page": 4, "start": 100}, {"page": 5, "start": 146}]}
    answer = annotate(LOCK, passages=[paged])
    assert [(c.start, c.page) for c in answer.citations] == [(100, 4), (146, 5)]
    assert answer.citations[1].to_json()["page"] == 5


def test_a_marker_of_the_models_own_stays_only_where_it_is_true() -> None:
    answer = annotate(
        "Nobody ever writes here at all [1]. Readers never wait for a writer [1], they say [7]."
    )
    assert answer.text == "Nobody ever writes here at all. Readers never wait for a writer, they say. [2]"


def test_brackets_that_are_no_markers_stay() -> None:
    text = "Take items[0] and [see below] and [x1]."
    assert annotate(text).text == text


def test_each_sentence_has_its_own_citations() -> None:
    answer = annotate("A second ingest waits for ten seconds. Readers never wait for a writer.")
    assert answer.text == ("A second ingest waits for ten seconds. [1] Readers never wait for a writer. [2]")
    assert answer.quotes() == [
        (1, "A second ingest waits for ten seconds."),
        (2, "Readers never wait for a writer"),
    ]


def test_a_quote_over_a_line_break_is_one_quote() -> None:
    wrapped = [passage("The ledger and the chunks\nmove together in one commit.", 1)]
    answer = annotate("The ledger and the chunks\nmove together in one commit.", passages=wrapped)
    assert answer.quotes() == [(1, wrapped[0].text)]
    assert answer.text.endswith("commit. [1]")


def test_list_items_are_cited_each() -> None:
    answer = annotate("- Stop the writer with Ctrl-C.\n- Only one process writes to a store.")
    assert answer.text == "- Stop the writer with Ctrl-C. [2]\n- Only one process writes to a store. [1]"


def test_text_is_shown_as_it_comes_and_never_taken_back() -> None:
    answer = annotate("Readers never wait for anybody, I think. Really.")
    assert len([piece for piece in answer.pieces if piece]) > 5
    assert answer.text.startswith("Readers never wait for")


def test_support_is_demanded_of_every_sentence() -> None:
    answer = annotate(
        "Readers never wait for a writer and see the last commit. So they are fast. A second ingest waits.",
        min_support=0.9,
    )
    assert answer.text == "Readers never wait for a writer and see the last commit. [2]"
    assert answer.stopped


def test_true_pieces_put_together_are_no_support() -> None:
    spliced = "Readers never wait for a writer, a second ingest waits for ten seconds."
    assert annotate(spliced, min_support=0.9).text == ""
    assert annotate(spliced).text.endswith("[1] [2]")


def test_a_sentence_is_shown_once_it_has_its_support() -> None:
    answer = annotate(f"{LOCK} And so on.", min_support=0.9)
    assert [piece for piece in answer.pieces if piece] == [
        "Only one process writes to a store at a time. [1]",
        " A second ingest waits for ten seconds. [1]",
    ]


@pytest.mark.parametrize("min_support", [0.0, 0.9])
def test_an_answer_that_repeats_itself_ends(min_support: float) -> None:
    answer = annotate(f"{LOCK} {LOCK} {LOCK}", min_support=min_support)
    assert answer.stopped
    assert answer.text.count("[1]") == 2
    assert len(answer.citations) == 2


def test_short_sentences_may_come_twice() -> None:
    assert annotate("Yes. It is so. Yes. It is so.").text == "Yes. It is so. Yes. It is so."


def test_an_ended_sentence_is_complete_before_anything_follows() -> None:
    words = Words()
    part = words.split(LOCK)
    tokens = [PassageTokens([i for i, *_ in part], [span for *_, span in part])]
    annotator = Annotator(PASSAGES[:1], Tracer(Evidence([LOCK], tokens), 4), 0.9)
    shown = "".join(annotator.push(token, piece) for token, piece, _ in words.split(LOCK[:45]))
    assert shown == ""
    assert annotator.end_sentence() == f"{LOCK[:45]} [1]"


pieces = st.one_of(
    st.sampled_from([LOCK, READ, LOCK[:30], READ[8:40], " [1]", "[2, 9]", "\n\n", ". ", "\n- "]),
    st.text(alphabet="ab .,[]0123\n", max_size=12),
)


@given(st.lists(pieces, max_size=8), st.sampled_from([0.0, 0.5, 0.9]))
def test_every_citation_is_true_and_every_marker_has_one(parts: list[str], min_support: float) -> None:
    answer = annotate("".join(parts), min_support=min_support)
    texts: dict[str, Any] = {passage.id: passage for passage in PASSAGES}
    for citation in answer.citations:
        source = texts[citation.passage_id]
        assert source.text[citation.start - source.start : citation.end - source.start] == citation.quote
        assert source is PASSAGES[citation.marker - 1]
        assert citation.quote in "".join(parts)
    cited = {citation.marker for citation in answer.citations}
    assert cited <= {int(number) for number in re.findall(r"\[(\d+)\]", answer.text)} | (
        cited if answer.stopped else set()
    )
