"""Question to passages: embed, search with the caller's filter and what the caller may see, gate.

retriever = open_retriever(settings)
for passage in retriever.retrieve("Who holds the lock?").passages:
    ...
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from configs.errors import InputError, SettingsError
from configs.settings import Settings
from retrieve.embed import Embedder, load_embedder
from retrieve.evidence import evidence
from retrieve.filters import Filter, all_of, keys_of
from retrieve.follow_ups import joined, leans, own_last, topic_of
from retrieve.highlights import Highlight, closest_sentence, highlights
from retrieve.rewrite import rewritten
from retrieve.schema import RESERVED, FieldType, Passage
from retrieve.search import Searcher
from retrieve.self_query.model_reader import ChatModel
from retrieve.self_query.parts import parts_of, take_turns
from retrieve.self_query.plan import QueryPlan
from retrieve.self_query.reader import QuestionReader
from retrieve.self_query.relax import SOFT_MARGIN, relaxations, without_topics
from retrieve.store import open_store
from retrieve.store.base import Store
from retrieve.trace import Trace, plan_note, record
from retrieve.visibility import filter_fields, private_fields, visible_to


@dataclass(frozen=True)
class Retrieval:
    """What a question found."""

    question: str
    plan: QueryPlan
    """How the question was read."""
    passages: tuple[Passage, ...]
    """Best first; empty when nothing in the store is about the question."""

    def to_json(self) -> dict[str, Any]:
        """The form that ``--json`` prints, without the id."""
        return {
            "question": self.question,
            "plan": self.plan.to_json(),
            "passages": [passage.to_json() for passage in self.passages],
        }


class Retriever:
    """Finds passages; several threads may use one, and it follows what ingest publishes."""

    def __init__(
        self, store: Store, embedder: Embedder, settings: Settings, chat: ChatModel | None = None
    ) -> None:
        """``chat``: needed where the settings of retrieval ask for a model (`RetrieveSettings.asks_model`).

        Raises:
            SettingsError: it is needed and there is none.
        """
        if settings.retrieve.follow_ups == "model" and chat is None:
            raise SettingsError("retrieve.follow_ups is model, and there is no chat model; set it to words")
        self._chat = chat if settings.retrieve.follow_ups == "model" else None
        self._store = store
        self._embedder = embedder
        self._settings = settings.retrieve
        self._private = private_fields(settings)
        self._searcher = Searcher(store, embedder, settings)
        self._reader = QuestionReader(store, settings, chat if settings.retrieve.reads_with_model else None)

    def retrieve(
        self,
        question: str,
        *,
        earlier: Sequence[str] = (),
        filter: Filter | None = None,
        tenant: str | None = None,
        access: Sequence[str] | None = None,
        top_k: int | None = None,
        trace: Trace | None = None,
    ) -> Retrieval:
        """The passages for a question.

        Args:
            question: any text that is not blank.
            earlier: the questions before it in a conversation, oldest first; see `follow_ups`.
            filter: the caller's own condition, ANDed.
            tenant, access: what the caller may see; see `visible_to`.
            top_k: how many passages at most; None takes ``retrieve.top_k``.
            trace: gets what each stage did.

        Raises:
            InputError: a blank question, a top_k below 1, an empty label, a filter over a private field.
            StoreError: the store cannot be read, or holds vectors of another embedder.
        """
        query = _clean(question)
        if not query:
            raise InputError("the question is empty; write what you want to know")
        top_k = self._settings.top_k if top_k is None else top_k
        if top_k < 1:
            raise InputError(f"top_k is {top_k}; it must be at least 1")
        callers = self._callers(filter, tenant, access)
        shown = trace or Trace()
        with shown.stage("reading the question"):
            first, *others = self._plans(query, earlier, callers)
        plan, passages = self._found(first, callers, top_k, shown, exact=trace is not None)
        for other in () if passages else others:
            plan, passages = self._found(other, callers, top_k, shown, exact=trace is not None)
        where = all_of(plan.filter, callers)
        with shown.stage("choosing") as stage:
            chosen = self._searcher.choose(plan.semantic_query, passages, where, top_k)
            record(stage, chosen)
        return Retrieval(question, plan, tuple(map(self._public, chosen)))

    def _plans(self, query: str, earlier: Sequence[str], callers: Filter | None) -> list[QueryPlan]:
        """How a question is searched for, and what comes after if that finds nothing."""
        plan = self._reader.read(query, callers)
        if self._settings.follow_ups == "off" or not earlier or not leans(query):
            return [plan]
        plans = []
        if self._chat is not None:
            whole = rewritten(self._chat, query, [*map(_clean, earlier)], salt=repr(callers))
            if whole is not None:
                plan_of_whole = own_last(self._reader.read(whole, callers), query)
                plans.append(replace(plan_of_whole, original=query))
        topic = topic_of(earlier)
        if topic is not None:
            plans.append(joined(self._reader.read(_clean(topic), callers), plan))
        return [*plans, replace(plan, listing=False)] if plans else [plan]

    def _public(self, passage: Passage) -> Passage:
        """The passage without the fields that settings call private."""
        if self._private.isdisjoint(passage.payload):
            return passage
        payload = {name: value for name, value in passage.payload.items() if name not in self._private}
        ours = payload[RESERVED]
        shown = {name: by for name, by in ours.get("origins", {}).items() if name not in self._private}
        return replace(passage, payload={**payload, RESERVED: {**ours, "origins": shown}})

    def _callers(
        self, filter: Filter | None, tenant: str | None, access: Sequence[str] | None
    ) -> Filter | None:
        """What holds whatever a question says: the caller's own condition, and what the caller may see."""
        if filter is not None and (named := self._private.intersection(keys_of(filter))):
            raise InputError(f"the filter names {min(named)}, which retrieve.fields calls private")
        return all_of(filter, visible_to(tenant, access, all_tenants=self._settings.all_tenants))

    def _found(
        self, plan: QueryPlan, callers: Filter | None, top_k: int, trace: Trace, *, exact: bool
    ) -> tuple[QueryPlan, Sequence[Passage]]:
        """The plan as it was carried out, and what speaks for an answer; nothing when nothing does.

        Args:
            exact: weigh the evidence to the end, to show it, even where that decides nothing.
        """
        least = self._settings.min_evidence
        bold = without_topics(plan) if self._settings.relax else None
        limit = None if exact or bold is not None else least

        def search(attempt: QueryPlan) -> tuple[float, list[Passage]]:
            with trace.stage("searching") as stage:
                query = attempt.semantic_query
                parts: list[Filter | None] = [*parts_of(attempt)] or [attempt.filter]
                wheres = [all_of(part, callers) for part in parts]
                passages = take_turns([self._searcher.candidates(query, where, top_k) for where in wheres])
                closest = partial(closest_sentence, query, embedder=self._embedder)
                weight = evidence(passages, closest, limit)
                record(stage, passages, f"{plan_note(attempt)}; evidence {weight:.2f} of {least:.2f}")
            return weight, passages

        weight, passages = search(plan)
        listed = plan.listing and bool(passages)
        if listed and bold is None:
            return plan, passages  # that they pass the conditions is all the evidence that is asked for
        if not self._settings.relax:
            return plan, passages if weight >= least else ()
        if bold is not None:
            other, elsewhere = search(bold)
            if other >= max(least, weight + SOFT_MARGIN):
                return bold, elsewhere
        if listed or weight >= least:
            return plan, passages
        for attempt in relaxations(plan):
            weight, passages = search(attempt)
            if weight >= least:
                return attempt, passages
        return plan, ()

    def prepare(
        self,
        questions: Sequence[str],
        *,
        filter: Filter | None = None,
        tenant: str | None = None,
        access: Sequence[str] | None = None,
    ) -> None:
        """Embed several questions in one go, so that each costs little when it is asked."""
        if self._store.info().chunks:
            callers = self._callers(filter, tenant, access)
            queries = [query for query in map(_clean, questions) if query]
            self._embedder.embed_queries([self._reader.read(q, callers).semantic_query for q in queries])

    def fields(self) -> Mapping[str, FieldType]:
        """The fields that a filter may name, with their types; private ones are not among them."""
        return filter_fields(self._store, self._private)

    def highlights(self, question: str, passages: Sequence[Passage], count: int) -> list[Highlight]:
        """The sentences of these passages that answer the question most likely, best first."""
        return highlights(question, passages, self._embedder, count)

    def close(self) -> None:
        """Let go of the store; the next question opens it again."""
        self._store.close()


def open_retriever(
    settings: Settings, chat: ChatModel | None = None, *, conversations: bool = True
) -> Retriever:
    """The retriever over the configured store and embedder, which is loaded at the first question.

    Args:
        chat: None: ``retrieve.chat`` says what to open one with, where the settings need it.
        conversations: whether earlier questions will be given; without them no follow-up is rewritten.
    """
    if not conversations:
        alone = settings.retrieve.model_copy(update={"follow_ups": "off"})
        settings = settings.model_copy(update={"retrieve": alone})
    if chat is None and settings.retrieve.asks_model:
        module, _, name = settings.retrieve.chat.partition(":")
        try:
            chat = getattr(importlib.import_module(module), name)(settings)
        except (ImportError, AttributeError) as error:
            raise SettingsError(f"retrieve.chat: cannot import {settings.retrieve.chat}: {error}") from error
    return Retriever(open_store(settings), load_embedder(settings), settings, chat)


def _clean(question: str) -> str:
    # Undecodable bytes of a command line arrive as lone surrogates, which no tokenizer takes.
    return question.encode("utf-8", "replace").decode().strip()
