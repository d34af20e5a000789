"""Conditions that the linker reads out of questions, over one small collection."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from configs.sections import FieldHint
from retrieve.filters import Range, parse_filter, to_json
from retrieve.schema import FieldType
from retrieve.self_query.catalog import Catalog, catalog_of
from retrieve.self_query.linker import LONGEST, Linker
from retrieve.self_query.mentions import ValueIndex
from retrieve.self_query.text import words

TODAY = date(2026, 5, 14)
TYPES: dict[str, FieldType] = {
    "author": "keyword",
    "source": "keyword",
    "topics": "keyword",
    "section": "keyword",
    "status": "keyword",
    "pages": "integer",
    "read_minutes": "integer",
    "price_eur": "float",
    "paywalled": "bool",
    "published": "datetime",
    "updated": "datetime",
    "salary_band": "keyword",
}
DOCUMENTS: list[dict[str, Any]] = [
    {
        "author": author,
        "source": source,
        "topics": topics,
        "section": section,
        "status": status,
        "pages": 2 + 3 * i,
        "read_minutes": 5 * i,
        "price_eur": 0.5 * i,
        "paywalled": bool(i % 2),
        "published": f"202{i}-03-0{i + 1}",
        "updated": f"202{i}-07-0{i + 1}",
        "salary_band": f"band {i}",
    }
    for i, (author, source, topics, section, status) in enumerate(
        [
            ("Daniel Osei", "The Meridian", ["Solar Power", "Housing"], "Opinion", "open"),
            ("Grace Osei", "TechWire", ["Housing"], "Science", "draft"),
            ("Anna Kovács", "New Harbour Review", ["Fishing", "Pumps"], "Science", "closed"),
            ("Tom Price", "The Meridian", ["Pumps"], "Culture", "open"),
            ("Zoë Lindqvist", "TechWire", ["Solar Power"], "Opinion", "closed"),
        ]
    )
]
HINTS = {
    "author": FieldHint(aliases=["byline"], values={"the editor": "Tom Price"}),
    "salary_band": FieldHint(private=True),
}


def catalog() -> Catalog:
    return catalog_of(DOCUMENTS, TYPES, HINTS)


@pytest.fixture(scope="module")
def linker() -> Linker:
    return Linker(catalog())


def said(linker: Linker, question: str) -> dict[str, Any] | None:
    where = linker.read(question, TODAY).filter
    return to_json(where) if where else None


def value(key: str, value: Any) -> dict[str, Any]:
    return {"key": key, "match": {"value": value}}


def any_of(key: str, *values: Any) -> dict[str, Any]:
    return {"key": key, "match": {"any": list(values)}}


def between(key: str, **bounds: Any) -> dict[str, Any]:
    return {"key": key, "range": bounds}


OSEI = any_of("author", "Daniel Osei", "Grace Osei")
VALUES = [
    ("articles by Anna Kovács on harbours", value("author", "Anna Kovács")),
    ("articles by anna kovacs", value("author", "Anna Kovács")),
    ("articles by Kovács", value("author", "Anna Kovács")),
    ("articles by Lindqvst", value("author", "Zoë Lindqvist")),
    ("articles by Osei", OSEI),
    ("What did Tom Price write about boats?", value("author", "Tom Price")),
    ("Tom Price's articles on boats", value("author", "Tom Price")),
    ("byline: Tom Price", value("author", "Tom Price")),
    ("articles by the editor", value("author", "Tom Price")),
    ("What did The Meridian report on boats?", value("source", "The Meridian")),
    ("NHR articles on boats", value("source", "New Harbour Review")),
    ("articles tagged solar power", value("topics", "Solar Power")),
    ("articles in the science section", value("section", "Science")),
    ("status open", value("status", "open")),
    ("open and closed articles", any_of("status", "closed", "open")),
    ("articles by Tom Price or Anna Kovács", any_of("author", "Anna Kovács", "Tom Price")),
    ("articles tagged housing or fishing", any_of("topics", "Fishing", "Housing")),
    ("Has Kovács got anything on boats?", value("author", "Anna Kovács")),
    ("kovács + lindqvist on boats", any_of("author", "Anna Kovács", "Zoë Lindqvist")),
    ("hey, can you find the piece that Tom Price wrote on boats?", value("author", "Tom Price")),
    ("Artikel mit Schlagwort Fishing", value("topics", "Fishing")),
    ("NHRs: boats", value("source", "New Harbour Review")),
    ("tech wire articles on boats", value("source", "TechWire")),
    ("newharbour review articles", value("source", "New Harbour Review")),
    ("Qu'est-ce que Kovács a écrit sur les bateaux ?", value("author", "Anna Kovács")),
    ("What has Kovács found out about boats?", value("author", "Anna Kovács")),
    ("the articles Tom Price edited on boats", value("author", "Tom Price")),
    ("boat offers by Tom Price", value("author", "Tom Price")),
    ("report on boats, Tom Price", value("author", "Tom Price")),
    ("boat report Tom Price", value("author", "Tom Price")),
    ("articles by A. Kovács", value("author", "Anna Kovács")),
    ("How many boats sank, according to Tom Price's report?", value("author", "Tom Price")),
    ("How high is the mast in Tom Price's report?", value("author", "Tom Price")),
    ("boats TechWire", value("source", "TechWire")),
    ("How many boats sank, according to Tom Price's study?", value("author", "Tom Price")),
]
NOTHING = [
    "Where did Tom Price study medicine?",
    "How did Anna Kovács make a fortune?",
    "how do i open a jar",
    "open air theatres",
    "the plan for 2030",
    "what is planned for next month",
    "the airmen who came down here in 1945",
    "killed off by the April frost",
    "the 2008 crisis",
    "what happened before the merger in 2019",
    "band 3",
    "salary band 3",
    "boats made before 2022",
    'the song "Open the science of housing"',
    "articles by K. Kovács",
    "In which year did TechWire go bankrupt?",
    "Why is there no fishing in the harbour?",
    "complaints about TechWire",
    "a lawsuit against TechWire",
    "interview Tom Price",
    "How is solar power used instead of fishing boats' diesel?",
    "Summarize TechWire's layoffs",
    "How old is the roof in Tom Price's house?",
    "",
    "?",
    "the",
]


@pytest.mark.parametrize(("question", "condition"), VALUES)
def test_a_value_that_says_which_documents_is_a_condition(
    linker: Linker, question: str, condition: dict[str, Any]
) -> None:
    assert said(linker, question) == {"must": [condition]}


@pytest.mark.parametrize("question", NOTHING)
def test_the_subject_of_a_question_is_none(linker: Linker, question: str) -> None:
    plan = linker.read(question, TODAY)
    assert plan.filter is None
    assert plan.semantic_query == question.strip()


def test_two_values_of_a_list_field_are_both_wanted(linker: Linker) -> None:
    both = {"must": [value("topics", "Housing"), value("topics", "Solar Power")]}
    assert said(linker, "articles tagged both housing and solar power") == both
    assert said(linker, "articles tagged housing as well as solar power") == both


@pytest.mark.parametrize(
    ("question", "conditions"),
    [
        ("articles not by Tom Price", [value("author", "Tom Price")]),
        ("articles by anyone but Tom Price", [value("author", "Tom Price")]),
        ("articles by neither Tom Price nor Anna Kovács", [any_of("author", "Anna Kovács", "Tom Price")]),
        ("articles outside the science section", [value("section", "Science")]),
        ("articles from sources other than TechWire", [value("source", "TechWire")]),
        ("articles from any source bar TechWire", [value("source", "TechWire")]),
        ("articles from anywhere save TechWire", [value("source", "TechWire")]),
        ("articles from everywhere save for TechWire", [value("source", "TechWire")]),
        ("articles on tides, but spare me TechWire", [value("source", "TechWire")]),
        ("tides in estuaries; leave TechWire out of it", [value("source", "TechWire")]),
        ("Artikel nicht von Kovács", [value("author", "Anna Kovács")]),
        ("tides in estuaries, but not reprinted in TechWire", [value("source", "TechWire")]),
        (
            "articles not from 2022",
            [between("published", gte="2022-01-01T00:00:00Z", lt="2023-01-01T00:00:00Z")],
        ),
    ],
)
def test_negations_exclude(linker: Linker, question: str, conditions: list[dict[str, Any]]) -> None:
    assert said(linker, question) == {"must_not": conditions}


@pytest.mark.parametrize(
    ("question", "condition"),
    [
        ("articles since March 2023", between("published", gte="2023-03-01T00:00:00Z")),
        (
            "articles updated in octber 2022",
            between("updated", gte="2022-10-01T00:00:00Z", lt="2022-11-01T00:00:00Z"),
        ),
        (
            "articles published in 1945",
            between("published", gte="1945-01-01T00:00:00Z", lt="1946-01-01T00:00:00Z"),
        ),
        ("articles published before 2022", between("published", lt="2022-01-01T00:00:00Z")),
        (
            "articles updated in 2022",
            between("updated", gte="2022-01-01T00:00:00Z", lt="2023-01-01T00:00:00Z"),
        ),
        ("articles over 5 pages", between("pages", gt=5)),
        ("articles with at least 5 pages", between("pages", gte=5)),
        ("articles of 8 pages", value("pages", 8)),
        ("articles with 8 or 11 pages", any_of("pages", 8, 11)),
        ("articles that take under half an hour to read", between("read_minutes", lt=30)),
        ("articles under 2 euros", between("price_eur", lt=2.0)),
        ("articles that cost between 1 and 2 euros", between("price_eur", gte=1.0, lte=2.0)),
        ("paywalled articles", value("paywalled", True)),
        ("articles that are not paywalled", value("paywalled", False)),
        ("free articles", value("paywalled", False)),
        ("articles without an author", {"is_empty": {"key": "author"}}),
        ("articles that don't have an author yet", {"is_empty": {"key": "author"}}),
        ("articles not about any topic", {"is_empty": {"key": "topics"}}),
        ("articles still waiting to be updated", {"is_empty": {"key": "updated"}}),
        ("articles, paywalled: no", value("paywalled", False)),
        ("articles we still haven't updated", {"is_empty": {"key": "updated"}}),
        ("articles that never got an author", {"is_empty": {"key": "author"}}),
        ("articles where the author field was left blank", {"is_empty": {"key": "author"}}),
        ("articles that were never updated", {"is_empty": {"key": "updated"}}),
        ("articles of at least 5 and at most 8 pages", between("pages", gte=5, lte=8)),
        ("articles where the topics are missing", {"is_empty": {"key": "topics"}}),
        (
            "tides, published Tuesday",
            between("published", gte="2026-05-12T00:00:00Z", lt="2026-05-13T00:00:00Z"),
        ),
        ("articles with 8 pages or more", between("pages", gte=8)),
        ("Artikel bis Ende 2022", between("published", lt="2023-01-01T00:00:00Z")),
        (
            "articles publiés cette année",
            between("published", gte="2026-01-01T00:00:00Z", lt="2027-01-01T00:00:00Z"),
        ),
        (
            "articles parus entre mars et mai 2021",
            between("published", gte="2021-03-01T00:00:00Z", lt="2021-06-01T00:00:00Z"),
        ),
        ("articles with 90+ pages", between("pages", gte=90)),
    ],
)
def test_dates_numbers_and_flags(linker: Linker, question: str, condition: dict[str, Any]) -> None:
    assert said(linker, question) == {"must": [condition]}


def test_an_amount_in_another_currency_is_no_condition(linker: Linker) -> None:
    assert said(linker, "articles under 2 dollars") is None


def test_a_number_that_no_document_has_is_no_condition(linker: Linker) -> None:
    assert said(linker, "articles of 9 pages") is None


@pytest.mark.parametrize(
    "question",
    [
        "articles either by Tom Price or tagged fishing",
        "articles by Tom Price or tagged fishing",
        "tides: anything that Tom Price wrote or that is tagged fishing",
    ],
)
def test_either_or_over_two_fields(linker: Linker, question: str) -> None:
    either = {"should": [value("author", "Tom Price"), value("topics", "Fishing")]}
    assert said(linker, question) == {"must": [either]}


def test_an_or_of_the_matter_joins_no_conditions(linker: Linker) -> None:
    since = between("published", gte="2021-03-01T00:00:00Z")
    given = said(linker, "articles by Tom Price on cranes or sluices since March 2021")
    assert given == {"must": [value("author", "Tom Price"), since]}


def test_conditions_of_all_kinds_together(linker: Linker) -> None:
    question = "What did Osei publish about sailing in The Meridian since March 2021, except open articles?"
    plan = linker.read(question, TODAY)
    assert plan.filter is not None
    assert to_json(plan.filter) == {
        "must": [OSEI, value("source", "The Meridian"), between("published", gte="2021-03-01T00:00:00Z")],
        "must_not": [value("status", "open")],
    }
    assert [[question[a:b] for a, b in finding.spans] for finding in plan.findings] == [
        ["Osei"],
        ["Meridian"],
        ["since March 2021"],
        ["except open"],
    ]
    assert "sailing" in plan.semantic_query
    assert not {"Osei", "Meridian", "2021"} & set(plan.semantic_query.split())


def test_what_documents_are_about_stays_in_the_search(linker: Linker) -> None:
    assert (
        linker.read("articles by Tom Price tagged fishing", TODAY).semantic_query == "articles tagged fishing"
    )


@pytest.mark.parametrize(
    ("question", "listing"),
    [
        ("fishing articles by Anna Kovács", True),
        ("open articles on pumps", True),
        ("anything on housing in TechWire?", True),
        ("pump problems, 2023", True),
        ("solar power TechWire", True),
        ("articles on pumps", True),
        ("pumps", False),  # one topic is what a question is about
        ("pumps and housing", False),
        ("What is a pump?", False),
        ("What does TechWire say about fishing?", False),
        ("pump repairs by Anna Kovács", False),  # of which nobody has said anything yet
        ("articles not by Tom Price", False),
        ("Explain how pumps work in TechWire", False),
        ("Could TechWire repair the pump?", False),
        ("pump policy, TechWire", False),
        ("pump manual", False),
        ("pump contract", False),
        ("pump analysis", False),
        ("Berichte Pumps", True),
        ("pump contracts", True),
        ("TechWire pumps: who fixed them and when?", False),
    ],
)
def test_keywords_that_are_all_conditions_ask_for_a_list(
    linker: Linker, question: str, listing: bool
) -> None:
    assert linker.read(question, TODAY).listing is listing


def test_a_private_field_is_not_in_the_catalog() -> None:
    assert "salary_band" not in {field.name for field in catalog().fields}


def test_values_of_documents_that_are_not_given_are_unknown() -> None:
    few = Linker(catalog_of(DOCUMENTS[:2], TYPES, {}))
    assert few.read("articles by Tom Price", TODAY).filter is None


def test_mentions_say_how_they_match() -> None:
    index = ValueIndex(catalog(), {})

    def how(text: str) -> list[tuple[str, bool]]:
        return [(m.how, m.typo) for m in index.find(words(text)) if m.field.name in ("author", "source")]

    assert how("Anna Kovács") == [("exact", False)]
    assert how("kovacs") == [("part", False)]
    assert how("Kovasc") == [("part", True)]
    assert how("NHR") == [("initials", False)]
    assert how("the editor") == [("alias", False)]
    assert how("someone") == []


def test_frequent_words_of_the_language_are_no_misspelt_values() -> None:
    assert ValueIndex(catalog(), {}).find(words("Prize"))
    assert not ValueIndex(catalog(), {"prize": 5}).find(words("Prize"))


@pytest.mark.timeout(60)  # what is quadratic takes minutes
@pytest.mark.parametrize(
    "part",
    [
        "a or b and ",
        "open or closed or ",
        "since 2020 until May 2021 or ",
        "over 5 ",
        "5-",
        "“",
        "not by Osei, ",
        " ",
    ],
)
def test_a_long_question_is_read(linker: Linker, part: str) -> None:
    plan = linker.read("status open " + (part * 50_000)[:50_000], TODAY)
    assert plan.filter is not None


def test_only_the_beginning_of_a_pasted_text_is_read(linker: Linker) -> None:
    text = "articles by Tom Price " + "word " * LONGEST + "articles by Anna Kovács"
    plan = linker.read(text, TODAY)
    assert plan.question == text
    assert plan.filter is not None
    assert to_json(plan.filter) == {"must": [value("author", "Tom Price")]}
    assert plan.semantic_query.endswith("articles by Anna Kovács")


def test_filters_parse_against_the_fields(linker: Linker) -> None:
    for question, _ in VALUES:
        where = linker.read(question, TODAY).filter
        assert where is not None
        assert parse_filter(to_json(where), TYPES) == where


def test_a_declared_unit_is_the_fields_own() -> None:
    documents = [{"volume": 20.0, "area": 3.0}, {"volume": 3000.0, "area": 9.0}]
    types: dict[str, FieldType] = {"volume": "float", "area": "float"}
    declared = Linker(catalog_of(documents, types, {}, {"volume": "MB"}))
    (finding,) = declared.read("files with a volume over 2 GB", TODAY).findings
    assert finding.condition == Range("volume", gt=2000.0)
