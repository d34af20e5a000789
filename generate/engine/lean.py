"""A short forward pass of our own for llama-shaped models on the CPU.

At a few rows a step, transformers' modules spend most of their time between the matrix products. Here a
layer is some two dozen calls into torch; the interface is that of the general runner.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import silu

from generate.engine.batch import PackedBatch
from generate.engine.kv_cache import KVCache
from generate.engine.lean_attention import attend, plan
from generate.engine.lean_model import LeanLayer, MakeLinear, take_apart
from generate.engine.runner import ModelRunner


class LeanRunner(ModelRunner):
    """Runs a model that `lean_model.why_not` finds nothing against.

    Each head's dimensions are stored in another order than the model has them, queries and keys alike:
    the pairs that a rotary embedding turns together lie side by side.

    Args:
        model: a transformers model, of no use thereafter.
        make: builds the linear layers.
    """

    def __init__(self, model: Any, make: MakeLinear) -> None:
        self._describe(model)
        self._lean = take_apart(model, self.context_length, make)
        self._group = self.heads // self.kv_heads

    def new_cache(self, slots: int) -> KVCache:
        return KVCache(
            layers=self.layers,
            slots=slots,
            kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            dtype=self.dtype,
            device=self.device,
            head_major=True,
        )

    @torch.inference_mode()
    def forward(self, batch: PackedBatch) -> Tensor:
        model = self._lean
        x = model.embedding[batch.input_ids]
        rotary = model.rotary[batch.positions]
        for number, layer in enumerate(model.layers):
            attended = self._attend(layer, number, layer.qkv(layer.input_norm(x)), rotary, batch)
            x = layer.out(attended).add_(x)
            gate, up = layer.gate_up(layer.mlp_norm(x)).chunk(2, -1)
            x = layer.down(silu(gate).mul_(up)).add_(x)
        if not len(batch.logit_rows):
            return x.new_empty(0, self.vocab_size)
        return model.head(model.norm(x[batch.logit_rows]))

    def _attend(
        self, layer: LeanLayer, number: int, qkv: Tensor, rotary: Tensor, batch: PackedBatch
    ) -> Tensor:
        """From the projections, (T, (heads + 2 kv_heads) * head_dim), to what each row gathers."""
        rows = len(qkv)
        heads = qkv.view(rows, -1, self.head_dim)
        queries, keys, values = torch.split(heads, [self.heads, self.kv_heads, self.kv_heads], 1)
        if layer.query_norm and layer.key_norm:
            queries, keys = layer.query_norm(queries), layer.key_norm(keys)
        queries, keys = _rotate(queries, rotary), _rotate(keys, rotary)
        if batch.observer is not None:
            batch.observer(number, queries.transpose(0, 1), 1.0)
        batch.cache.write(number, batch.slots, keys, values)
        grouped = queries.view(rows, self.kv_heads, self._group, self.head_dim).transpose(0, 1).contiguous()
        attended = attend(grouped, number, batch.cache, plan(batch, layer.window, self._group))
        return attended.transpose(0, 1).reshape(rows, -1)


def _rotate(heads: Tensor, rotary: Tensor) -> Tensor:
    """Turn the pairs of (T, heads, head_dim) by complex ``rotary`` (T, 1, head_dim / 2)."""
    turned = torch.view_as_complex(heads.view(*heads.shape[:2], -1, 2)) * rotary
    return torch.view_as_real(turned).flatten(2)
