"""Reads questions against a store: one linker for what each kind of caller may see, kept fresh.

plan = reader.read("articles by Osei since March", visible_to("north", None))
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cached_property

from configs.settings import Settings
from retrieve.filters import Filter
from retrieve.self_query.catalog import Catalog, read_catalog
from retrieve.self_query.linker import Linker
from retrieve.self_query.plan import QueryPlan
from retrieve.self_query.vocabulary import word_ranks
from retrieve.store.base import Store

KEPT = 64
"""Linkers in memory: one for each state of the store and each set of labels that callers came with."""


class QuestionReader:
    """Turns questions into plans; several threads may use one."""

    def __init__(self, store: Store, settings: Settings) -> None:
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
        plan = linker.read(question, self._settings.today or date.today())
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
        catalog = read_catalog(self._store, visible, self._settings.fields)
        linker = Linker(catalog, self._ranks)
        with self._lock:
            self._linkers[key] = (catalog, linker)
            if len(self._linkers) > KEPT:
                self._linkers.popitem(last=False)
        return catalog, linker
