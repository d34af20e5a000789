"""What a step of a model costs on this machine, without its weights.

Random numbers of the right shape take as long to multiply as trained ones. They write no text, so
there is nothing to accept and no decoding speed to tell: these are step costs and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from configs.errors import InputError
from configs.sections import GenerateSettings
from generate.bench.memory import available_bytes, gigabytes
from generate.bench.report import align
from generate.bench.stats import estimate
from generate.bench.systems import type_name
from generate.engine.batch import pack
from generate.engine.engine import Engine
from generate.engine.kv_cache import KVCache
from generate.engine.request import Request, SamplingParams
from generate.engine.scheduler import Scheduled
from generate.load import runner_for
from generate.speculate.tree import TokenTree

SHAPES: dict[str, dict[str, Any]] = {
    "llama-3.1-8b": {
        "vocab_size": 128_256,
        "hidden_size": 4096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "max_position_embeddings": 131_072,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0},
    },
    "tiny": {
        "vocab_size": 320,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
    },
}
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Of a request in a step: its last token and the drafts below it."""


def step_costs(
    shape: str,
    settings: GenerateSettings,
    *,
    batches: Sequence[int],
    contexts: Sequence[int],
    repeats: int,
    note: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Time steps of decoding requests over batch, context and rows, interleaved.

    Returns:
        For each: batch, context, rows (of a request), step_s with its interval, and runs.

    Raises:
        InputError: the weights or the KV cache do not fit into memory, or a context is too long.
    """
    engine = _open(shape, settings, max(batches), max(contexts))
    rows = []
    for context in contexts:
        for batch in batches:
            note(f"batch {batch}, context {context}")
            samples: dict[int, list[float]] = {count: [] for count in ROWS}
            for repeat in range(repeats + 1):
                for count in ROWS:
                    seconds = _step(engine, batch, context, count)
                    if repeat:  # the first round warms up
                        samples[count].append(seconds)
            for count, found in samples.items():
                cost = estimate(found)
                rows.append(
                    {
                        "batch": batch,
                        "context": context,
                        "rows": count,
                        "step_s": cost.median,
                        "low": cost.low,
                        "high": cost.high,
                        "device": str(engine.runner.device),
                        "weights": engine.runner.weights,
                        "runs": len(found),
                    }
                )
    return rows


def _open(shape: str, settings: GenerateSettings, batch: int, context: int) -> Engine:
    config = LlamaConfig(**SHAPES[shape])
    if context + max(ROWS) > config.max_position_embeddings:
        raise InputError(f"--context {context} and {max(ROWS)} drafts exceed {shape}'s context")
    device, dtype = _place(settings)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in AutoModelForCausalLM.from_config(config).parameters())
    weights = parameters * dtype.itemsize
    blocks = batch * -(-(context + max(ROWS)) // settings.block_size)
    token = KVCache.bytes_per_token(
        config.num_hidden_layers,
        config.num_key_value_heads,
        config.hidden_size // config.num_attention_heads,
        dtype,
    )
    cache = blocks * settings.block_size * token
    if weights + cache > (free := available_bytes(device)):
        raise InputError(
            f"--dummy {shape} needs {gigabytes(weights)} for its weights ({type_name(dtype)}) and "
            f"{gigabytes(cache)} for the KV cache of batch {batch} at context {context}, but {device.type} "
            f"has {gigabytes(free)} free: take a smaller batch or context, or a device with more memory"
        )
    with device, torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    # Half a block more, so that dividing by its size gives this number again.
    megabytes = (blocks + 0.5) * settings.block_size * token / 2**20
    runner = runner_for(model, attention_window=settings.attention_window)
    return Engine(runner, settings.model_copy(update={"kv_cache_mb": megabytes}))


def _place(settings: GenerateSettings) -> tuple[torch.device, torch.dtype]:
    """The device and type that `load_model` would take."""
    here = torch.cuda.is_available()
    if settings.device == "cuda" and not here:
        raise InputError("generate.device is cuda, but torch sees no CUDA device; set generate.device=cpu")
    device = ("cuda" if here else "cpu") if settings.device == "auto" else settings.device
    name = ("bfloat16" if device == "cuda" else "float32") if settings.dtype == "auto" else settings.dtype
    return torch.device(device), getattr(torch, name)


def _step(engine: Engine, batch: int, context: int, rows: int) -> float:
    """Seconds of one step: each request has a block table of its own, so nobody shares KV."""
    size = engine.pool.block_size
    blocks = engine.pool.blocks_for(context + rows)
    shares = []
    for place in range(batch):
        request = Request((0,) * (context + 1), SamplingParams())
        request.computed = context
        request.block_table = list(range(place * blocks, (place + 1) * blocks))
        shares.append(Scheduled(request, 1, TokenTree.chain(range(1, rows))))
    started = time.perf_counter()
    batch_of_step = pack(shares, engine.cache, size, engine.runner.device)
    engine.runner.forward(batch_of_step).amax(-1).tolist()  # waits for the device
    return time.perf_counter() - started


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Milliseconds of a step, a line for each batch and context, a column for each number of rows."""
    counts = list(dict.fromkeys(row["rows"] for row in rows))
    cells = [["step cost in ms", *(f"{count} rows" for count in counts)]]
    for batch, context in dict.fromkeys((row["batch"], row["context"]) for row in rows):
        here = [row for row in rows if (row["batch"], row["context"]) == (batch, context)]
        name = f"batch {batch}, context {context}"
        cells.append([name, *(f"{1000 * row['step_s']:.1f}" for row in here)])
    return align(cells)
