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


class HeadMajorCache(KVCache):
    """The same, laid out for a CPU: one head's tokens lie side by side, which it reads twice as fast.

    ``keys[layer]`` and ``values[layer]`` have the same shapes, but other strides: both are views of
    ``stores[layer]`` (2 * kv_heads, slots, head_dim), the key heads first.
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
        shape = (2 * kv_heads, slots, head_dim)
        self.stores = [torch.zeros(shape, dtype=dtype, device=device) for _ in range(layers)]
        self.keys = [store[:kv_heads].transpose(0, 1) for store in self.stores]
        self.values = [store[kv_heads:].transpose(0, 1) for store in self.stores]

    def put(self, layer: int, slots: Tensor, heads: Tensor) -> None:
        """Store ``heads`` (tokens, 2 * kv_heads, head_dim), keys before values, at ``slots`` (tokens,)."""
        self.stores[layer].index_copy_(1, slots, heads.transpose(0, 1))

    def view(self, layer: int, first: int, last: int) -> Tensor:
        """The slots from ``first`` to before ``last``, not copied: (2 * kv_heads, tokens, head_dim)."""
        return self.stores[layer][:, first:last]

    def gather(self, layer: int, slots: Tensor) -> Tensor:
        """Copies of ``slots`` (tokens,): (2 * kv_heads, tokens, head_dim)."""
        return self.stores[layer].index_select(1, slots)

    def read(self, layer: int, slots: Tensor) -> tuple[Tensor, Tensor]:
        keys, values = self.gather(layer, slots).transpose(0, 1).chunk(2, 1)
        return keys, values
