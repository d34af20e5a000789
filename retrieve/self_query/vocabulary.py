"""The words of the language, by frequency, as the embedder's vocabulary has them.

Vocabularies of tokenizers are sorted by how frequent their pieces are, or nearly so. A word that is in
one as a whole is a word of the language, and no misspelt value of a field.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from configs.errors import ModelError
from configs.models import model_path
from configs.settings import Settings

SHORTEST = 4
_BEGINNINGS = ("\u2581", "\u0120")
"""How SentencePiece and byte-level BPE mark pieces that begin a word; WordPiece marks the others."""


def word_ranks(settings: Settings) -> Mapping[str, int]:
    """Folded words with their place in the embedder's vocabulary; empty where it cannot be read."""
    try:
        path = model_path(settings.models.embed, settings, role="embed") / "tokenizer.json"
        model = json.loads(path.read_text(encoding="utf-8"))["model"]
        return ranks_of(_pieces(model["vocab"]))
    except (ModelError, OSError, ValueError, KeyError, TypeError):
        return {}


def _pieces(vocab: Any) -> Iterable[str]:
    if isinstance(vocab, dict):
        return sorted(vocab, key=lambda piece: int(vocab[piece]))
    return [piece for piece, _ in vocab]


def ranks_of(pieces: Iterable[str]) -> dict[str, int]:
    """The whole words among a vocabulary's pieces, which are given in its order."""
    listed = list(pieces)
    marked = any(piece.startswith(_BEGINNINGS) for piece in listed)
    ranks: dict[str, int] = {}
    for rank, piece in enumerate(listed):
        word = piece[1:] if piece.startswith(_BEGINNINGS) else "" if marked else piece
        if len(word) >= SHORTEST and word.isalpha():
            ranks.setdefault(word.lower(), rank)
    return ranks
