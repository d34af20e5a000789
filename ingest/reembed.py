"""Embedding what is stored anew, with another model, beside the vectors that are still searched."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from configs.errors import InputError, ModelError
from configs.settings import Settings
from ingest.convert.kinds import kind_of
from ingest.ledger import LedgerChanges, apply_changes, read_ledger
from ingest.plan import labels_of, recipe_of
from ingest.progress import Stages
from retrieve.copying import batches
from retrieve.embed import load_embedder, load_tokenizer, max_tokens
from retrieve.schema import RESERVED_FIELDS
from retrieve.store.base import Record, Store, same_embedder


@dataclass(frozen=True)
class Reembedded:
    """What was embedded anew."""

    chunks: int
    before: str
    embedder: str
    recut: bool
    """Whether the next ingest cuts the documents anew, because the model reads text in other pieces."""
    seconds: float


def reembed(settings: Settings, store: Store, stages: Stages) -> Reembedded:
    """Give every stored chunk a vector of the embedder that the settings name, and switch at once.

    No file is read: the chunks stay as they are. Until the switch, readers find what there was.

    Raises:
        InputError: the store is empty, or the vectors are this embedder's already.
        StoreError: the store is locked or damaged. ModelError: the embedder is not here.
    """
    started = time.monotonic()
    store.recover()
    store.check()
    info = store.info()
    embedder = load_embedder(settings)
    if info.embedder is None:
        raise InputError("the store is empty: there is nothing to embed anew")
    if same_embedder(info.embedder, embedder.name):
        raise InputError(f"the vectors are of {embedder.name!r} already; name another with models.embed")
    fields = {name: kind for name, kind in info.fields.items() if name not in RESERVED_FIELDS}
    same = _cuts_alike(settings, info.embedder)
    stages.stage(f"embedding with {embedder.name}", info.chunks, "chunks")
    with store.writer(
        embedder=embedder.name,
        dimension=embedder.dimension,
        fields=fields,
        wait_s=settings.ingest.lock_wait_s,
        rebuild=f"vectors of {embedder.name} for generation {info.generation}",
    ) as writer:
        if store.info().generation != info.generation:
            raise InputError("the store has changed meanwhile; run it again")
        for batch in batches(store.records()):
            missing = writer.lacking(batch)
            missing.sort(key=lambda record: len(record.embedding_text()), reverse=True)
            vectors = embedder.embed_documents([record.embedding_text() for record in missing])
            writer.put([Record(r.id, r.payload, vector) for r, vector in zip(missing, vectors, strict=True)])
            stages.advance(len(batch))
        if same:
            changes = _new_recipes(settings, store, info.embedder)
            if changes:
                apply_changes(writer.side, changes)
        writer.commit()
    return Reembedded(info.chunks, info.embedder, embedder.name, not same, time.monotonic() - started)


def _with_embedder(settings: Settings, name: str) -> Settings:
    return settings.model_copy(update={"models": settings.models.model_copy(update={"embed": name})})


def _cuts_alike(settings: Settings, before: str) -> bool:
    """Whether documents are cut into the same chunks as they were for the embedder before."""
    earlier = _with_embedder(settings, before)
    try:
        if max_tokens(earlier) != max_tokens(settings):
            return False
        return bool(load_tokenizer(earlier).to_str() == load_tokenizer(settings).to_str())
    except ModelError:
        return False  # one of them is not here, so nobody can tell


def _new_recipes(settings: Settings, store: Store, before: str) -> LedgerChanges:
    """What is up to date but for the embedder's name is up to date."""
    earlier, changes = _with_embedder(settings, before), LedgerChanges()
    for entry in read_ledger(store).documents.values():
        kind, labels = kind_of(entry.key[1]), labels_of(entry.key[1], settings.ingest)
        if kind is not None and entry.recipe == recipe_of(kind, *labels, earlier):
            changes.put.append(replace(entry, recipe=recipe_of(kind, *labels, settings)))
    return changes
