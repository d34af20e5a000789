"""Metrics on records small enough to score by hand; RAGAS' are the real ones."""

from __future__ import annotations

import asyncio
import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from evaluate import metrics
from evaluate.metrics import own_scores, ragas_scores
from evaluate.records import Citation, Found, Outcome
from evaluate.references import Place, Reference
from generate import citations

TEXTS = {"p1": "Pumps need oil twice a year.", "p2": "Valves need nothing."}
PASSAGES = (
    Found(id="p1", document="pump.md", start=100, end=128),
    Found(id="p2", document="valve.md", start=0, end=20),
)
OIL = Reference(spans=((Place("pump.md", 111, 114),),), missing=())
TRUE = Citation(marker=1, passage_id="p1", document="pump.md", quote="need oil twice", start=106, end=120)


def outcome(**changes: Any) -> Outcome:
    base: dict[str, Any] = {
        "id": "a",
        "question": "How often?",
        "answerable": True,
        "reference": "Pumps need oil twice a year.",
        "answer": "Pumps need oil twice a year. [1]",
        "citations": (TRUE,),
        "passages": PASSAGES,
    }
    return Outcome(**(base | changes))


def test_an_answer_with_a_true_citation_of_the_reference() -> None:
    scores = own_scores(outcome(), OIL, TEXTS)
    assert scores == {"answered": 1, "citation_overlap": 1, "citation_truth": 1}


def test_overlap_needs_the_same_document_and_a_shared_character() -> None:
    beside = Reference(spans=((Place("pump.md", 120, 125),),), missing=())
    elsewhere = Reference(spans=((Place("valve.md", 106, 120),),), missing=())
    assert own_scores(outcome(), beside, TEXTS)["citation_overlap"] == 0
    assert own_scores(outcome(), elsewhere, TEXTS)["citation_overlap"] == 0
    assert own_scores(outcome(citations=()), OIL, TEXTS) == {"answered": 1, "citation_overlap": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"start": 105, "end": 119},
        {"quote": "need OIL twice"},
        {"marker": 2},
        {"marker": 0},
        {"marker": 3},
        {"passage_id": "p2"},
        {"document": "valve.md"},
        {"start": 90, "end": 104},
        {"end": 121},
    ],
)
def test_a_citation_that_is_not_true_is_seen(change: dict[str, Any]) -> None:
    cited = (TRUE, TRUE.model_copy(update=change))
    assert own_scores(outcome(citations=cited), OIL, TEXTS)["citation_truth"] == 0.5


def test_abstentions() -> None:
    nothing: dict[str, Any] = {"abstained": True, "citations": (), "passages": ()}
    none = Reference((), ())
    assert own_scores(outcome(**nothing), OIL, {}) == {"answered": 0}
    assert own_scores(outcome(**nothing, answerable=False), none, {}) == {"abstention": 1}
    assert own_scores(outcome(answerable=False), none, TEXTS) == {"abstention": 0, "citation_truth": 1}


def test_ragas_scores_of_a_good_answer(embedder: Any) -> None:
    result = ragas_scores([outcome()], {"a": OIL}, embedder)
    assert not result.undefined
    assert not result.failed
    scores = result.scores["a"]
    assert scores["context_recall"] == 1
    assert scores["context_precision"] == 0.5
    assert scores["span_recall"] == 1
    assert scores["rouge_l"] == 1, "the marker is not part of the answer's words"
    assert scores["semantic_similarity"] == pytest.approx(1, abs=1e-5)


def test_ragas_leaves_nothing_in_the_users_folders(
    embedder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    ragas_scores([outcome()], {"a": OIL}, embedder)
    assert list(tmp_path.iterdir()) == []


async def _inside_a_loop(embedder: Any) -> Any:
    return ragas_scores([outcome()], {"a": OIL}, embedder)


def test_ragas_can_be_asked_from_within_an_event_loop(embedder: Any) -> None:
    coroutine = _inside_a_loop(embedder)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asyncio.run, coroutine).result().scores["a"]


def test_rouge_of_half_an_answer(embedder: Any) -> None:
    half = outcome(answer="Pumps need oil", reference="Pumps need oil twice a year")
    scores = ragas_scores([half], {"a": OIL}, embedder).scores["a"]
    assert scores["rouge_l"] == pytest.approx(2 * 1 * 0.5 / 1.5)
    assert 0.5 < (scores["semantic_similarity"] or 0) < 1


def test_span_recall_is_stricter_than_context_recall(embedder: Any) -> None:
    two = Reference(spans=((Place("pump.md", 111, 114),), (Place("pump.md", 900, 950),)), missing=())
    scores = ragas_scores([outcome()], {"a": two}, embedder).scores["a"]
    assert (scores["context_recall"], scores["span_recall"]) == (1, 0.5)


def test_a_span_that_stands_in_two_places_is_found_in_either(embedder: Any) -> None:
    twice = Reference(spans=((Place("pump.md", 900, 903), Place("valve.md", 0, 3)),), missing=())
    assert ragas_scores([outcome()], {"a": twice}, embedder).scores["a"]["span_recall"] == 1


def test_undefined_scores_are_counted_and_not_averaged(embedder: Any) -> None:
    nothing = outcome(abstained=True, citations=(), passages=())
    result = ragas_scores([nothing], {"a": OIL}, embedder)
    assert result.scores["a"] == {"context_recall": 0, "context_precision": None, "span_recall": 0}
    assert result.undefined == {"context_precision": 1}
    assert not result.failed


def test_a_metric_that_raises_is_counted(embedder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken() -> float:
        raise ValueError("no")

    async def undefined() -> float:
        return math.nan

    measures = {"sound": broken, "other": undefined}
    monkeypatch.setattr(metrics, "_measures", lambda *_: measures)
    result = ragas_scores([outcome(), outcome(id="b")], {"a": OIL, "b": OIL}, embedder)
    assert result.failed == {"sound": 2}
    assert result.undefined == {"other": 2}
    assert result.scores == {"a": {"other": None}, "b": {"other": None}}


def test_failed_and_unanswerable_items_are_not_given_to_ragas(embedder: Any) -> None:
    items = [outcome(error="broken"), outcome(id="b", answerable=False)]
    assert ragas_scores(items, {}, embedder).scores == {}


def test_a_citation_is_recorded_with_all_that_an_answer_says_of_it() -> None:
    place = citations.Place("copy.md", 3, 20)
    said = citations.Citation(1, "p1", "pump.pdf", ("Pump",), "need oil twice", 106, 120, 4, (place,))
    assert Citation.model_validate(said.to_json()).model_dump(mode="json") == json.loads(
        json.dumps(said.to_json())
    )
