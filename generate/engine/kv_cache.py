"""The paged KV cache's tensors: one pool of slots a layer, shared by all requests."""

from __future__ import annotations

import torch
from torch import Tensor


class KVCache:
    """Keys and values of every cached token.

    A slot holds one token of one layer; block ``b`` covers slots ``b * block_size`` and following.
    Keys are stored as attention gets them, with rotary position already applied.

    Shapes: ``keys[layer]`` and ``values[layer]`` are (slots, kv_heads, head_dim).
    """

    def __init__(
        self,
        *,
        layers: int,
        slots: int,
        kv_heads: int,
        head_dim: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        shape = (slots, kv_heads, head_dim)
        self.keys = [torch.zeros(shape, dtype=dtype, device=device) for _ in range(layers)]
        self.values = [torch.zeros(shape, dtype=dtype, device=device) for _ in range(layers)]

    @staticmethod
    def bytes_per_token(layers: int, kv_heads: int, head_dim: int, dtype: torch.dtype) -> int:
        """What one token costs in all layers together."""
        return 2 * layers * kv_heads * head_dim * dtype.itemsize

    def write(self, layer: int, slots: Tensor, keys: Tensor, values: Tensor) -> None:
        """Store ``keys`` and ``values`` (tokens, kv_heads, head_dim) at ``slots`` (tokens,)."""
        self.keys[layer].index_copy_(0, slots, keys)
        self.values[layer].index_copy_(0, slots, values)

    def read(self, layer: int, slots: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values at ``slots`` (tokens,): each (tokens, kv_heads, head_dim)."""
        return self.keys[layer].index_select(0, slots), self.values[layer].index_select(0, slots)

    def move(self, source: Tensor, target: Tensor) -> None:
        """Copy all layers' keys and values from slots to slots, (tokens,) each, which may overlap."""
        for store in (*self.keys, *self.values):
            store[target] = store[source]
