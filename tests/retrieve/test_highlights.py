"""The sentences that are quoted first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieve.highlights import MIN_WORDS, closest_sentence, highlights, sentences
from retrieve.schema import Passage

LOCKS = """## Locks

Only one process writes to a store at a time. A second ingest waits for
`ingest.lock_wait_s` seconds, i.e. ten by default, and then gives up.

| setting | what the setting does for locks |
| --- | --- |

```
python -m ingest ./docs  # a line of code that is no sentence
```

1. Stop the process that holds the lock.
- Start the other one again afterwards.
> Nobody was ever hurt by waiting.

Set it with:
"""
BREAD = "Sourdough needs a starter of flour and water. Feed the starter every day at the same hour."


def passage(text: str, relevance: float = 0.4, section: tuple[str, ...] = ()) -> Passage:
    ours = {"document": "d.md", "start": 0, "end": len(text), "section": list(section)}
    return Passage(id=text[:8], text=text, score=1.0, relevance=relevance, payload={"_dl": ours})


def quoted(question: str, passages: list[Passage], embedder: Any, count: int) -> list[str]:
    found = highlights(question, passages, embedder, count)
    return [passages[highlight.passage].text[highlight.start : highlight.end] for highlight in found]


def test_sentences_and_items_without_headings_tables_and_code() -> None:
    assert [LOCKS[start:end] for start, end in sentences(LOCKS)] == [
        "Only one process writes to a store at a time.",
        "A second ingest waits for\n`ingest.lock_wait_s` seconds, i.e. ten by default, and then gives up.",
        "Stop the process that holds the lock.",
        "Start the other one again afterwards.",
        "Nobody was ever hurt by waiting.",
    ]


@pytest.mark.parametrize(
    "text", ["", "\n\n", "Too short.", "```\nan open fence that never ends again\n", "你好。"]
)
def test_what_has_nothing_to_quote(text: str) -> None:
    assert list(sentences(text)) == []


@given(st.text(alphabet="ab cd.!?:\n`#|-*>1)é。", max_size=200))
def test_spans_are_in_order_and_worth_quoting(text: str) -> None:
    end = 0
    for start, stop in sentences(text):
        assert end <= start < stop <= len(text)
        assert text[start:stop] == text[start:stop].strip()
        assert len(text[start:stop].split()) >= 1
        end = stop
    assert MIN_WORDS > 1


def test_the_sentence_that_answers_comes_first(embedder: Any) -> None:
    passages = [passage(BREAD), passage(LOCKS)]
    assert quoted("How many processes may write to a store?", passages, embedder, 1) == [
        "Only one process writes to a store at a time."
    ]
    assert quoted("How often must I feed my sourdough?", passages, embedder, 1) == [
        "Feed the starter every day at the same hour."
    ]


def test_neighbours_become_one(embedder: Any) -> None:
    (both,) = quoted("What is a sourdough starter, and when do I feed it?", [passage(BREAD)], embedder, 2)
    assert both == BREAD


def test_the_same_sentence_is_quoted_once(embedder: Any) -> None:
    twice = [passage(BREAD), passage("More on bread.\n\n" + BREAD)]
    assert len(quoted("sourdough starter", twice, embedder, 4)) == 1


def test_headings_give_a_sentence_its_topic(embedder: Any) -> None:
    text = "It has to be replaced once a year."
    pump, lamp = passage(text, section=("Pump", "Filter")), passage(f"{text} Really.", section=("Lamp",))
    found = highlights("When is the filter of the pump replaced?", [lamp, pump], embedder, 1)
    assert found[0].passage == 1


@pytest.mark.parametrize("count", [0, 3])
def test_no_passages_or_none_wanted(embedder: Any, count: int) -> None:
    assert highlights("What?", [] if count else [passage(BREAD)], embedder, count) == []


def test_how_near_the_closest_sentence_is(embedder: Any) -> None:
    question = "How many processes may write to a store?"
    near, far = (closest_sentence(question, passage(text), embedder) for text in (LOCKS, BREAD))
    assert 0.5 < near <= 1
    assert 0 <= far < 0.3


def test_what_has_no_sentence_counts_as_one(embedder: Any) -> None:
    table = replace(passage("| a | b |\n|---|---|\n| 1 | 2 |"), relevance=0.4)
    assert closest_sentence("a?", table, embedder) == 0.4
    assert closest_sentence("a?", replace(table, relevance=-0.1), embedder) == 0
