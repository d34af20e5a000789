"""The readers that are compared, each as: a collection, then a question, then its filter."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from configs.errors import DraftlineError
from configs.settings import Settings
from generate.chat_model import EngineChat, open_chat
from retrieve.filters import Filter
from retrieve.self_query.linker import Linker
from retrieve.self_query.model_reader import read_with_model
from retrieve.self_query.plan import filter_of
from retrieve.self_query.reader import is_open, with_model
from retrieve.self_query.vocabulary import word_ranks
from retrieve.structured_query import filter_of as translated
from tests.retrieve.suite.score import Collection

Read = Callable[[str], Filter | None]
READERS = ("linker", "model", "both", "langchain")
MAX_TOKENS = 200


@dataclass(frozen=True)
class Reader:
    """A way to read questions: opened for a collection, it turns a question into a filter."""

    name: str
    open: Callable[[Collection], Read]


@contextlib.contextmanager
def open_readers(settings: Settings, names: Sequence[str]) -> Iterator[list[Reader]]:
    """The readers of these names; one engine serves all that need a model."""
    chat = open_chat(settings) if set(names) - {"linker"} else None
    ranks = word_ranks(settings)

    def linker(collection: Collection) -> Read:
        reader = Linker(collection.catalog, ranks)
        return lambda question: reader.read(question, collection.today).filter

    def model(collection: Collection) -> Read:
        assert chat is not None
        return lambda question: filter_of(
            read_with_model(chat, question, collection.catalog, collection.today, salt="")
        )

    def both(collection: Collection) -> Read:
        assert chat is not None
        reader = Linker(collection.catalog, ranks)

        def read(question: str) -> Filter | None:
            plan = reader.read(question, collection.today)
            if is_open(plan, collection.catalog):
                proposed = read_with_model(chat, plan.question, collection.catalog, collection.today, salt="")
                plan = with_model(plan, proposed)
            return plan.filter

        return read

    def langchain(collection: Collection) -> Read:
        assert chat is not None
        return langchain_reader(chat, collection)

    opened = {"linker": linker, "model": model, "both": both, "langchain": langchain}
    try:
        yield [Reader(name, opened[name]) for name in names]
    finally:
        if chat is not None:
            chat.close()


def langchain_reader(chat: EngineChat, collection: Collection) -> Read:
    """LangChain's query constructor over the same fields, with the same model, unconstrained."""
    from langchain_classic.chains.query_constructor.base import load_query_constructor_runnable
    from langchain_classic.chains.query_constructor.schema import AttributeInfo
    from langchain_core.exceptions import OutputParserException
    from langchain_core.runnables import RunnableLambda

    def complete(prompt: Any) -> str:
        return chat.complete([("user", prompt.to_string())], max_tokens=MAX_TOKENS)

    fields = collection.catalog.fields
    info = [
        AttributeInfo(
            name=field.name,
            type=field.type,
            description=f"such as {', '.join(field.values[:12])}" if field.values else field.name,
        )
        for field in fields
    ]
    chain = load_query_constructor_runnable(RunnableLambda(complete), f"documents: {collection.name}", info)

    def read(question: str) -> Filter | None:
        try:
            query = chain.invoke({"query": question})
            return translated(query.filter, collection.catalog.types) if query.filter else None
        except (OutputParserException, DraftlineError, ValueError, TypeError):
            return UNREADABLE

    return read


UNREADABLE = Filter(must=(Filter(must_not=(Filter(),)),))
"""What no right filter equals: the reader failed."""
