"""INT8 weights on the CPU beside float32: what they cost in quality, and what a step takes.

    python -m benchmarks.quantisation --corpus FOLDER

Quality is measured on text of yours: perplexity, and how often the likeliest next token is the same.
Times are of single steps, interleaved: a token tree of so many rows behind a context, steps of many
requests, and prefills. ``general`` is transformers' own modules over the paged cache.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from benchmarks.quantisation.steps import Steps
from configs.errors import InputError
from configs.models import model_path
from configs.settings import load_settings
from generate.engine.runner import ModelRunner, load_model
from generate.load import load_tokenizer, runner_for

RESULTS = Path(__file__).parents[1] / "results" / "quantisation.json"
WINDOW = 512
"""Tokens of text that are scored together."""
ROWS = (1, 2, 4, 8, 16, 32, 64)
CONTEXTS = (512, 2048, 8000)
REQUESTS = (4, 16)
PROMPT = 1800


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quantisation", description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="a folder of .md or .txt files")
    parser.add_argument("--tokens", type=int, default=20_000, help="of the corpus that are scored")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    settings = load_settings()
    if settings.generate.threads:
        torch.set_num_threads(settings.generate.threads)
    folder = model_path(settings.models.answer, settings, role="answer")
    runners = {
        "general float32": ModelRunner(load_model(folder, device="cpu")),
        "lean float32": runner_for(load_model(folder, device="cpu")),
        "int8": runner_for(load_model(folder, device="cpu"), int8=True),
    }
    windows = load_windows(args.corpus, args.tokens, load_tokenizer(folder))
    result = {
        "model": folder.name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "quality": quality(runners["lean float32"], runners["int8"], windows),
        "rounds": args.rounds,
        "rows_of_one_request": time_rows(runners, args.rounds),
        "requests_of_one_row": time_requests(runners, args.rounds),
        "prefill": time_prefill(runners, args.rounds),
    }
    args.out.parent.mkdir(exist_ok=True)
    args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    show(result)
    return 0


def load_windows(corpus: Path, count: int, tokenizer: Any) -> list[list[int]]:
    """Stretches of text, evenly spaced over all files below a folder."""
    files = [path for path in sorted(corpus.rglob("*")) if path.suffix in (".md", ".txt")]
    ids = [
        id_
        for path in files
        for id_ in tokenizer(path.read_text(encoding="utf-8", errors="replace"), verbose=False)["input_ids"]
    ]
    number = max(1, count // WINDOW)
    if len(ids) < number * WINDOW:
        raise InputError(f"{corpus} has {len(ids)} tokens; {count} are to be scored")
    step = (len(ids) - WINDOW) // number
    return [ids[i * step : i * step + WINDOW] for i in range(number)]


def quality(exact: ModelRunner, quantised: ModelRunner, windows: list[list[int]]) -> dict[str, Any]:
    """Perplexity of both, and how often and how far they differ about the next token."""
    losses: dict[str, float] = {"float32": 0.0, "int8": 0.0}
    agreed, divergence, count = 0, 0.0, 0
    steps = {"float32": Steps(exact, WINDOW), "int8": Steps(quantised, WINDOW)}
    for window in track(windows, "quality"):
        targets = torch.tensor(window[1:])
        logs: dict[str, Tensor] = {}
        for name, runner in steps.items():
            logs[name] = runner.score(window)[:-1].log_softmax(-1)
            losses[name] -= float(logs[name].gather(1, targets[:, None]).sum())
        agreed += int((logs["float32"].argmax(-1) == logs["int8"].argmax(-1)).sum())
        divergence += float((logs["float32"].exp() * (logs["float32"] - logs["int8"])).sum())
        count += len(targets)
    return {
        "tokens": count,
        "perplexity": {name: round(math.exp(loss / count), 4) for name, loss in losses.items()},
        "same_likeliest_token": round(agreed / count, 4),
        "mean_divergence_nats": round(divergence / count, 6),
    }


def time_rows(runners: dict[str, ModelRunner], rounds: int) -> list[dict[str, Any]]:
    steps = {name: Steps(runner, max(CONTEXTS) + max(ROWS)) for name, runner in runners.items()}
    cells = [(context, rows) for context in CONTEXTS for rows in ROWS]
    return [
        {"context": context, "rows": rows}
        | compare({name: partial(step.tree, context, rows) for name, step in steps.items()}, rounds)
        for context, rows in track(cells, "token trees")
    ]


def time_requests(runners: dict[str, ModelRunner], rounds: int) -> list[dict[str, Any]]:
    """Without the general runner, whose second cache of this size many machines cannot hold."""
    found = []
    for context in track(CONTEXTS, "requests"):
        steps = {"int8": Steps(runners["int8"], max(REQUESTS) * (context + 1))}
        steps["lean float32"] = steps["int8"].of(runners["lean float32"])
        for requests in REQUESTS:
            calls = {name: partial(step.decode, context, requests) for name, step in steps.items()}
            cell = compare(calls, rounds)
            read = requests * context * runners["int8"].bytes_per_token()
            found.append({"context": context, "requests": requests, "kv_gb": round(read / 1e9, 3), **cell})
    return found


def time_prefill(runners: dict[str, ModelRunner], rounds: int) -> dict[str, Any]:
    steps = {name: Steps(runner, PROMPT) for name, runner in runners.items()}
    calls = {name: partial(step.prefill, PROMPT) for name, step in steps.items()}
    return {"tokens": PROMPT, "chunk": Steps.CHUNK, **compare(calls, max(3, rounds // 2))}


def compare(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Any]:
    """Median milliseconds of each call, interleaved, after one round that warms up."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if number:
                taken[name].append(1000 * (time.perf_counter() - started))
    return {
        "ms": {name: round(median(times), 1) for name, times in taken.items()},
        "low": {name: round(min(times), 1) for name, times in taken.items()},
        "high": {name: round(max(times), 1) for name, times in taken.items()},
    }


def show(result: dict[str, Any]) -> None:
    console = Console()
    found = result["quality"]
    perplexity = found["perplexity"]
    console.print(
        f"{found['tokens']:,} tokens: perplexity {perplexity['float32']} in float32, {perplexity['int8']} "
        f"with INT8 weights; the likeliest next token is the same for {found['same_likeliest_token']:.1%}"
    )
    for title, rows, column in (
        ("a token tree of so many rows", result["rows_of_one_request"], "rows"),
        ("so many requests", result["requests_of_one_row"], "requests"),
    ):
        names = list(rows[0]["ms"])
        table = Table(title=f"{title}: milliseconds of a step, {result['threads']} threads")
        for heading in ("context", column, *names):
            table.add_column(heading, justify="right")
        for row in rows:
            table.add_row(str(row["context"]), str(row[column]), *(f"{row['ms'][name]}" for name in names))
        console.print(table)
    prefill = result["prefill"]
    for name, milliseconds in prefill["ms"].items():
        console.print(f"prefill of {prefill['tokens']} tokens, {name}: {milliseconds / 1000:.2f} s")


if __name__ == "__main__":
    sys.exit(main())
