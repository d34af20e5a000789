"""What becomes of the conditions that a chat model proposes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from configs.errors import InputError
from configs.settings import Settings
from retrieve.filters import Condition, IsEmpty, MatchValue, Range
from retrieve.self_query.catalog import catalog_of
from retrieve.self_query.model_reader import read_with_model
from retrieve.self_query.reader import QuestionReader
from retrieve.store.edge import EdgeStore
from retrieve.visibility import visible_to
from tests.retrieve.samples import fill, make_document

TODAY = date(2024, 5, 1)
QUESTION = "What did Maria Chen write since March 2024 in at least 3 pages?"
CATALOG = catalog_of(
    [
        {
            "author": "Maria Chen",
            "pages": 3,
            "score": 1.5,
            "draft": True,
            "published": "2024-03-01T00:00:00Z",
        },
        {"author": "Ann Osei", "pages": 9, "score": 2.5, "draft": False, "published": "2023-05-01T00:00:00Z"},
    ],
    {"author": "keyword", "pages": "integer", "score": "float", "draft": "bool", "published": "datetime"},
    {},
)


class Saying:
    """A chat model that always says the same."""

    def __init__(self, answer: str) -> None:
        self._answer = answer

    def complete(
        self, messages: Sequence[tuple[str, str]], *, schema: Mapping[str, Any], max_tokens: int, salt: str
    ) -> str:
        return self._answer


def proposed(**proposal: str) -> list[Condition]:
    answer = json.dumps([{"words": "Maria Chen", **proposal}])
    return [finding.condition for finding in read_with_model(Saying(answer), QUESTION, CATALOG, TODAY, "")]


@pytest.mark.parametrize(
    ("proposal", "condition"),
    [
        ({"field": "author", "operation": "is", "value": "Maria Chen"}, MatchValue("author", "Maria Chen")),
        ({"field": "author", "operation": "is", "value": "chen"}, MatchValue("author", "Maria Chen")),
        ({"field": "author", "operation": "missing", "value": ""}, IsEmpty("author")),
        ({"field": "pages", "operation": "at least", "value": "3"}, Range("pages", gte=3)),
        ({"field": "pages", "operation": "is", "value": "3"}, MatchValue("pages", 3)),
        ({"field": "score", "operation": "more than", "value": "1.5"}, Range("score", gt=1.5)),
        ({"field": "draft", "operation": "is", "value": "true"}, MatchValue("draft", True)),
        (
            {"field": "published", "operation": "at least", "value": "2024-03-01"},
            Range("published", gte=datetime(2024, 3, 1, tzinfo=UTC)),
        ),
        (
            {"field": "published", "operation": "at most", "value": "2024-03-01"},
            Range("published", lt=datetime(2024, 3, 2, tzinfo=UTC)),
        ),
    ],
)
def test_what_holds_is_kept(proposal: dict[str, str], condition: Condition) -> None:
    assert proposed(**proposal) == [condition]


@pytest.mark.parametrize(
    "proposal",
    [
        {"field": "author", "operation": "is", "value": "Nobody"},
        {"field": "author", "operation": "at least", "value": "Maria Chen"},
        {"field": "editor", "operation": "is", "value": "Maria Chen"},
        {"field": "_dl.tenant", "operation": "is", "value": "north"},
        {"field": "pages", "operation": "is", "value": "many"},
        {"field": "draft", "operation": "at least", "value": "true"},
        {"field": "published", "operation": "is", "value": "last March"},
        {"field": "author", "operation": "is", "value": "Maria Chen", "words": "Dr. Chen"},
        {"field": "author", "operation": "is", "value": "Maria Chen", "words": ""},
        {"field": "author", "operation": "drop table", "value": "Maria Chen"},
    ],
)
def test_what_does_not_hold_is_left_out(proposal: dict[str, str]) -> None:
    assert proposed(**proposal) == []


def test_one_bad_condition_harms_no_other() -> None:
    good = {"words": "Maria Chen", "field": "author", "operation": "is not", "value": "Maria Chen"}
    answer = json.dumps([{**good, "value": "Nobody"}, good, 7])
    (finding,) = read_with_model(Saying(answer), QUESTION, CATALOG, TODAY, "")
    assert finding.negated
    assert QUESTION[slice(*finding.spans[0])] == "Maria Chen"


@pytest.mark.parametrize("answer", ["", "[", "{}", "null", '"text"', "[[1]]", "not JSON"])
def test_any_answer_can_be_read(answer: str) -> None:
    assert read_with_model(Saying(answer), QUESTION, CATALOG, TODAY, "") == []


def test_an_answer_that_was_cut_off_gives_what_was_whole() -> None:
    good = {"words": "Maria Chen", "field": "author", "operation": "is", "value": "Maria Chen"}
    answer = json.dumps([good, good])[:-20]
    assert len(read_with_model(Saying(answer), QUESTION, CATALOG, TODAY, "")) == 1


def test_a_model_that_fails_finds_nothing() -> None:
    class Failing(Saying):
        def complete(
            self,
            messages: Sequence[tuple[str, str]],
            *,
            schema: Mapping[str, Any],
            max_tokens: int,
            salt: str,
        ) -> str:
            raise InputError("too long")

    assert read_with_model(Failing(""), QUESTION, CATALOG, TODAY, "") == []


def test_callers_who_see_different_things_share_no_cached_prompt(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    salts: list[str] = []

    class Noting(Saying):
        def complete(
            self,
            messages: Sequence[tuple[str, str]],
            *,
            schema: Mapping[str, Any],
            max_tokens: int,
            salt: str,
        ) -> str:
            salts.append(salt)
            return "[]"

    store = EdgeStore(tmp_path / "store")
    fill(store, [make_document(n, {"author": "Maria Chen"}, tenant=tenant) for n, tenant in enumerate("ab")])
    reader = QuestionReader(store, make_settings("retrieve.reader=model"), Noting("[]"))
    for tenant in "aab":
        reader.read(QUESTION, visible_to(tenant, None))
    assert salts[0] == salts[1] != salts[2]
