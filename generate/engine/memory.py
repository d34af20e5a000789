"""How large the KV cache may be."""

from __future__ import annotations

import torch

from configs.errors import ModelError
from configs.sections import GenerateSettings
from generate.engine.runner import ModelRunner

ON_A_CPU = 1024 * 2**20
"""Bytes of the cache on a CPU where the settings leave it open."""
KEPT_FREE = 0.08
"""Share of a device's memory for what others and the allocator's fragments take."""
FLOAT = 4


def cache_blocks(runner: ModelRunner, settings: GenerateSettings) -> int:
    """Blocks of the KV cache: of ``generate.kv_cache_mb``, or of what the device has left.

    Raises:
        ModelError: the weights leave no room on the device.
    """
    block = settings.block_size * runner.bytes_per_token()
    if settings.kv_cache_mb is not None:
        return max(1, int(settings.kv_cache_mb * 2**20) // block)
    if runner.device.type != "cuda":
        return max(1, ON_A_CPU // block)
    free, total = torch.cuda.mem_get_info(runner.device)
    return blocks_that_fit(free, total, block, working_bytes(runner, settings))


def blocks_that_fit(free: int, total: int, block: int, working: int) -> int:
    """Blocks of ``block`` bytes beside ``working`` bytes of intermediate results."""
    left = int(free - KEPT_FREE * total - working)
    if left < block:
        short = (block - left) / 2**20
        raise ModelError(
            f"the model's weights leave no room for a KV cache: {short:,.0f} MB are missing; "
            "choose a smaller model or lower generate.max_batch_tokens"
        )
    return left // block


def working_bytes(runner: ModelRunner, settings: GenerateSettings) -> int:
    """An upper bound of a step's intermediate results.

    A layer's widest are the MLP's, of which a few live at once; logits are float32, and masking and
    sampling them takes two copies more. Only decoding rows have logits, 512 of them at the most in
    what CUDA graphs hold, beside those of trees in steps that are not captured.
    """
    config = runner.config
    width = max(int(getattr(config, "intermediate_size", 0) or 0), 4 * int(config.hidden_size))
    activations = settings.max_batch_tokens * width * 4 * runner.dtype.itemsize
    logit_rows = min(settings.max_batch_tokens, settings.max_running * (1 + settings.draft_tokens))
    return activations + 3 * logit_rows * runner.vocab_size * FLOAT
