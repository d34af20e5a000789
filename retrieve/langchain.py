"""LangChain's edge: retrieval as a `BaseRetriever`, for chains, agents and callbacks.

retriever = DraftlineRetriever.from_settings(tenant="north", filter=gte("year", 2024))
documents = retriever.invoke("Who may hold the write lock?")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
    adispatch_custom_event,
    dispatch_custom_event,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables.config import RunnableConfig, run_in_executor
from langchain_core.structured_query import FilterDirective
from pydantic import Field

from configs.errors import InputError
from configs.settings import Settings, load_settings
from retrieve.filter_values import short
from retrieve.filters import Filter, all_of, parse_filter, to_json
from retrieve.retriever import Retrieval, Retriever, open_retriever
from retrieve.schema import RESERVED, FieldType, Passage
from retrieve.structured_query import filter_of

PLAN_EVENT = "draftline_plan"
"""Name of the custom event that tells callbacks how the question was read: `QueryPlan.to_json`."""


class DraftlineRetriever(BaseRetriever):
    """Draftline's passages as LangChain documents.

    The page content is the passage's text; the metadata are the user's fields under their own names
    and ours under ``_dl.``, among them ``_dl.id``, ``_dl.score`` and ``_dl.relevance``.

    Raises (from `invoke` and its kin) what `Retriever.retrieve` raises, and InputError for a filter
    that does not fit the store's fields.
    """

    retriever: Retriever = Field(exclude=True, repr=False)
    tenant: str | None = None
    """Only documents with this tenant label; None: only those without one."""
    access: Sequence[str] = ()
    """Access labels that the caller has."""
    top_k: int | None = None
    """How many documents at most; None takes ``retrieve.top_k``."""
    filter: Any = None
    """A condition that every document fulfils, beside whatever is read out of the question: a `Filter`,
    Qdrant's JSON form, or an expression of `langchain_core.structured_query`."""

    @classmethod
    def from_settings(cls, settings: Settings | None = None, **fields: Any) -> Self:
        """A retriever over the configured store and embedder.

        Args:
            settings: None: those of the environment and the default profile.
            fields: tenant, access, top_k, filter, and LangChain's own tags and metadata.
        """
        return cls(retriever=open_retriever(settings or load_settings(), conversations=False), **fields)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, filter: Any = None
    ) -> list[Document]:
        """``filter``: one more condition, for this call: ``invoke(question, filter=...)``."""
        found = self._find(query, filter)
        dispatch_custom_event(
            PLAN_EVENT, found.plan.to_json(), config=RunnableConfig(callbacks=run_manager.get_child())
        )
        return [document_of(passage) for passage in found.passages]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, filter: Any = None
    ) -> list[Document]:
        # Embedding and an embedded search are computing: in a thread, so that the loop goes on.
        found = await run_in_executor(None, self._find, query, filter)
        config = RunnableConfig(callbacks=run_manager.get_child())
        await adispatch_custom_event(PLAN_EVENT, found.plan.to_json(), config=config)
        return [document_of(passage) for passage in found.passages]

    def _find(self, query: str, filter: Any) -> Retrieval:
        fields = self.retriever.fields()
        where = all_of(*(_filter_of(given, fields) for given in (self.filter, filter) if given is not None))
        return self.retriever.retrieve(
            query, filter=where, tenant=self.tenant, access=self.access, top_k=self.top_k
        )


def document_of(passage: Passage) -> Document:
    """A passage as LangChain has it."""
    ours = {"id": passage.id, "score": passage.score, "relevance": passage.relevance}
    metadata = passage.metadata() | {f"{RESERVED}.{key}": value for key, value in ours.items()}
    return Document(id=passage.id, page_content=passage.text, metadata=metadata)


def _filter_of(given: Any, fields: Mapping[str, FieldType]) -> Filter:
    if isinstance(given, FilterDirective):
        return filter_of(given, fields)
    if isinstance(given, Filter | Mapping):
        return parse_filter(to_json(given) if isinstance(given, Filter) else given, fields)
    raise InputError(
        f"the filter is {short(given)}; give a Filter, Qdrant's JSON form, "
        "or a Comparison or Operation of langchain_core.structured_query"
    )
