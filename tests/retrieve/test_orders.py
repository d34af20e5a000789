"""Which documents a question wants first."""

from __future__ import annotations

from datetime import date

import pytest

from retrieve.schema import FieldType
from retrieve.self_query.catalog import catalog_of
from retrieve.self_query.linker import Linker
from retrieve.self_query.plan import Sort
from tests.retrieve.suite.score import FOLDER, load

DOCUMENTS = [
    {"published": "2024-03-01", "updated": "2024-03-02", "price_eur": 5.0, "rating": 4, "citations": 9}
]
TYPES: dict[str, FieldType] = {
    "published": "datetime",
    "updated": "datetime",
    "price_eur": "float",
    "rating": "integer",
    "citations": "integer",
}
LINKER = Linker(catalog_of(DOCUMENTS, TYPES, {}))


@pytest.mark.parametrize(
    ("question", "sort"),
    [
        ("the latest on pumps", Sort("published", True)),
        ("most recently updated pages on pumps", Sort("updated", True)),
        ("oldest articles about pumps", Sort("published", False)),
        ("the 5 newest articles about pumps", Sort("published", True, 5)),
        ("cheapest pumps", Sort("price_eur", False)),
        ("most cited papers on pumps", Sort("citations", True)),
        ("top 5 pumps by rating", Sort("rating", True, 5)),
        ("pumps with at least 3 citations", None),
        ("at most 3 citations", None),
        ("how does a pump work", None),
        ("most of the pumps", None),
    ],
)
def test_orders(question: str, sort: Sort | None) -> None:
    assert LINKER.read(question, date(2024, 5, 1)).sort == sort


def test_an_order_is_shown_and_filters_nothing() -> None:
    plan = LINKER.read("the 5 newest articles about pumps", date(2024, 5, 1))
    assert plan.filter is None
    assert plan.to_json()["sort"] == {"field": "published", "order": "desc", "limit": 5}


def test_the_suites_questions_without_an_order_have_none() -> None:
    wrong = []
    for path in sorted(FOLDER.glob("*/*.json")):
        collection = load(path)
        linker = Linker(collection.catalog)
        wrong += [
            c.question
            for c in collection.cases
            if not c.sorted and linker.read(c.question, collection.today).sort
        ]
    assert wrong == []
