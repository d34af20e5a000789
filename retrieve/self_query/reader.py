"""Reads questions against a store: by the linker, by a chat model, or by both.

There is one linker for what each kind of caller may see, made anew when the store has changed. With
both readers the model is asked only where the linker left something open, and adds conditions on
fields of which the linker said nothing.

plan = reader.read("articles by Osei since March", visible_to("north", None))
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property

from configs.errors import SettingsError
from configs.settings import Settings
from retrieve.filters import Filter
from retrieve.self_query.catalog import Catalog, read_catalog
from retrieve.self_query.lexicon import common_words
from retrieve.self_query.linker import Linker
from retrieve.self_query.model_reader import ChatModel, read_with_model
from retrieve.self_query.plan import Finding, QueryPlan
from retrieve.self_query.text import words
from retrieve.self_query.vocabulary import word_ranks
from retrieve.store.base import Store

KEPT = 64
"""Linkers in memory: one for each set of labels that callers came with, of the store as it is now."""


class QuestionReader:
    """Turns questions into plans; several threads may use one."""

    def __init__(self, store: Store, settings: Settings, chat: ChatModel | None = None) -> None:
        """``chat``: the model of the model reader.

        Raises:
            SettingsError: ``retrieve.reader`` needs a chat model and there is none.
        """
        if settings.retrieve.reads_with_model and chat is None:
            raise SettingsError(
                f"retrieve.reader is {settings.retrieve.reader}, and there is no chat model; set it to linker"
            )
        self._chat = chat
        self._store = store
        self._all = settings
        self._settings = settings.retrieve
        self._linkers: OrderedDict[tuple[str, Filter | None], tuple[Catalog, Linker]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, question: str, visible: Filter | None) -> QueryPlan:
        """The plan for a question of a caller who may see what ``visible`` passes."""
        if self._settings.reader == "off":
            return QueryPlan(question, question)
        catalog, linker = self._read(visible)
        today = self._settings.today or date.today()
        if self._settings.reader == "model":
            plan = QueryPlan(question, question)
        else:
            plan = linker.read(question, today)
        if self._chat is not None and (self._settings.reader == "model" or is_open(plan, catalog)):
            found = read_with_model(self._chat, plan.question, catalog, today, salt=repr(visible))
            plan = with_model(plan, found)
        topics = {field.name for field in catalog.fields if field.is_list}
        findings = (replace(f, soft=getattr(f.condition, "key", None) in topics) for f in plan.findings)
        return replace(plan, findings=tuple(findings))

    @cached_property
    def _ranks(self) -> Mapping[str, int]:
        return word_ranks(self._all)

    def _read(self, visible: Filter | None) -> tuple[Catalog, Linker]:
        key = (self._store.info().generation, visible)
        with self._lock:
            if key in self._linkers:
                self._linkers.move_to_end(key)
                return self._linkers[key]
        declared = self._all.ingest.fields.items()
        units = {name: field.unit for name, field in declared if field.unit is not None}
        catalog = read_catalog(self._store, visible, self._settings.fields, units)
        linker = Linker(catalog, self._ranks)
        with self._lock:
            for stale in [other for other in self._linkers if other[0] != key[0]]:
                del self._linkers[stale]
            self._linkers[key] = (catalog, linker)
            if len(self._linkers) > KEPT:
                self._linkers.popitem(last=False)
        return catalog, linker


def is_open(plan: QueryPlan, catalog: Catalog) -> bool:
    """Whether words of known values stand in the question that no condition came of."""
    read = [span for finding in plan.findings for span in finding.spans]
    known = catalog.value_stems
    return any(
        word.stem in known
        and word.norm not in common_words()
        and not any(start < word.end and word.start < end for start, end in read)
        for word in words(plan.question)
    )


def with_model(plan: QueryPlan, proposed: Sequence[Finding]) -> QueryPlan:
    """The plan with a model's findings on fields of which it says nothing yet."""
    told = frozenset[str]().union(*(finding.keys for finding in plan.findings))
    added = tuple(finding for finding in proposed if told.isdisjoint(finding.keys))
    return replace(plan, findings=(*plan.findings, *added), listing=plan.listing and not added)
