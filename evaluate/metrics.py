"""How outcomes are scored: what we measure ourselves, and RAGAS' metrics that need no model to judge.

RAGAS is imported on use only (it takes seconds), and its event loop lives in `ragas_scores` alone.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evaluate.records import Citation, Found, Outcome, Scores
from evaluate.references import Place, Reference

if TYPE_CHECKING:
    from retrieve.embed import Embedder

MARKER = re.compile(r"\s*\[\d+\]")


def own_scores(outcome: Outcome, reference: Reference, texts: Mapping[str, str]) -> Scores:
    """Score what the answer did and whether its citations hold.

    Args:
        outcome: an item that did not fail.
        reference: where its spans lie.
        texts: text of each retrieved passage, by id.
    """
    if not outcome.answerable:
        return {"abstention": float(outcome.abstained)} | _truth(outcome, texts)
    scores: Scores = {"answered": float(outcome.answered)}
    if outcome.answered:
        places = [place for span in reference.spans for place in span]
        cited = [Place(item.document, item.start, item.end) for item in outcome.citations]
        scores["citation_overlap"] = float(any(here.overlaps(there) for here in cited for there in places))
    return scores | _truth(outcome, texts)


def _truth(outcome: Outcome, texts: Mapping[str, str]) -> Scores:
    if not outcome.citations:
        return {}
    true = sum(_is_true(citation, outcome.passages, texts) for citation in outcome.citations)
    return {"citation_truth": true / len(outcome.citations)}


def _is_true(citation: Citation, passages: Sequence[Found], texts: Mapping[str, str]) -> bool:
    """Whether the quote stands where the citation says, in the passage that its marker names."""
    if not 1 <= citation.marker <= len(passages):
        return False
    passage = passages[citation.marker - 1]
    if (passage.id, passage.document) != (citation.passage_id, citation.document):
        return False
    if not passage.start <= citation.start < citation.end <= passage.end:
        return False
    text = texts[passage.id]
    return text[citation.start - passage.start : citation.end - passage.start] == citation.quote


@dataclass
class RagasResult:
    """RAGAS' scores by item id, with what could not be scored counted by metric."""

    scores: dict[str, Scores] = field(default_factory=dict)
    undefined: Counter[str] = field(default_factory=Counter)
    """NaN: the metric has no value here, such as the precision of an empty retrieval."""
    failed: Counter[str] = field(default_factory=Counter)
    """The metric raised."""


Measure = Callable[[], Awaitable[float]]


def ragas_scores(
    outcomes: Sequence[Outcome], references: Mapping[str, Reference], embedder: Embedder
) -> RagasResult:
    """Score answerable items that did not fail.

    ``context_recall`` and ``context_precision`` compare documents, ``span_recall`` compares spans: a
    span counts as retrieved when a passage overlaps it. ``rouge_l`` and ``semantic_similarity``
    compare an answer, without its markers, to the reference answer.
    """
    # Before ragas is first imported: it would report its use otherwise.
    os.environ["RAGAS_DO_NOT_TRACK"] = "true"
    # It warns of scores that are undefined; they are counted here.
    logging.getLogger("ragas").setLevel(logging.ERROR)
    measures = {
        outcome.id: _measures(outcome, references[outcome.id], embedder)
        for outcome in outcomes
        if outcome.answerable and outcome.error is None
    }
    # In a thread of its own, because the caller's may run an event loop already (a notebook's does).
    with ThreadPoolExecutor(1, thread_name_prefix="ragas") as pool:
        return pool.submit(lambda: asyncio.run(_gather(measures))).result()


async def _gather(measures: Mapping[str, Mapping[str, Measure]]) -> RagasResult:
    result = RagasResult()
    for item, by_name in measures.items():
        scores: Scores = {}
        for name, measure in by_name.items():
            try:
                value = float(await measure())
            except Exception:
                result.failed[name] += 1
                continue
            if math.isnan(value):
                result.undefined[name] += 1
            scores[name] = None if math.isnan(value) else value
        result.scores[item] = scores
    return result


def _measures(outcome: Outcome, reference: Reference, embedder: Embedder) -> dict[str, Measure]:
    from ragas.dataset_schema import SingleTurnSample
    from ragas.metrics import IDBasedContextPrecision, IDBasedContextRecall
    from ragas.metrics.collections import RougeScore, SemanticSimilarity

    documents = sorted({place.document for span in reference.spans for place in span})
    retrieved = [passage.document for passage in outcome.passages]
    by_document = SingleTurnSample(retrieved_context_ids=retrieved, reference_context_ids=documents)
    by_span = SingleTurnSample(
        retrieved_context_ids=_spans_hit(outcome, reference),
        reference_context_ids=list(range(len(reference.spans))),
    )
    measures: dict[str, Measure] = {
        "context_recall": lambda: _bare(IDBasedContextRecall(), by_document),
        "context_precision": lambda: _bare(IDBasedContextPrecision(), by_document),
        "span_recall": lambda: _bare(IDBasedContextRecall(), by_span),
    }
    if outcome.answered:
        texts = {"reference": outcome.reference, "response": MARKER.sub("", outcome.answer)}
        similarity = SemanticSimilarity(embeddings=_ragas_embedding(embedder))
        measures["rouge_l"] = lambda: _value(RougeScore(rouge_type="rougeL").ascore(**texts))
        measures["semantic_similarity"] = lambda: _value(similarity.ascore(**texts))
    return measures


async def _bare(metric: Any, sample: Any) -> float:
    # The public method would first put an id for telemetry into the user's data folder, tracking or not.
    return float(await metric._single_turn_ascore(sample, callbacks=None))


async def _value(result: Awaitable[Any]) -> float:
    return float((await result).value)


def _spans_hit(outcome: Outcome, reference: Reference) -> list[int]:
    found = [Place(passage.document, passage.start, passage.end) for passage in outcome.passages]
    return [
        index
        for index, places in enumerate(reference.spans)
        if any(place.overlaps(here) for place in places for here in found)
    ]


def _ragas_embedding(embedder: Embedder) -> Any:
    """Our embedder behind the interface that RAGAS asks for."""
    from ragas.embeddings.base import BaseRagasEmbedding

    class Ours(BaseRagasEmbedding):  # type: ignore[misc]
        def embed_text(self, text: str, **_: Any) -> list[float]:
            return [float(value) for value in embedder.embed_documents([text])[0]]

        async def aembed_text(self, text: str, **_: Any) -> list[float]:
            return self.embed_text(text)

    return Ours()
