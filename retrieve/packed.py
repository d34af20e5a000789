"""Short texts embedded end to end in one sequence: no padding, and nothing wrapped around the model.

A question and the spans cut from it differ in length, and for a dozen tokens most of the time goes into
what surrounds the model. The vectors are those of sentence-transformers, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from retrieve.store.base import Vector

PACK_TOKENS = 256
"""Tokens in one sequence, unless a single text has more: attention grows with the square of them."""


class PackedEncoder:
    """A BERT with mean pooling, each text attending to itself alone; several threads may use one.

    Source: Krell et al., "Efficient Sequence Packing without Cross-contamination" (2021), section 3.2:
    positions begin anew with each text, and the attention mask is block-diagonal.
    """

    def __init__(self, bert: Any, tokenizer: Any, max_tokens: int) -> None:
        """``tokenizer``: a `tokenizers.Tokenizer` of this encoder's own; it is set to ``max_tokens``."""
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length=max_tokens)
        self._bert = bert
        self._tokenizer = tokenizer

    def encode(self, texts: Sequence[str]) -> Vector:
        """Vectors of texts, shape (len(texts), dimension), unit length; there must be one text at least."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        return np.concatenate([self._forward(pack) for pack in packs(ids, PACK_TOKENS)])

    def _forward(self, pack: Sequence[Sequence[int]]) -> Vector:
        import torch

        lengths = torch.tensor([len(ids) for ids in pack])
        with torch.inference_mode():
            segments = torch.repeat_interleave(torch.arange(len(pack)), lengths)
            positions = torch.cat([torch.arange(len(ids)) for ids in pack])
            hidden = self._bert(
                input_ids=torch.tensor([[token for ids in pack for token in ids]]),
                position_ids=positions[None],
                attention_mask=(segments[:, None] == segments)[None, None] if len(pack) > 1 else None,
            ).last_hidden_state[0]
            sums = torch.zeros(len(pack), hidden.shape[1]).index_add_(0, segments, hidden)
            means = sums / lengths[:, None]
            vectors: Vector = torch.nn.functional.normalize(means, dim=1).numpy()
        return vectors


def packs(ids: Sequence[Sequence[int]], limit: int) -> list[list[Sequence[int]]]:
    """Sequences in their order, as many in a pack as fit into ``limit`` tokens, and one at least."""
    made: list[list[Sequence[int]]] = []
    room = 0
    for sequence in ids:
        if not made or len(sequence) > room:
            made.append([])
            room = limit
        made[-1].append(sequence)
        room -= len(sequence)
    return made


def packed_encoder(model: Any) -> PackedEncoder | None:
    """The packed form of a sentence-transformers model; None where it is not a BERT with mean pooling."""
    from sentence_transformers.models import Normalize, Pooling
    from tokenizers import Tokenizer
    from transformers import BertModel

    first, *rest = model
    kinds = [type(module) for module in rest]
    if kinds not in ([Pooling], [Pooling, Normalize]) or type(getattr(first, "model", None)) is not BertModel:
        return None
    plain = model.default_prompt_name is None and model.truncate_dim is None
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if not plain or rest[0].pooling_mode != "mean" or backend is None or not model.max_seq_length:
        return None
    return PackedEncoder(first.model, Tokenizer.from_str(backend.to_str()), model.max_seq_length)
