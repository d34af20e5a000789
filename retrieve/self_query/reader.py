"""Reads questions against a store: one linker for what each kind of caller may see, kept fresh.

plan = reader.read("articles by Osei since March", visible_to("north", None))
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import date
from functools import cached_property

from configs.settings import Settings
from retrieve.filters import Filter
from retrieve.self_query.catalog import read_catalog
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
        self._linkers: OrderedDict[tuple[str, Filter | None], Linker] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, question: str, visible: Filter | None) -> QueryPlan:
        """The plan for a question of a caller who may see what ``visible`` passes."""
        if self._settings.reader == "off":
            return QueryPlan(question, question)
        return self._linker(visible).read(question, self._settings.today or date.today())

    @cached_property
    def _ranks(self) -> Mapping[str, int]:
        return word_ranks(self._all)

    def _linker(self, visible: Filter | None) -> Linker:
        key = (self._store.info().generation, visible)
        with self._lock:
            if key in self._linkers:
                self._linkers.move_to_end(key)
                return self._linkers[key]
        linker = Linker(read_catalog(self._store, visible, self._settings.fields), self._ranks)
        with self._lock:
            self._linkers[key] = linker
            if len(self._linkers) > KEPT:
                self._linkers.popitem(last=False)
        return linker
