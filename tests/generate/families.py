"""Tiny random models, one of each family that the engine is tested with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GenerationConfig,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    PhiConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

VOCAB = 320
CONTEXT = 512
WINDOW = 12


def _shape(**more: Any) -> dict[str, Any]:
    """What all families share: grouped-query heads, no special tokens, logits far apart."""
    return {
        "vocab_size": VOCAB,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "initializer_range": 0.1,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        **more,
    }


FAMILIES: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: LlamaConfig(**_shape()),
    "mistral": lambda: MistralConfig(**_shape(sliding_window=WINDOW)),
    "mixtral": lambda: MixtralConfig(**_shape(num_local_experts=4, num_experts_per_tok=2)),
    "phi": lambda: PhiConfig(**_shape()),
    "qwen2": lambda: Qwen2Config(**_shape()),
    "qwen3": lambda: Qwen3Config(**_shape(head_dim=16)),
    # Both kinds of layer, so that windows and rotary bases differ within one model.
    "gemma3": lambda: Gemma3TextConfig(
        **_shape(
            num_hidden_layers=3,
            head_dim=16,
            query_pre_attn_scalar=16,
            tie_word_embeddings=False,  # tied, a random Gemma repeats its last token for ever
            sliding_window=WINDOW,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        )
    ),
}


def make_model(family: str, folder: Path, seed: int = 0) -> Path:
    """Save a random float32 model of a family; its generation config is greedy and has no eos."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(FAMILIES[family](), dtype=torch.float32)
        for parameter in model.parameters():
            if parameter.ndim == 1:  # norms begin as ones and biases as zeros, which would hide mistakes
                parameter.data += 0.2 * torch.randn_like(parameter)
    model.generation_config = GenerationConfig(do_sample=False)
    model.save_pretrained(folder)
    return folder
