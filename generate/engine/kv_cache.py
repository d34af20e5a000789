"""The paged KV cache's tensors: one pool of slots a layer, shared by all requests."""

from __future__ import annotations

import torch
from torch import Tensor


class KVCache:
    """Keys and values of every cached token.

    A slot holds one token of one layer; block ``b`` covers slots ``b * block_size`` and following.
    Keys are stored as attention gets them, with rotary position already applied.

    Shapes: ``keys[layer]`` and ``values[layer]`` are (slots, kv_heads, head_dim).

    Args:
        head_major: one head's tokens lie side by side in memory, instead of one token's heads. A CPU
            reads them twice as fast so; shapes are the same.
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
        head_major: bool = False,
    ) -> None:
        def store() -> Tensor:
            if head_major:
                return torch.zeros(kv_heads, slots, head_dim, dtype=dtype, device=device).transpose(0, 1)
            return torch.zeros(slots, kv_heads, head_dim, dtype=dtype, device=device)

        self._head_major = head_major
        self.keys = [store() for _ in range(layers)]
        self.values = [store() for _ in range(layers)]

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
        keys, values = self.keys[layer], self.values[layer]
        if self._head_major:  # seen as it lies in memory it is gathered faster
            keys, values = keys.transpose(0, 1), values.transpose(0, 1)
            return keys.index_select(1, slots).transpose(0, 1), values.index_select(1, slots).transpose(0, 1)
        return keys.index_select(0, slots), values.index_select(0, slots)

    def view(self, layer: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Keys and values of the slots from ``first`` to before ``last``, where they are, not copied."""
        return self.keys[layer][first:last], self.values[layer][first:last]

    def move(self, source: Tensor, target: Tensor) -> None:
        """Copy all layers' keys and values from slots to slots, (tokens,) each, which may overlap."""
        for store in (*self.keys, *self.values):
            store[target] = store[source]
