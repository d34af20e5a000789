"""The Triton attention of one layer beside torch's: time, and bandwidth against the device's peak.

    python -m benchmarks.attention --heads 32 --kv-heads 8 --head-dim 128

Decode steps and token trees over random numbers of a model's shape, in a paged cache with scattered
blocks. Ours and the reference, the engine's own in torch, also write the step's keys and values there.
Torch's attention has its keys side by side, without pages, and nothing to write; its flash kernel
cannot do trees. All are replayed as CUDA graphs. Needs a CUDA device.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from generate.engine.attention import paged_attention, tree_mask
from generate.engine.batch import PackedBatch, Segment, slots_of
from generate.engine.kv_cache import KVCache
from generate.speculate.tree import TokenTree

RESULTS = Path(__file__).parents[1] / "results" / "attention.json"
BLOCK = 16
ROUNDS = 5
REPEAT_MS = 50
Call: TypeAlias = Callable[[], Any]
Timer: TypeAlias = Callable[[Call], float]
"""Milliseconds of a call."""


@dataclass(frozen=True)
class Shape:
    """A model's attention."""

    heads: int
    kv_heads: int
    head_dim: int
    dtype: torch.dtype

    @property
    def token_bytes(self) -> int:
        """Of one token's keys and values."""
        return 2 * self.kv_heads * self.head_dim * self.dtype.itemsize


@dataclass(frozen=True)
class Load:
    """A step: ``batch`` requests, each of ``rows`` rows (1: decode, else a tree) after ``context`` tokens."""

    batch: int
    context: int
    rows: int


def main() -> int:
    args = _parser().parse_args()
    if not torch.cuda.is_available():
        print("error: this benchmark times CUDA kernels, but torch sees no CUDA device", file=sys.stderr)
        return 2
    shape = Shape(args.heads, args.kv_heads, args.head_dim, getattr(torch, args.dtype))
    loads = [Load(b, c, r) for c in args.context for b in args.batch for r in args.rows]
    with torch.inference_mode():
        result = measure(shape, loads, torch.device("cuda"), _bench, _peak())
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    show(result)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attention", description=__doc__)
    parser.add_argument("--heads", type=int, default=9, help="the defaults are SmolLM2-135M's")
    parser.add_argument("--kv-heads", type=int, default=3)
    parser.add_argument("--head-dim", type=int, default=64)
    parser.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), default="bfloat16")
    parser.add_argument("--batch", type=_numbers, default=[1, 8, 64], metavar="N,...")
    parser.add_argument("--context", type=_numbers, default=[1024, 8192], metavar="N,...")
    parser.add_argument("--rows", type=_numbers, default=[1, 16, 64], metavar="N,...", help="at most 129")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def measure(
    shape: Shape, loads: list[Load], device: torch.device, timer: Timer, peak_gb_s: float
) -> dict[str, Any]:
    """Medians over rounds in which all systems take turns."""
    rows = []
    for load in loads:
        systems = _systems(shape, load, device)
        times: dict[str, list[float]] = {name: [] for name in systems}
        for _ in range(ROUNDS):
            for name, call in systems.items():
                times[name].append(timer(call))
        medians = {name: statistics.median(taken) for name, taken in times.items()}
        read = load.batch * (load.context + load.rows) * shape.token_bytes
        gb_s = read / medians["triton"] / 1e6
        rows.append(
            {
                **vars(load),
                "ms": {name: round(ms, 4) for name, ms in medians.items()},
                "spread_ms": {name: [round(min(t), 4), round(max(t), 4)] for name, t in times.items()},
                "gb_s": round(gb_s, 1),
                "of_peak": round(gb_s / peak_gb_s, 3),
            }
        )
    meta = {**vars(shape), "dtype": str(shape.dtype).removeprefix("torch."), "block_size": BLOCK}
    return {"meta": {**meta, "device": _name(device), "peak_gb_s": round(peak_gb_s, 1)}, "rows": rows}


def _systems(shape: Shape, load: Load, device: torch.device) -> dict[str, Call]:
    from generate.engine.triton_attention import triton_paged_attention

    step, inputs = _step(shape, load, device)
    layer: Any = SimpleNamespace(layer_idx=0)
    query, key, value = inputs
    step.cache.write(0, step.slots, key[0].transpose(0, 1), value[0].transpose(0, 1))
    dense = _dense(step, query, load)
    systems: dict[str, Call] = {
        "triton": lambda: triton_paged_attention(layer, query, key, value, None, step=step),
        "reference": lambda: paged_attention(layer, query, key, value, None, step=step),
    }
    grouped, mask = shape.heads != shape.kv_heads, None
    if load.rows > 1:
        ancestors = step.segments[0].ancestors
        assert ancestors is not None
        mask = tree_mask(ancestors, load.context + load.rows, None)
    systems["sdpa"] = lambda: scaled_dot_product_attention(*dense, mask, enable_gqa=grouped)
    if load.rows == 1 and shape.dtype != torch.float32:

        def flash() -> Tensor:
            with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
                return scaled_dot_product_attention(*dense, enable_gqa=grouped)

        systems["flash"] = flash
    ours, reference = (systems[name]()[0][0].float() for name in ("triton", "reference"))
    for other in (reference, systems["sdpa"]().transpose(1, 2).flatten(0, 1).float()):
        assert (ours - other).abs().max() < 0.05, f"what is timed differs: {load}"
    return systems


def _step(shape: Shape, load: Load, device: torch.device) -> tuple[PackedBatch, list[Tensor]]:
    length = load.context + load.rows
    need = -(-length // BLOCK)
    tables = torch.randperm(load.batch * need).view(load.batch, need).tolist()
    ancestors = None
    if load.rows > 1:
        parents = tuple(max(-1, node // 3 - 1) for node in range(load.rows - 1))
        ancestors = TokenTree(tuple(range(load.rows - 1)), parents).ancestors().to(device)
    segments = tuple(
        Segment(i * load.rows, (i + 1) * load.rows, slots_of(table, length, BLOCK).to(device), ancestors)
        for i, table in enumerate(tables)
    )
    cache = KVCache(
        layers=1,
        slots=load.batch * need * BLOCK,
        kv_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        dtype=shape.dtype,
        device=device,
    )
    for store in (*cache.keys, *cache.values):
        store.normal_()
    count = load.batch * load.rows
    inputs = [
        torch.randn(1, heads, count, shape.head_dim, device=device, dtype=shape.dtype)
        for heads in (shape.heads, shape.kv_heads, shape.kv_heads)
    ]
    nothing = torch.zeros(count, dtype=torch.long, device=device)
    own = torch.cat([segment.slots[load.context :] for segment in segments])
    return PackedBatch(cache, nothing, nothing, own, segments, nothing[:0], BLOCK), inputs


def _dense(step: PackedBatch, query: Tensor, load: Load) -> tuple[Tensor, Tensor, Tensor]:
    """The same step as torch wants it: (batch, heads, tokens, head_dim), without pages."""
    slots = torch.stack([segment.slots for segment in step.segments])
    queries = query[0].reshape(-1, load.batch, load.rows, query.shape[3]).transpose(0, 1).contiguous()
    keys, values = (
        store[0][slots].transpose(1, 2).contiguous() for store in (step.cache.keys, step.cache.values)
    )
    return queries, keys, values


def _bench(call: Call) -> float:
    from triton.testing import do_bench

    # As decode steps run: replayed, so that no launch is waited for.
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    # The L2 cache is emptied before each call: a model's other layers would have done so.
    return float(do_bench(graph.replay, rep=REPEAT_MS, return_mode="median"))


def _peak() -> float:
    from triton.testing import get_dram_gbps

    return float(get_dram_gbps())


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def show(result: dict[str, Any]) -> None:
    meta = result["meta"]
    heads = f"{meta['heads']} heads of {meta['head_dim']} over {meta['kv_heads']}"
    table = Table(title=f"one layer's attention, {heads}, {meta['dtype']}, {meta['device']}")
    for column in ("context", "batch", "rows", "triton ms", "reference", "sdpa", "flash", "GB/s", "of peak"):
        table.add_column(column, justify="right")
    for row in result["rows"]:
        ms = row["ms"]
        ratios = (
            f"{ms[name] / ms['triton']:.2f}x" if name in ms else "" for name in ("reference", "sdpa", "flash")
        )
        table.add_row(
            *(str(row[name]) for name in ("context", "batch", "rows")),
            f"{ms['triton']:.4f}",
            *ratios,
            f"{row['gb_s']:.0f}",
            f"{row['of_peak']:.0%}",
        )
    Console().print(table)
    print(f"others: their time over Triton's. Peak: {meta['peak_gb_s']:.0f} GB/s of memory bandwidth.")


if __name__ == "__main__":
    sys.exit(main())
