"""The tables of words: they load, are written as words are looked up, and wait until they are needed."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import resources

import pytest
from pydantic import ValidationError

from retrieve.self_query.calendar_words import CalendarWords, calendar_words
from retrieve.self_query.lexicon import amount_words, common_words, field_words, plain_words
from retrieve.self_query.text import fold

TABLES = ["amounts.yaml", "calendar.yaml", "common_words.txt", "fields.yaml", "follow_ups.yaml", "words.yaml"]


def test_the_tables_lie_in_the_package() -> None:
    folder = resources.files("retrieve.self_query").joinpath("tables")
    assert sorted(item.name for item in folder.iterdir()) == TABLES


@pytest.mark.parametrize("name", TABLES)
def test_words_are_folded(name: str) -> None:
    text = resources.files("retrieve.self_query").joinpath("tables", name).read_text(encoding="utf-8")
    words = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    assert words == fold(words)


def test_what_is_looked_up_is_there() -> None:
    assert "author" in field_words().roles["agent"]
    assert "write" in field_words().groups_of("wrote")
    assert field_words().groups_of("tree") == frozenset()
    assert ("other", "than") in plain_words().negating_pairs
    assert calendar_words().month_of["marz"] == 3
    assert sorted(set(calendar_words().month_of.values())) == list(range(1, 13))
    assert sorted(set(calendar_words().weekday_of.values())) == list(range(7))
    assert amount_words().number_of["dozen"] == 12
    assert amount_words().scale_of["bn"] == 1e9
    assert "open" in common_words()


def test_each_verb_group_that_fields_name_exists() -> None:
    known = field_words()
    assert set(known.field_verbs) <= set(known.verbs)
    assert known.specific_verbs <= set(known.verbs)


def test_phrases_are_regular_expressions() -> None:
    phrases = [*calendar_words().before.values(), *amount_words().before.values()]
    for phrase in (phrase for listed in phrases for phrase in listed):
        re.compile(phrase)


def test_a_table_with_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="wekdays"):
        CalendarWords.model_validate({"wekdays": "monday"})


def test_importing_reads_no_table() -> None:
    tables = "field_words, plain_words, amount_words, common_words"
    code = (
        "from retrieve.self_query import linker, lexicon\n"
        "from retrieve.self_query.calendar_words import calendar_words\n"
        f"from retrieve.self_query.lexicon import {tables}\n"
        f"assert not sum(table.cache_info().currsize for table in (calendar_words, {tables}))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
