"""Texts that several documents hold, over changes of them: nothing is lost, nothing depends on the order."""

from __future__ import annotations

import dataclasses
import random
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from configs.settings import load_settings
from ingest.chunk import Span, document_id, make_chunks
from ingest.duplicates import with_copy_keys
from retrieve.embed import Embedder
from retrieve.retriever import Retriever
from retrieve.schema import Chunk, Document
from retrieve.store import open_store
from retrieve.store.base import Store
from retrieve.store.edge import EdgeStore
from tests.ingest.stored import payloads
from tests.retrieve.samples import make_document
from tests.retrieve.test_search import SIZE, WordEmbedder

WORDS = re.findall(
    r"\w+",
    """water pump valve heat pressure floor noon engine brass oil green red hall north wheel chain the of a in
    runs stands holds turns opens closes slow fast cold warm large small with under over between after before
    until never always new old iron glass paper stone wood hand foot eye ear day night year hour sheet line
    point round flat deep high low left right inner outer first last next other same own whole""",
)
FOLDERS = {"": None, "north/": "north", "south/": "south"}
"""With the tenant of what lies in them."""
TEXTS = 2

Content = tuple[int, int]
"""Which text, and which word of it is another one."""

NAMES = st.sampled_from([f"{folder}{name}.txt" for folder in FOLDERS for name in "ab"])
CHANGES = st.dictionaries(
    NAMES, st.none() | st.tuples(st.integers(0, TEXTS - 1), st.integers(0, 3)), min_size=1
)
"""Files that are written, with their text and version, or deleted."""


def text_of(number: int, version: int) -> str:
    words = random.Random(number).choices(WORDS, k=120)
    words[20 + version] = f"{words[20 + version]}ish"
    return " ".join(words)


def tenant_of(name: str) -> str | None:
    return FOLDERS["/".join([*name.split("/")[:-1], ""])]


def shown(store: Store, embedder: Embedder) -> dict[tuple[str | None, int], list[tuple[str, ...]]]:
    """For each tenant and text: the documents of each passage that says it."""
    settings = load_settings(overrides=["retrieve.min_evidence=-1", "retrieve.reader=off"])
    retriever = Retriever(store, embedder, settings)
    found = {}
    for tenant in FOLDERS.values():
        for number in range(TEXTS):
            question = text_of(number, 0)
            passages = retriever.retrieve(question, tenant=tenant, top_k=20).passages
            found[tenant, number] = [
                tuple(sorted([passage.document, *(copy.document for copy in passage.copies)]))
                for passage in passages
                if passage.text.split()[:20] == question.split()[:20]
            ]
    return found


def expected(files: Mapping[str, Content]) -> dict[tuple[str | None, int], list[tuple[str, ...]]]:
    """Each text once to each tenant that has it, with all the documents that hold it."""
    groups: dict[tuple[str | None, int], list[str]] = {}
    for name, (number, _) in files.items():
        groups.setdefault((tenant_of(name), number), []).append(name)
    every = ((tenant, number) for tenant in FOLDERS.values() for number in range(TEXTS))
    return {key: [tuple(sorted(groups[key]))] if key in groups else [] for key in every}


def document(name: str, content: Content) -> Document:
    return dataclasses.replace(
        make_document(1),
        id=document_id("/docs", name),
        path=name,
        tenant=tenant_of(name),
        body=text_of(*content),
        content_hash=f"{content}",
    )


def publish(store: EdgeStore, changes: Mapping[str, Content | None]) -> None:
    """What a sync does with these changes: every document's old chunks go, its new ones come."""
    embedder = WordEmbedder()
    chunks: list[Chunk] = []
    for name, content in changes.items():
        if content is not None:
            new = document(name, content)
            chunks += make_chunks(new, with_copy_keys([Span(0, len(new.body))], new, "near"))
    with store.writer(embedder="words", dimension=SIZE, fields={}, wait_s=5) as writer:
        writer.delete_documents([document_id("/docs", name) for name in changes])
        if chunks:
            writer.upsert(chunks, embedder.embed_documents([chunk.embedding_text() for chunk in chunks]))
        writer.commit()


def stored(points: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(points, key=lambda payload: str(payload["id"]))


def check_changes(batches: list[dict[str, Content | None]]) -> None:
    """After each batch nothing is lost or shown twice; at the end all is as if it had come at once."""
    with tempfile.TemporaryDirectory() as folder:
        store, files = EdgeStore(Path(folder) / "store"), dict[str, Content]()
        for batch in batches:
            publish(store, batch)
            files.update((name, content) for name, content in batch.items() if content is not None)
            files = {name: content for name, content in files.items() if batch.get(name, content) is not None}
            assert shown(store, WordEmbedder()) == expected(files)
        fresh = EdgeStore(Path(folder) / "fresh")
        publish(fresh, files)
        assert stored(fresh.scroll()) == stored(store.scroll())
        assert shown(fresh, WordEmbedder()) == expected(files)
        store.close()
        fresh.close()


@given(st.lists(CHANGES, min_size=2, max_size=2))
@examples(max_examples=2)
def test_any_changes(batches: list[dict[str, Content | None]]) -> None:
    check_changes(batches)


@pytest.mark.deep
@given(st.lists(CHANGES, min_size=2, max_size=6))
@examples(max_examples=30)
def test_many_changes(batches: list[dict[str, Content | None]]) -> None:
    check_changes(batches)


def test_a_sync_keeps_what_other_documents_hold(docs: Path, sync: Any, embedder: Embedder) -> None:
    for name, version in (("a", 0), ("b", 0), ("c", 1)):
        (docs / f"{name}.txt").write_text(f"{text_of(0, version)}{'.' * (name == 'b')}")
    assert sync(docs).code == 0
    assert {len(payload["_dl"]["copies"]) for payload in payloads()} == {8}
    assert shown(open_store(load_settings()), embedder)[None, 0] == [("a.txt", "b.txt", "c.txt")]
    (docs / "a.txt").write_text(text_of(1, 0))
    (docs / "b.txt").unlink()
    assert sync(docs).code == 0
    found = shown(open_store(load_settings()), embedder)
    assert (found[None, 0], found[None, 1]) == ([("c.txt",)], [("a.txt",)])
    assert sync(docs, "--set", "ingest.near_duplicates=exact").counts()[1] == len(payloads())
    assert {len(payload["_dl"]["copies"]) for payload in payloads()} == {1}
