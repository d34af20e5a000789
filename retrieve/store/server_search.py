"""A hybrid search of a Qdrant server: one batch of queries, and what its answers mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qdrant_client import models

from retrieve.fields import read_payload
from retrieve.schema import Passage
from retrieve.store.base import SearchRequest
from retrieve.store.bm25 import MAX_TERMS, Bm25, rarity
from retrieve.store.candidates import Candidate, ranked, sparse, unit
from retrieve.store.server_filters import to_server
from retrieve.store.server_versions import DENSE, SPARSE

RESCORED = models.SearchParams(quantization=models.QuantizationSearchParams(rescore=True, oversampling=2.0))
"""Twice as many candidates as wanted are looked up by quantized vectors, and scored by the originals."""


@dataclass(frozen=True)
class Asked:
    """A search request as the server takes it."""

    request: SearchRequest
    terms: Sequence[int]
    """Of the question, for which the best chunk is looked up."""
    queries: list[models.QueryRequest]
    """Those for candidates, and then one for each term."""

    @classmethod
    def of(cls, request: SearchRequest, bm25: Bm25, *, quantized: bool) -> Asked:
        """The queries of a request; ``quantized``: whether vectors are."""
        where = to_server(request.filter) if request.filter else None
        words = bm25.question(request.text)
        terms = words.indices[:MAX_TERMS]
        lexical = models.SparseVector(indices=words.indices, values=words.values)
        dense = request.vector.tolist()
        weighted = ((dense, DENSE, request.fusion.dense), (lexical, SPARSE, request.fusion.bm25))
        searches = [
            models.QueryRequest(
                query=query,
                using=name,
                filter=where,
                params=RESCORED if quantized and name == DENSE else None,
                limit=request.prefetch,
                with_payload=True,
                with_vector=[DENSE, SPARSE],
            )
            for query, name, weight in weighted
            if weight
        ]
        return cls(request, terms, [*searches, *_lookups(terms, where)])

    def passages(self, answers: Sequence[models.QueryResponse], chunks: int) -> list[Passage]:
        """What the queries' answers amount to; ``chunks``: of the whole collection."""
        searches = len(answers) - len(self.terms)
        found = [
            (answer.points[0].score, _terms(answer.points[0])[term]) if answer.points else None
            for term, answer in zip(self.terms, answers[searches:], strict=True)
        ]
        rarities = dict(zip(self.terms, rarity(found, chunks), strict=True))
        hits = (hit for answer in answers[:searches] for hit in answer.points)
        return ranked(map(_candidate, hits), rarities, self.request)


def _lookups(terms: Sequence[int], where: models.Filter | None) -> list[models.QueryRequest]:
    """For each term, the best chunk that has it."""
    return [
        models.QueryRequest(
            query=models.SparseVector(indices=[term], values=[1.0]),
            using=SPARSE,
            filter=where,
            limit=1,
            with_vector=[SPARSE],
        )
        for term in terms
    ]


def _candidate(hit: models.ScoredPoint) -> Candidate:
    vector: Any = hit.vector[DENSE] if isinstance(hit.vector, dict) else []
    return Candidate(str(hit.id), read_payload(hit.payload or {}), unit(vector), _terms(hit))


def _terms(hit: models.ScoredPoint) -> dict[int, float]:
    vector = hit.vector.get(SPARSE) if isinstance(hit.vector, dict) else None
    return sparse(vector.indices, vector.values) if isinstance(vector, models.SparseVector) else {}
