"""Runs a llama-shaped model by the compiled kernels: one call a step, exact in any batch.

INT8 weights and activations are quantised in blocks of 64 inputs with a scale each; float32 stays as it is.
A row's logits are the same, bit for bit, whatever tree, batch or chunk it is computed in: see native.h.
"""

from __future__ import annotations

import weakref
from ctypes import CDLL, Array, addressof, byref, c_void_p
from typing import Any

import torch
from torch import Tensor

from generate.engine.batch import PackedBatch
from generate.engine.kv_cache import HeadMajorCache
from generate.engine.lean import LeanRunner
from generate.engine.lean_model import LeanLayer, LeanModel, Norm
from generate.engine.native import library
from generate.engine.native.library import Batch, Layer, Linear, Model, Segment


class NativeLinear:
    """An INT8 layer as the kernels read it, with the norm before it.

    `NativeRunner` computes whole steps with such layers; by itself one takes a single thread.

    Args:
        weight: (outputs, inputs), float32.
        bias: (outputs,), float32.
    """

    kind = library.INT8

    def __init__(self, weight: Tensor, bias: Tensor | None, norm: Norm | None) -> None:
        kernels = _kernels()
        weight = weight.contiguous()
        self.norm = norm
        self._bias = None if bias is None else bias.contiguous()
        self._packed = torch.empty(kernels.packed_bytes(*weight.shape, self.kind), dtype=torch.uint8)
        kernels.pack(weight.data_ptr(), *weight.shape, self.kind, self._packed.data_ptr())
        self.struct = Linear(*weight.shape, self._packed.data_ptr(), _pointer(self._bias), self.kind)

    def __call__(self, x: Tensor, onto: Tensor | None = None) -> Tensor:
        x = x.contiguous()
        result = x.new_empty(len(x), self.struct.outputs)
        gain, eps = (None, 0.0) if self.norm is None else (self.norm.weight, self.norm.eps)
        _kernels().multiply(byref(self.struct), x.data_ptr(), _pointer(gain), eps, len(x), result.data_ptr())
        return result if onto is None else result.add_(onto)


class NativeFloatLinear(NativeLinear):
    """The same with float32 weights."""

    kind = library.FLOAT32


class NativeRunner(LeanRunner):
    """Runs a model that `lean_model.why_not` and `why_not` find nothing against.

    Args:
        int8: quantise the model's weights.
    """

    def __init__(self, model: Any, *, int8: bool = True) -> None:
        kernels = _kernels()
        super().__init__(model, NativeLinear if int8 else NativeFloatLinear, weights="int8" if int8 else None)
        self._structs = _Structs(self._lean, self.heads, self.kv_heads, self.head_dim)
        self._handle = kernels.runner_open(byref(self._structs.model))
        if not self._handle:
            raise MemoryError("a runner")
        # At exit another thread may be in a step; the system takes the memory back without us.
        weakref.finalize(self, kernels.runner_close, self._handle).atexit = False
        self._forward = kernels.runner_forward
        self._stores: weakref.WeakKeyDictionary[HeadMajorCache, Array[c_void_p]] = weakref.WeakKeyDictionary()
        self.identity += f" {kernels.compiled_for().decode()}"

    def forward(self, batch: PackedBatch) -> Tensor:
        cache, rows = batch.cache, len(batch.input_ids)
        assert isinstance(cache, HeadMajorCache)
        self._structs.check(batch)
        logits = torch.empty(len(batch.logit_rows), self.vocab_size)
        queries = None
        if batch.observer is not None:
            queries = torch.empty(self.layers, rows, self.heads, self.head_dim)
        segments = [
            Segment(s.begin, s.end - s.begin, len(s.slots), s.slots.data_ptr(), _pointer(s.ancestors))
            for s in batch.segments
        ]
        step = Batch(
            rows=rows,
            segment_count=len(segments),
            logit_count=len(logits),
            ids=batch.input_ids.data_ptr(),
            positions=batch.positions.data_ptr(),
            own=batch.slots.data_ptr(),
            segments=(Segment * len(segments))(*segments),
            logit_rows=batch.logit_rows.data_ptr(),
            stores=self._stores_of(cache),
            slots=cache.stores[0].shape[1],
            queries=_pointer(queries),
            logits=logits.data_ptr(),
        )
        if self._forward(self._handle, byref(step), torch.get_num_threads()):
            raise MemoryError(f"a step of {rows} tokens")
        if batch.observer is not None and queries is not None:
            for number, seen in enumerate(queries):
                groups = seen.view(rows, -1, self.kv_heads, self.head_dim).permute(2, 1, 0, 3)
                batch.observer(number, groups.reshape(self.heads, rows, -1), 1.0)
        return logits

    def _stores_of(self, cache: HeadMajorCache) -> Any:
        found = self._stores.get(cache)
        if found is None:
            pointers = [store.data_ptr() for store in cache.stores]
            found = self._stores[cache] = (c_void_p * len(pointers))(*pointers)
        return addressof(found)


class _Structs:
    """A model as the kernels see it; keeps alive what it points to."""

    def __init__(self, lean: LeanModel, heads: int, kv_heads: int, head_dim: int) -> None:
        self._rotary = torch.view_as_real(lean.rotary).contiguous()
        self._lean = lean
        layers = (Layer * len(lean.layers))(*(self._layer(layer) for layer in lean.layers))
        first = lean.layers[0]
        assert isinstance(first.down, NativeLinear)
        self.model = Model(
            layer_count=len(layers),
            hidden=lean.embedding.shape[1],
            inner=first.down.struct.inputs,
            heads=heads,
            kv_heads=kv_heads,
            head_dim=head_dim,
            vocabulary=len(lean.embedding),
            eps=_norm(lean.head).eps,
            embedding=lean.embedding.data_ptr(),
            rotary=self._rotary.data_ptr(),
            last_norm=_norm(lean.head).weight.data_ptr(),
            head=_struct(lean.head),
            layers=layers,
        )

    def check(self, batch: PackedBatch) -> None:
        """Refuse what the kernels would read beyond the model's tables for.

        Raises:
            IndexError: a token that the vocabulary does not have, or a position beyond the context.
        """
        for name, rows, found in (
            ("token", self.model.vocabulary, batch.input_ids),
            ("position", len(self._rotary), batch.positions),
        ):
            low, high = torch.aminmax(found)
            if low < 0 or high >= rows:
                raise IndexError(f"{name}s from {int(low)} to {int(high)}, of {rows}")

    def _layer(self, layer: LeanLayer) -> Layer:
        return Layer(
            qkv=_struct(layer.qkv),
            out=_struct(layer.out),
            gate_up=_struct(layer.gate_up),
            down=_struct(layer.down),
            attention_norm=_norm(layer.qkv).weight.data_ptr(),
            mlp_norm=_norm(layer.gate_up).weight.data_ptr(),
            query_norm=layer.query_norm and layer.query_norm.weight.data_ptr(),
            key_norm=layer.key_norm and layer.key_norm.weight.data_ptr(),
            window=layer.window or 0,
        )


def why_not(model: Any) -> str | None:
    """What keeps a llama-shaped model from running on these kernels; None if nothing does."""
    if library.kernels() is None:
        return "no kernels were compiled for this processor"
    config = model.config
    attention = model.model.layers[0].self_attn
    if attention.head_dim % 8:
        return f"heads of {attention.head_dim} dimensions, which is no multiple of 8"
    if config.intermediate_size % 16:
        return f"an intermediate size of {config.intermediate_size}, which is no multiple of 16"
    if not config.vocab_size == len(model.get_input_embeddings().weight) == len(model.lm_head.weight):
        return "a vocabulary of another size than the first or the last layer's"
    return None


def _kernels() -> CDLL:
    found = library.kernels()
    assert found is not None
    return found


def _struct(linear: Any) -> Linear:
    assert isinstance(linear, NativeLinear)
    return linear.struct


def _norm(linear: Any) -> Norm:
    assert isinstance(linear, NativeLinear)
    assert linear.norm is not None
    return linear.norm


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
