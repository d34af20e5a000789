"""Reranking: a cross-encoder reads question and passage together, slower and better than vectors."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from configs.errors import ModelError
from configs.models import model_path
from configs.settings import Settings
from retrieve.schema import Passage, embedding_text


class Reranker(Protocol):
    """Says how well passages answer a question."""

    def scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        """0 to 1 for each text, comparable across questions."""
        ...


class CrossEncoderReranker:
    """A sentence-transformers cross-encoder on the CPU, loaded when the first question comes."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._model: Any = None
        self._lock = threading.Lock()

    def scores(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        import torch

        # Models differ in whether they end in a sigmoid of their own; with ours all speak in 0 to 1.
        values = self._loaded().predict(
            [(question, text) for text in texts], activation_fn=torch.nn.Sigmoid(), show_progress_bar=False
        )
        return [float(value) for value in values]

    def _loaded(self) -> Any:
        with self._lock:
            if self._model is None:
                self._model = _load(model_path(self._name, self._settings, role="rerank"))
            return self._model


def load_reranker(settings: Settings) -> Reranker | None:
    """The reranker that ``models.rerank`` names, or None; raises ModelError at first use if it is missing."""
    name = settings.models.rerank
    return None if name is None else CrossEncoderReranker(settings, name)


def reranked(question: str, passages: Sequence[Passage], reranker: Reranker, depth: int) -> list[Passage]:
    """The best ``depth`` passages in the reranker's order and with its scores; the others are left out."""
    read = passages[:depth]
    texts = [embedding_text(passage.section, passage.text, passage.header) for passage in read]
    scores = reranker.scores(question, texts)
    scored = (replace(passage, score=score) for passage, score in zip(read, scores, strict=True))
    return sorted(scored, key=lambda passage: -passage.score)


def _load(folder: Path) -> Any:
    import torch
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model = CrossEncoder(
            str(folder), device="cpu", local_files_only=True, model_kwargs={"dtype": torch.float32}
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"cannot load the reranker in {folder}: {error}") from error
    if model.num_labels != 1:
        raise ModelError(
            f"the model in {folder} cannot rerank: it gives {model.num_labels} scores for a passage, not one"
        )
    return model
