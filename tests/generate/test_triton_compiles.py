"""The Triton kernels compile to machine code of real GPUs, also where there is none.

The interpreter takes programs that the compiler refuses, or whose numbers fit no register file.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from generate.engine.triton_attention_plan import Tiling

pytest.importorskip("triton", reason="Triton runs on Linux only")

SHARED = 99 * 1024
"""Bytes of shared memory a block may have on the smallest of the GPUs from Ampere on."""
SPILLED = 128
"""Bytes a thread may keep outside its registers: a few numbers, nothing of a loop's."""
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """``compiled(function, *arguments)``: the result of a call in a process that does not interpret."""
    with (
        pytest.MonkeyPatch.context() as patch,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
    ):
        patch.delenv("TRITON_INTERPRET", raising=False)
        patch.setenv("TRITON_CACHE_DIR", str(tmp_path_factory.mktemp("triton")))
        yield lambda function, *arguments: pool.submit(function, *arguments).result()


@pytest.mark.parametrize(("head_dim", "dtype"), [(64, "bfloat16")])
def test_attention_compiles(compiled: Run, head_dim: int, dtype: str) -> None:
    _assert_fits(compiled(_attend_for, 90, head_dim, dtype, True, 16, 30.0))


def test_joining_compiles(compiled: Run) -> None:
    assert compiled(_combine_for, 90).spilled <= SPILLED


@pytest.mark.deep
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("head_dim", [16, 64, 128, 256])
def test_every_size_compiles(compiled: Run, head_dim: int, dtype: str, capability: int) -> None:
    for windowed, sinks, softcap in ((False, 0, 0.0), (True, 0, 30.0), (True, 16, 30.0)):
        _assert_fits(compiled(_attend_for, capability, head_dim, dtype, windowed, sinks, softcap))


class Usage(NamedTuple):
    """Bytes of shared memory that a block takes, and of registers that a thread had no room for."""

    shared: int
    spilled: int


def _assert_fits(programs: dict[int, Usage]) -> None:
    for height, usage in programs.items():
        assert usage.shared <= SHARED, height
        assert usage.spilled <= SPILLED, height


def _attend_for(
    capability: int, head_dim: int, dtype: str, windowed: bool, sinks: int, softcap: float
) -> dict[int, Usage]:
    """By height of the tiles."""
    from generate.engine.triton_attention_kernels import attend

    tiling = Tiling.of(head_dim, getattr(torch, dtype))
    number = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}[dtype]
    pointers = dict.fromkeys(("query", "keys", "values", "out"), f"*{number}")
    pointers |= dict.fromkeys(("partial_out", "partial_log"), "*fp32")
    pointers |= dict.fromkeys(("tiles", "segments", "rows", "blocks", "ancestors"), "*i32")
    numbers = {"scale": "fp32", "window": "i32", "reach": "i32", "query_row": "i32", "query_head": "i32"}
    found, height = {}, 16
    while height <= tiling.max_height:
        constants = {
            "HEADS": 12,
            "GROUP": 3,
            "HEAD_DIM": head_dim,
            "WORDS": 5,
            "BLOCK_SIZE": 16,
            "WINDOWED": windowed,
            "SINKS": sinks,
            "SOFTCAP": softcap,
            "UPCAST": False,
            "LANES": height,
            "KEYS": tiling.keys,
            "WIDTH": tiling.width,
        }
        found[height] = _compile(attend, capability, pointers, numbers, constants, tiling.warps(height))
        height *= 2
    return found


def _combine_for(capability: int) -> Usage:
    from generate.engine.triton_attention_kernels import combine

    pointers = {
        "out": "*bf16",
        "partial_out": "*fp32",
        "partial_log": "*fp32",
        "rows": "*i32",
        "joined": "*i32",
    }
    return _compile(combine, capability, pointers, {}, {"HEADS": 12, "HEAD_DIM": 256, "WIDTH": 256}, 2)


def _compile(
    kernel: Any,
    capability: int,
    pointers: dict[str, str],
    numbers: dict[str, str],
    constants: dict[str, Any],
    warps: int,
) -> Usage:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    place = {name: (at,) for at, name in enumerate(kernel.arg_names)}
    types = {**pointers, **numbers, **dict.fromkeys(constants, "constexpr")}
    source = ASTSource(
        fn=kernel,
        signature={name: types[name] for name in kernel.arg_names},
        constexprs={place[name]: value for name, value in constants.items()},
        attrs={place[name]: [["tt.divisibility", 16]] for name in (*pointers, *numbers) if name != "scale"},
    )
    program = triton.compile(
        source, target=GPUTarget("cuda", capability, 32), options={"num_warps": warps, "num_stages": 3}
    )
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    cubin = Path(triton.knobs.cache.dir) / "attend.cubin"
    cubin.write_bytes(program.asm["cubin"])
    usage = subprocess.run(
        [tool, "--dump-resource-usage", cubin], check=True, capture_output=True, text=True
    ).stdout
    spilled = sum(int(size) for size in re.findall(r"(?:STACK|LOCAL):(\d+)", usage))
    return Usage(program.metadata.shared, spilled)
