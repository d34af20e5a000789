"""Runs any transformers causal language model over packed batches and the paged cache.

The model's own code does everything but attention, so a family that transformers supports through
its attention interface is supported here. Nothing is kept in transformers' caches.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from torch import Tensor

from configs.errors import ModelError
from generate.engine import attention
from generate.engine.batch import PackedBatch
from generate.engine.kv_cache import KVCache
from generate.engine.window import SINKS


class ModelRunner:
    """A model, and what the engine needs to know of its shape.

    ``context_length`` is the longest sequence the model may see, in tokens. A model whose rotary
    factors depend on the longest sequence of a forward pass (longrope, dynamic NTK) is held to
    the length up to which they do not: beyond it a packed neighbour would change a request's output.

    Args:
        model: a causal language model of transformers.
        weights: what its weights are, where that is not the type that it computes with.
        attention_window: let every token see so many recent ones and the first, see `window`; None: all.
    """

    def __init__(
        self, model: Any, *, weights: str | None = None, attention_window: int | None = None
    ) -> None:
        model.set_attn_implementation(attention.register())
        self.model = model.eval()
        self._describe(model, weights, attention_window)

    def _describe(self, model: Any, weights: str | None, attention_window: int | None = None) -> None:
        self.config = config = model.config.get_text_config()
        self.layers = int(config.num_hidden_layers)
        self.heads = int(config.num_attention_heads)
        self.kv_heads = int(getattr(config, "num_key_value_heads", None) or self.heads)
        self.head_dim = int(getattr(config, "head_dim", None) or config.hidden_size // self.heads)
        self.context_length = _context_length(config)
        self.vocab_size = int(config.vocab_size)
        self.dtype: torch.dtype = model.dtype
        self.device: torch.device = _device(model)
        self.eos_ids = _eos_ids(model)
        self.weights = weights or str(self.dtype).removeprefix("torch.")
        """Their type, for people: ``int8`` says that they were quantised, ``lossy`` that more was changed."""
        self.attention_window = attention_window
        if attention_window is not None:
            self.weights += f" (lossy: window {attention_window})"
        self.identity = f"{type(self).__name__} {self.weights} {model.config.to_json_string()}"
        """Tells models apart whose steps take different times."""

    @classmethod
    def from_folder(cls, folder: Path, *, device: str = "auto", dtype: str = "auto") -> ModelRunner:
        """Load a model from local files; arguments and errors are those of `load_model`."""
        return cls(load_model(folder, device=device, dtype=dtype))

    @property
    def sight(self) -> int:
        """The most tokens that a token sees: what it costs does not grow with a longer context."""
        window = self.context_length if self.attention_window is None else self.attention_window + SINKS
        return min(window, self.context_length)

    def bytes_per_token(self) -> int:
        """What one token costs in the KV cache."""
        return KVCache.bytes_per_token(self.layers, self.kv_heads, self.head_dim, self.dtype)

    def new_cache(self, slots: int) -> KVCache:
        """An empty cache for this model."""
        return KVCache(
            layers=self.layers,
            slots=slots,
            kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            dtype=self.dtype,
            device=self.device,
        )

    @torch.inference_mode()
    def forward(self, batch: PackedBatch) -> Tensor:
        """Compute a step; K/V of its tokens land in the cache.

        Returns:
            Logits of ``batch.logit_rows``: float32, (rows, vocabulary).
        """
        # Without wanted rows one is computed all the same: an empty projection is not worth a branch.
        rows = batch.logit_rows if len(batch.logit_rows) else batch.logit_rows.new_zeros(1)
        output = self.model(
            input_ids=batch.input_ids[None],
            position_ids=batch.positions[None],
            use_cache=False,
            logits_to_keep=rows,
            step=batch,
            attention_window=self.attention_window,
        )
        logits: Tensor = output.logits[0, : len(batch.logit_rows)].float()
        return logits


def load_model(
    folder: Path, *, device: str = "auto", dtype: str = "auto", weights_mb: float | None = None
) -> Any:
    """Load a causal language model of transformers from local files.

    Args:
        device: ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.
        dtype: ``auto`` (float32 on the CPU, bfloat16 on CUDA) or a torch dtype's name.
        weights_mb: weights that stay in the device's memory; the others are read anew in every
            forward pass, from host memory or from the files. None: all stay.

    Raises:
        ModelError: not a model folder, damaged weights, or no such device.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise ModelError("generate.device is cuda, but torch sees no CUDA device; set generate.device=cpu")
    if dtype == "auto":
        dtype = "bfloat16" if device == "cuda" else "float32"
    disable_progress_bar()  # commands draw their own
    places = {} if weights_mb is None else _places(device, weights_mb)
    try:
        model, loaded = AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, dtype), local_files_only=True, output_loading_info=True, **places
        )
    except Exception as error:  # damaged files end in errors of any kind
        shutil.rmtree(places.get("offload_folder", ""), ignore_errors=True)
        reason = shorten(f"{type(error).__name__}: {error}", 400, placeholder=" ...")
        raise ModelError(f"{folder}: cannot be loaded as a causal language model: {reason}") from error
    if missing := sorted(loaded["missing_keys"]):  # transformers would go on with random numbers
        raise ModelError(f"{folder}: its weights lack {len(missing)} tensors, among them {missing[0]}")
    if weights_mb is None:
        return model.to(device).eval()
    weakref.finalize(model, shutil.rmtree, places["offload_folder"], ignore_errors=True)
    return model.eval()


def _places(device: str, weights_mb: float) -> dict[str, Any]:
    """How transformers is told to stream weights (accelerate's offloading, layer by layer)."""
    here: int | str = 0 if device == "cuda" else "cpu"
    return {
        "device_map": "auto",
        "max_memory": {here: int(weights_mb * 2**20), **_host_memory(device)},
        # Weights whose file has them in another form (mixtures of experts) are written there once.
        "offload_folder": tempfile.mkdtemp(prefix="draftline-weights-"),
    }


def _host_memory(device: str) -> dict[str, int]:
    """What a card's weights may take in host memory before they are read from the files: half of it."""
    if device != "cuda":
        return {}
    return {"cpu": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2}


def _device(model: Any) -> torch.device:
    """Where the model computes, which streamed weights do not tell."""
    if model.device.type != "meta":
        return torch.device(model.device)
    cards = [place for place in model.hf_device_map.values() if isinstance(place, int)]
    return torch.device("cuda", cards[0]) if cards else torch.device("cpu")


def _context_length(config: Any) -> int:
    limit = int(config.max_position_embeddings)
    parameters = getattr(config, "rope_parameters", None) or {}
    by_layer = parameters.values() if all(isinstance(p, dict) for p in parameters.values()) else [parameters]
    for rope in by_layer:
        if rope.get("rope_type") in ("longrope", "dynamic"):
            original = rope.get("original_max_position_embeddings")
            original = original or getattr(config, "original_max_position_embeddings", None)
            limit = min(limit, int(original or limit))
    return limit


def _eos_ids(model: Any) -> frozenset[int]:
    ids = model.generation_config.eos_token_id
    if ids is None:
        ids = model.config.get_text_config().eos_token_id
    if ids is None:
        return frozenset()
    return frozenset(ids) if isinstance(ids, list | tuple) else frozenset((int(ids),))
