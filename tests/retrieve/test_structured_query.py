"""LangChain's expressions as filters: what they mean, and which are refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.structured_query import Comparator, Comparison, FilterDirective, Operation, Operator

from configs.errors import InputError
from retrieve.filters import Filter, IsEmpty, MatchAny, MatchValue, Range, to_json
from retrieve.structured_query import filter_of
from tests.retrieve.naive import passes
from tests.retrieve.samples import make_chunk, make_document
from tests.retrieve.test_filters import FIELDS, MOMENTS, PRICES, WORDS, YEARS, random_metadata

DAYS = sorted({moment.date() for moment in MOMENTS} | {date(2024, 1, 2), date(2023, 12, 31)})
RNG = random.Random(3)
POINTS = [
    {"id": chunk.id, **chunk.payload()}
    for chunk in (make_chunk(make_document(n, random_metadata(RNG), tenant="north")) for n in range(60))
]


def compare(comparator: str, attribute: str, value: Any) -> Comparison:
    return Comparison(comparator=Comparator(comparator), attribute=attribute, value=value)


def combine(operator: str, *arguments: FilterDirective) -> Operation:
    return Operation(operator=Operator(operator), arguments=list(arguments))


def spelled(day: date) -> st.SearchStrategy[Any]:
    """The ways in which a day can be written."""
    return st.sampled_from([day, day.isoformat(), {"type": "date", "date": day.isoformat()}])


def moments() -> st.SearchStrategy[Any]:
    moment = st.sampled_from(MOMENTS)
    text = moment.map(datetime.isoformat)
    return st.one_of(
        st.sampled_from(DAYS).flatmap(spelled),
        moment,
        text,
        text.map(lambda t: {"type": "datetime", "datetime": t}),
    )


def comparisons() -> st.SearchStrategy[FilterDirective]:
    def over(names: list[str], value: st.SearchStrategy[Any], ordered: bool) -> st.SearchStrategy[Any]:
        name = st.sampled_from(names)
        single = ["eq", "ne", "contain", *(["gt", "gte", "lt", "lte"] if ordered else [])]
        return st.one_of(
            st.builds(compare, st.sampled_from(single), name, value),
            st.builds(compare, st.sampled_from(["in", "nin"]), name, st.lists(value, max_size=3)),
        )

    return st.one_of(
        over(["author", "tags", 'odd."name'], st.sampled_from(WORDS), ordered=False),
        over(["_dl.document", "_dl.tenant"], st.sampled_from(["north", "page-3.md"]), ordered=False),
        over(["year"], st.sampled_from(YEARS), ordered=True),
        over(["price"], st.sampled_from([*PRICES, 2]), ordered=True),
        over(["draft"], st.booleans(), ordered=False),
        over(["seen", "_dl.modified"], moments(), ordered=True),
    )


def expressions() -> st.SearchStrategy[FilterDirective]:
    def operations(inner: st.SearchStrategy[FilterDirective]) -> st.SearchStrategy[FilterDirective]:
        several = st.lists(inner, min_size=1, max_size=3)
        return st.one_of(
            several.map(lambda arguments: combine("and", *arguments)),
            several.map(lambda arguments: combine("or", *arguments)),
            inner.map(lambda argument: combine("not", argument)),
        )

    return st.recursive(comparisons(), operations, max_leaves=6)


def holds(expression: FilterDirective, point: dict[str, Any]) -> bool:
    """What an expression says about a point, without any filter."""
    if isinstance(expression, Operation):
        truths = [holds(argument, point) for argument in expression.arguments]
        return {Operator.AND: all(truths), Operator.OR: any(truths), Operator.NOT: not truths[0]}[
            expression.operator
        ]
    assert isinstance(expression, Comparison)
    name, wanted = expression.attribute, expression.value
    found = point["_dl"].get(name[4:]) if name.startswith("_dl.") else point.get(name)
    items = found if isinstance(found, list) else [] if found is None else [found]
    if FIELDS.get(name, "datetime" if name == "_dl.modified" else None) == "datetime":
        items = [datetime.fromisoformat(item) for item in items]
    tests: dict[str, Callable[[Any], bool]] = {
        "eq": lambda item: compared(item, wanted) == 0,
        "gt": lambda item: compared(item, wanted) > 0,
        "gte": lambda item: compared(item, wanted) >= 0,
        "lt": lambda item: compared(item, wanted) < 0,
        "lte": lambda item: compared(item, wanted) <= 0,
        "in": lambda item: any(compared(item, one) == 0 for one in wanted),
    }
    name = expression.comparator.value
    truth = any(map(tests[{"ne": "eq", "nin": "in", "contain": "eq"}.get(name, name)], items))
    return truth != (name in ("ne", "nin"))


def compared(item: Any, wanted: Any) -> int:
    """-1, 0, 1: below, equal, above; a moment is compared with a day by its own day."""
    if isinstance(item, datetime):
        if isinstance(wanted, dict):
            wanted = wanted[wanted["type"]]
        if isinstance(wanted, str):
            wanted = datetime.fromisoformat(wanted) if "T" in wanted else date.fromisoformat(wanted)
        if not isinstance(wanted, datetime):
            item = item.astimezone(UTC).date()
    return int(item > wanted) - int(item < wanted)


@given(expressions())
def test_a_filter_says_what_the_expression_says(expression: FilterDirective) -> None:
    translated = filter_of(expression, FIELDS)
    for point in POINTS:
        assert passes(translated, point) == holds(expression, point), (translated, point)


def test_the_filters_are_as_one_would_write_them() -> None:
    expression = combine(
        "and",
        compare("in", "tags", ["b", "a"]),
        combine("not", compare("eq", "author", "Ann")),
        compare("gte", "year", 2023),
    )
    assert filter_of(expression, FIELDS) == Filter(
        must=(
            MatchAny("tags", ("a", "b")),
            Filter(must_not=(MatchValue("author", "Ann"),)),
            Range("year", gte=2023),
        )
    )
    assert to_json(filter_of(compare("eq", "author", "Ann"), FIELDS)) == {
        "must": [{"key": "author", "match": {"value": "Ann"}}]
    }


@pytest.mark.parametrize(
    ("comparator", "bounds"),
    [
        ("eq", {"gte": 0, "lt": 1}),
        ("gt", {"gte": 1}),
        ("gte", {"gte": 0}),
        ("lt", {"lt": 0}),
        ("lte", {"lt": 1}),
    ],
)
def test_a_date_is_its_whole_day(comparator: str, bounds: dict[str, int]) -> None:
    start = datetime(2024, 2, 29, tzinfo=UTC)
    expression = compare(comparator, "seen", {"type": "date", "date": "2024-02-29"})
    days = {name: start + timedelta(days=days) for name, days in bounds.items()}
    assert filter_of(expression, FIELDS) == Filter(must=(Range("seen", **days),))


def test_a_chunk_without_the_field_passes_what_denies_a_value() -> None:
    point = {"id": "x", "_dl": {}}
    for comparator, value in (("ne", "Ann"), ("nin", ["Ann"])):
        assert passes(filter_of(compare(comparator, "author", value), FIELDS), point)
    assert passes(Filter(must=(IsEmpty("author"),)), point)


NESTED = compare("eq", "author", "Ann")
for _ in range(40):
    NESTED = combine("not", NESTED)  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (compare("eq", "autor", "Ann"), "no field is called 'autor'; did you mean 'author'"),
        (compare("eq", '"author"', "Ann"), "no field is called"),
        (compare("eq", "year", "2024"), "'year' is a integer field, '2024' does not fit it"),
        (compare("in", "year", [2024, None]), "None does not fit it"),
        (compare("gt", "author", "Ann"), "has no ranges"),
        (compare("lt", "price", float("nan")), "out of range"),
        (compare("eq", "seen", {"type": "date", "date": "last March"}), "write 2024-03-01"),
        (compare("eq", "seen", {"type": "date"}), "write 2024-03-01"),
        (compare("eq", "seen", date.max), "out of range"),
        (compare("eq", "author", {"type": "date", "date": 5}), "5 does not fit it"),
        (compare("in", "author", "Ann"), "in compares with a list"),
        (compare("eq", "tags", ["a", "b"]), "eq compares with one value"),
        (compare("contain", "tags", ["a", "b"]), "contain compares with one value"),
        (compare("like", "author", "An%"), "a part of a value cannot be looked up; use eq, in or contain"),
        (combine("and"), r"and\(...\) takes at least one argument, got 0"),
        (combine("not", compare("eq", "year", 1), compare("eq", "year", 2)), "takes exactly one argument"),
        (combine("or", FilterDirective()), "expected a Comparison or an Operation"),
        (NESTED, "nested more than 16 levels"),
    ],
)
def test_what_is_refused(expression: FilterDirective, message: str) -> None:
    with pytest.raises(InputError, match=message):
        filter_of(expression, FIELDS)
