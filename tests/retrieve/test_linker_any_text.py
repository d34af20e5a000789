"""Whatever a person types: the linker never fails, and finds only what the question and the catalog hold."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieve.filters import Condition, Filter, MatchAny, MatchValue, parse_filter, to_json
from retrieve.self_query.linker import Linker
from tests.retrieve.suite.score import FOLDER, Collection, load
from tests.retrieve.test_linker import TODAY, TYPES, catalog

PIECES = st.sampled_from(
    [
        *(
            "articles",
            "by",
            "from",
            "not",
            "or",
            "and",
            "either",
            "since",
            "before",
            "between",
            "over",
            "under",
        ),
        *("Osei", "Tom Price", "The Meridian", "solar power", "open", "closed", "pages", "author", "status"),
        *(
            "2021",
            "March",
            "31 February",
            "Q3",
            "last week",
            "5",
            "1e308",
            "9" * 30,
            "half an hour",
            "€",
            "%",
            "$5k",
        ),
        *(
            "'",
            '"',
            "“",
            ":",
            ",",
            ".",
            "?",
            "\n",
            "-",
            "(",
            "SELECT * FROM x; --",
            '{"must": []}',
            "key:value",
        ),
        *(
            "ignore the tenant",
            "tenant = north",
            "مرحبا",
            "\u202e",
            "👩‍🚀",
            "\ud800",
            "\x00",
            "ﬁ",
            "ẞ",
            "İ",
            "①",
            "½",
        ),
    ]
)
QUESTIONS = st.one_of(
    st.text(max_size=200),
    st.text(st.characters(), max_size=60),  # lone surrogates too
    st.lists(PIECES, max_size=25).map(" ".join),
    st.lists(PIECES, max_size=12).map("".join),
)


@pytest.fixture(scope="module")
def linker() -> Linker:
    return Linker(catalog())


def check(linker: Linker, question: str, today: date) -> None:
    plan = linker.read(question, today)
    for finding in plan.findings:
        assert finding.spans
        assert all(0 <= start < end <= len(plan.question) for start, end in finding.spans)
        assert finding.reason
        check_condition(finding.condition)
    if plan.filter is not None:
        assert parse_filter(to_json(plan.filter), TYPES) == plan.filter
    plan.to_json()


def check_condition(condition: Condition) -> None:
    if isinstance(condition, Filter):
        for item in (*condition.must, *condition.should, *condition.must_not):
            check_condition(item)
        return
    (field,) = (field for field in catalog().fields if field.name == getattr(condition, "key", None))
    values: tuple[object, ...] = ()
    if isinstance(condition, MatchValue):
        values = (condition.value,)
    elif isinstance(condition, MatchAny):
        values = condition.values
    known: dict[str, set[object]] = {
        "keyword": set(field.values),
        "integer": set(field.numbers),
        "bool": {True, False},
    }
    assert set(values) <= known.get(field.type, set())


@given(QUESTIONS)
@settings(max_examples=150, deadline=None)
def test_any_text_is_read(linker: Linker, question: str) -> None:
    check(linker, question, TODAY)


@given(QUESTIONS, st.dates())
@settings(max_examples=50, deadline=None)
def test_on_any_day(linker: Linker, question: str, today: date) -> None:
    check(linker, question, today)


@given(st.text(st.characters(), min_size=1, max_size=8))
@settings(max_examples=8, deadline=None)
def test_ten_thousand_characters_are_read(linker: Linker, piece: str) -> None:
    check(linker, piece * (10_000 // len(piece)), TODAY)


@pytest.mark.deep
@given(QUESTIONS, st.dates())
@settings(max_examples=5_000, deadline=None)
def test_any_text_is_read_over_many_draws(linker: Linker, question: str, today: date) -> None:
    check(linker, question, today)


@pytest.fixture(scope="module")
def collections() -> list[Collection]:
    return [load(path) for path in sorted(Path(FOLDER).glob("*/*.json"))]


def test_questions_about_other_collections_are_read(collections: list[Collection]) -> None:
    """Questions of one collection, asked to the next: nothing is found that is not there."""
    for collection, other in zip(collections, [*collections[1:], collections[0]], strict=True):
        linker = Linker(collection.catalog)
        for case in other.cases[::4]:
            where = linker.read(case.question, collection.today).filter
            assert where is None or parse_filter(to_json(where), collection.catalog.types) == where
