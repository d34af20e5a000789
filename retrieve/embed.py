"""The embedder: texts to unit vectors, in float32 on the CPU, from local files only.

A BERT with mean pooling is run by the house (`retrieve.bert`), anything else by sentence-transformers,
with the same vectors. The tokenizer and the token limit are readable without torch, so that chunking
starts fast.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from configs.errors import ModelError
from configs.models import identity, model_path
from configs.settings import Settings
from retrieve.bert import is_plain_bert, load_bert
from retrieve.packed import PackedEncoder
from retrieve.store.base import Vector

if TYPE_CHECKING:
    from tokenizers import Tokenizer

QUERY_CACHE = 16_384
"""Texts whose vectors are kept, the questions' own and those of spans in them: 25 MB of 384 components."""
LIMITS = (("sentence_bert_config.json", "max_seq_length"), ("config.json", "max_position_embeddings"))


class Embedder(Protocol):
    """Turns texts into unit vectors."""

    @property
    def name(self) -> str:
        """What the store remembers: vectors of differently named embedders do not mix."""
        ...

    @property
    def dimension(self) -> int: ...

    def load(self) -> None:
        """Load the model now, which the first text would wait for; ModelError when it is not here."""
        ...

    def embed_documents(self, texts: Sequence[str]) -> Vector:
        """Vectors of passages, shape (len(texts), dimension), unit length."""
        ...

    def embed_query(self, text: str) -> Vector:
        """Vector of a question, shape (dimension,), unit length."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> Vector:
        """Vectors of questions and of parts of them, shape (len(texts), dimension), in one go."""
        ...


class Encoder(Protocol):
    """A loaded model."""

    def encode(self, texts: Sequence[str]) -> Vector:
        """Vectors of texts, shape (len(texts), dimension), unit length; there is one text at least."""
        ...


class SentenceEmbedder:
    """A sentence-transformers model; several threads may use it at once.

    The model is looked for when something is first asked of it and loaded when the first text comes,
    so that a run with nothing to embed starts fast and needs no model. Either may raise ModelError.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._encoder: Encoder | None = None
        self._recent = RecentVectors(QUERY_CACHE)
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return identity(self._settings.models.embed)

    @cached_property
    def _folder(self) -> Path:
        return _folder_of(self._settings)

    @cached_property
    def dimension(self) -> int:
        return _declared_dimension(self._folder) or self._loaded().encode([""]).shape[1]

    def load(self) -> None:
        self._loaded()

    def embed_documents(self, texts: Sequence[str]) -> Vector:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return self._loaded().encode(texts)

    def embed_query(self, text: str) -> Vector:
        return self._vectors([text])[text]

    def embed_queries(self, texts: Sequence[str]) -> Vector:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        vectors = self._vectors(texts)
        return np.stack([vectors[text] for text in texts])

    def _vectors(self, texts: Sequence[str]) -> Mapping[str, Vector]:
        """The vector of every text; what was asked for lately is remembered."""
        found = self._recent.get(texts)
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:
            rows = self._loaded().encode(missing)
            rows.setflags(write=False)  # they are shared by everyone who asks the same
            fresh = dict(zip(missing, rows, strict=True))
            self._recent.put(fresh)
            found |= fresh
        return found

    def _loaded(self) -> Encoder:
        with self._lock:
            if self._encoder is None:
                self._encoder = self._load()
            return self._encoder

    def _load(self) -> Encoder:
        try:
            if is_plain_bert(self._folder):
                tokenizer = load_tokenizer(self._settings)
                return PackedEncoder(load_bert(self._folder), tokenizer, max_tokens(self._settings))
            return SentenceTransformersEncoder(self._folder, self._settings.ingest.embed_batch)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise ModelError(f"cannot load the embedder in {self._folder}: {error}") from error


class SentenceTransformersEncoder:
    """Any model that sentence-transformers can run."""

    def __init__(self, folder: Path, batch: int) -> None:
        import torch
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()
        self._model = SentenceTransformer(
            str(folder), device="cpu", local_files_only=True, model_kwargs={"dtype": torch.float32}
        )
        self._batch = batch

    def encode(self, texts: Sequence[str]) -> Vector:
        vectors = self._model.encode(
            list(texts), batch_size=self._batch, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)


class RecentVectors:
    """The vectors of the texts that were asked for last; several threads may use one."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: OrderedDict[bytes, Vector] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, texts: Sequence[str]) -> dict[str, Vector]:
        """The texts that are known, with their vectors."""
        keys = {text: _digest(text) for text in texts}
        with self._lock:
            known = {text: key for text, key in keys.items() if key in self._kept}
            for key in known.values():
                self._kept.move_to_end(key)
            return {text: self._kept[key] for text, key in known.items()}

    def put(self, vectors: Mapping[str, Vector]) -> None:
        """Remember; those that nobody asked for longest are forgotten."""
        with self._lock:
            self._kept.update((_digest(text), vector) for text, vector in vectors.items())
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


def _digest(text: str) -> bytes:
    # A question may be as long as a book; what is remembered of it must not be.
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _declared_dimension(folder: Path) -> int | None:
    """What the model's files say, where the vector is its pooled last layer and nothing comes after."""
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        kinds = [module["type"].rpartition(".")[2] for module in modules]
        pooling = folder / modules[kinds.index("Pooling")]["path"] / "config.json"
        size = json.loads(pooling.read_text(encoding="utf-8"))["word_embedding_dimension"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return size if isinstance(size, int) and set(kinds) <= {"Transformer", "Pooling", "Normalize"} else None


def load_embedder(settings: Settings) -> Embedder:
    """The embedder that ``models.embed`` names; raises ModelError at first use when it is not here."""
    return SentenceEmbedder(settings)


def _folder_of(settings: Settings) -> Path:
    return model_path(settings.models.embed, settings, role="embed")


def load_tokenizer(settings: Settings) -> Tokenizer:
    """The embedder's own tokenizer, without torch, truncation and padding.

    Raises:
        ModelError: the model is not here, or has no readable tokenizer.json.
    """
    from tokenizers import Tokenizer

    path = _folder_of(settings) / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as error:  # tokenizers raises plain Exception on a file it cannot read
        raise ModelError(f"cannot read the embedder's tokenizer {path}: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def max_tokens(settings: Settings) -> int:
    """How many tokens of a text the embedder reads, special tokens included.

    Raises:
        ModelError: the model is not here, or does not say.
    """
    folder = _folder_of(settings)
    for file, key in LIMITS:
        path = folder / file
        if path.is_file():
            limit = json.loads(path.read_text(encoding="utf-8")).get(key)
            if isinstance(limit, int):
                return limit
    raise ModelError(f"{folder} does not say how many tokens it reads (sentence_bert_config.json)")
