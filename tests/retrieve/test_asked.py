"""The collections of `benchmarks asked`, and how its answers are judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.asked.__main__ import COLLECTIONS, Asked, count, outcome, read
from configs.errors import InputError
from retrieve.filters import MatchValue
from retrieve.retriever import Retrieval
from retrieve.schema import RESERVED, Passage
from retrieve.self_query.plan import Finding, QueryPlan, Relaxed

NAMES = ["cookbooks", "hospital", "trails"]
AUTHOR = Finding(MatchValue("author", "Osei"), ((0, 4),), 1.0, "author is Osei")
GIVEN_UP = Relaxed(AUTHOR, "dropped", "nothing fulfils it")


def found(*documents: str, relaxed: tuple[Relaxed, ...] = ()) -> Retrieval:
    passages = tuple(Passage("1", "text", 1.0, {RESERVED: {"document": name}}) for name in documents)
    return Retrieval("?", QueryPlan("?", "?", relaxed=relaxed), passages)


@pytest.mark.parametrize("name", NAMES)
def test_each_kind_has_twenty_questions_and_documents_where_there_are_answers(name: str) -> None:
    asked = read(COLLECTIONS / name)
    by_kind = {kind: [one for one in asked if one.kind == kind] for kind in {one.kind for one in asked}}
    assert {kind: len(ones) for kind, ones in by_kind.items()} == dict.fromkeys(
        ["short", "full", "plain", "wrong_value", "near_miss", "foreign"], 20
    )
    for kind, ones in by_kind.items():
        assert all(bool(one.documents) is (kind in ("short", "full", "plain")) for one in ones)


def test_a_document_that_is_not_there_is_named(tmp_path: Path) -> None:
    line = '{"question": "Who?", "kind": "short", "documents": ["gone.md"]}\n'
    (tmp_path / "questions.jsonl").write_text(line)
    with pytest.raises(InputError, match=r"gone\.md"):
        read(tmp_path)


def test_outcomes() -> None:
    answerable, not_answerable = Asked("?", "full", frozenset({"a.md"})), Asked("?", "near_miss", frozenset())
    assert outcome(answerable, found("a.md", "b.md")) == "right"
    assert outcome(answerable, found("b.md", "a.md")) == "other"
    assert outcome(answerable, found()) == "nothing"
    assert outcome(not_answerable, found("a.md")) == "other"
    assert outcome(not_answerable, found("a.md", relaxed=(GIVEN_UP,))) == "told"
    counts = count([(answerable, found("a.md")), (answerable, found()), (not_answerable, found())])
    assert counts["full"] == {"right": 1, "other": 0, "told": 0, "nothing": 1}
    assert counts["near miss"]["nothing"] == 1
