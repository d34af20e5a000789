"""Measuring step costs on this machine, once: the result is kept in a file by model and machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from pathlib import Path

import torch

from generate.engine.batch import pack
from generate.engine.engine import Engine
from generate.engine.request import Request, SamplingParams
from generate.engine.scheduler import Scheduled
from generate.speculate.costs import GRID, StepCosts
from generate.speculate.kept import keep
from generate.speculate.tree import TokenTree

CONTEXT = 2048
VERSION = 2
"""Of the file's form, and of the code whose speed it tells; raise it with either."""


def load_costs(engine: Engine, file: Path | None) -> StepCosts:
    """The step costs of an engine that has not run yet: from the file, else measured and written there.

    Args:
        file: a JSON file that holds the costs of any number of models; None keeps nothing.
    """
    key = _fingerprint(engine)
    known = _read(file)
    try:
        found = known[key]
        return StepCosts(found["base"], found["reading"], engine.runner.sight)
    except (KeyError, TypeError, AssertionError):
        pass  # not measured yet, or damaged: measure
    costs = measure(engine)
    known[key] = {"base": costs.base, "reading": costs.reading}
    keep(file, json.dumps(known).encode())
    return costs


def measure(engine: Engine) -> StepCosts:
    """Time steps of one request on the engine's own cache, whose content they overwrite."""
    reach = min(engine.pool.count * engine.pool.block_size, engine.runner.context_length)
    context = max(0, min(CONTEXT, reach - max(GRID)))

    def timer(rows: int, length: int) -> float:
        rows = min(rows, reach)  # what has room for less never takes larger steps
        request = Request((0,) * (length + 1), SamplingParams())
        request.computed = length
        request.block_table = list(range(engine.pool.blocks_for(length + rows)))
        share = Scheduled(request, 1, TokenTree.chain([0] * (rows - 1)))
        began = time.perf_counter()
        batch = pack([share], engine.cache, engine.pool.block_size, engine.runner.device)
        engine.runner.forward(batch).amax(-1).tolist()
        return time.perf_counter() - began

    return StepCosts.measure(timer, context, sight=engine.runner.sight)


def _fingerprint(engine: Engine) -> str:
    """What the costs depend on."""
    runner = engine.runner
    device = torch.cuda.get_device_name(runner.device) if runner.device.type == "cuda" else _processor()
    facts = (
        VERSION, runner.identity, str(runner.dtype), device, torch.get_num_threads(), torch.__version__,
        engine.pool.block_size,
    )  # fmt: skip
    return hashlib.blake2b(repr(facts).encode(), digest_size=12).hexdigest()


def _processor() -> str:
    return f"{platform.machine()} {platform.processor()} {os.cpu_count()}"


def _read(file: Path | None) -> dict[str, dict[str, list[float]]]:
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
