"""A short forward pass of our own for llama-shaped models on the CPU.

At a few rows a step, transformers' modules spend most of their time between the matrix products. Here a
layer is few calls into torch; the interface is that of the general runner.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import silu

from generate.engine.batch import PackedBatch
from generate.engine.kv_cache import HeadMajorCache
from generate.engine.lean_attention import Plan, attend
from generate.engine.lean_model import LeanLayer, MakeLinear, take_apart
from generate.engine.runner import ModelRunner


class LeanRunner(ModelRunner):
    """Runs a model that `lean_model.why_not` finds nothing against.

    Each head's dimensions are stored in another order than the model has them, queries and keys alike:
    the pairs that a rotary embedding turns together lie side by side.

    Args:
        model: a transformers model, of no use thereafter.
        make: builds the linear layers.
        weights: what these are made of, where it is not float32.
    """

    def __init__(self, model: Any, make: MakeLinear, *, weights: str | None = None) -> None:
        self._describe(model, weights)
        self._lean = take_apart(model, self.context_length, make)

    def new_cache(self, slots: int) -> HeadMajorCache:
        return HeadMajorCache(
            layers=self.layers,
            slots=slots,
            kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            dtype=self.dtype,
            device=self.device,
        )

    @torch.inference_mode()
    def forward(self, batch: PackedBatch) -> Tensor:
        model = self._lean
        x = model.embedding[batch.input_ids]
        rotary = model.rotary[batch.positions]
        for number, layer in enumerate(model.layers):
            x = layer.out(self._attend(layer, number, layer.qkv(x), rotary, batch), x)
            gate, up = layer.gate_up(x).chunk(2, 1)
            x = layer.down(silu(gate).mul_(up), x)
        if not len(batch.logit_rows):
            return x.new_empty(0, self.vocab_size)
        return model.head(x[batch.logit_rows])

    def _attend(
        self, layer: LeanLayer, number: int, qkv: Tensor, rotary: Tensor, batch: PackedBatch
    ) -> Tensor:
        """From the projections, (T, (heads + 2 kv_heads) * head_dim), to what each row gathers."""
        rows = len(qkv)
        heads = qkv.view(rows, -1, self.head_dim)
        queries, cached = heads[:, : self.heads], heads[:, self.heads :]
        if layer.query_norm and layer.key_norm:
            queries.copy_(layer.query_norm(queries))
            keys = cached[:, : self.kv_heads]
            keys.copy_(layer.key_norm(keys))
        pairs = torch.view_as_complex(qkv.view(rows, -1, self.head_dim // 2, 2))
        pairs[:, : self.heads + self.kv_heads].mul_(rotary)
        if batch.observer is not None:
            groups = queries.view(rows, -1, self.kv_heads, self.head_dim).permute(2, 1, 0, 3)
            batch.observer(number, groups.reshape(self.heads, rows, -1), 1.0)
        cache = batch.cache
        assert isinstance(cache, HeadMajorCache)
        plan = Plan.of(batch, layer.window, self.heads // self.kv_heads, self.kv_heads)
        plan.own.write(number, cache, cached)
        return attend(queries, number, cache, plan)
