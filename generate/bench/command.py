"""``python -m generate bench``: its arguments, and what it prints."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.cli import Context
from configs.errors import ExitCode, InputError
from generate.bench.prompts import read_lines

if TYPE_CHECKING:
    from generate.bench.options import Options
    from generate.bench.run import Run
    from generate.bench.setup import Bench

TEXTS = ("copyable", "fresh", "adversarial")
DUMMY_CONTEXT = 2048
EPILOG = """\
Every system decodes the same prompts, in rounds: their KV is prefilled once, then each of them decodes
in turn, and the order turns round by round. Rows are medians with 95 % intervals over the rounds;
ratios compare runs of the same round. Peers that take one prompt at a time have rows for batch 1 only.

the prompts file, one JSON object a line:
  {"id": "a1", "prompt": "text as it stands", "passages": ["what it may copy from", ...]}
  {"id": "a2", "messages": [{"role": "user", "content": "through the chat template"}]}

examples:
  python -m generate bench --prompts prompts.jsonl
  python -m generate bench --prompts prompts.jsonl --systems transformers,plain,copy,auto --json
  python -m generate bench --prompts prompts.jsonl --systems plain,auto --batch 1,4,16 \\
      --context 512,2048 --pairs 15                     is auto never slower?
  python -m generate bench --prompts prompts.jsonl --text adversarial --pairs 15
  python -m generate bench --dummy llama-3.1-8b --batch 1,8 --context 8192"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add = parser.add_argument
    add("--prompts", metavar="FILE.jsonl", type=Path, help="what to decode; needed unless --dummy is given")
    add("--max-tokens", type=_whole(2), default=64, metavar="N", help="tokens of an answer (default 64)")
    add("--batch", type=_numbers, default=(1,), metavar="N,...", help="prompts side by side (default 1)")
    add(
        "--context",
        type=_numbers,
        default=(),
        metavar="N,...",
        help="tokens that a prompt and its answer fill: padded with passages of the file's other prompts, "
        "or cut (default: prompts as they are)",
    )
    add(
        "--pairs",
        type=_whole(1),
        default=5,
        metavar="N",
        help="least number of rounds in a cell of batch and context (default 5); all prompts of the file are "
        "in some, in full batches",
    )
    add(
        "--systems",
        type=_names,
        metavar="NAME,...",
        help="transformers, transformers-lookup, transformers-assisted, llama.cpp, plain, auto, always, or a "
        "drafter alone: copy, recycle, bigram, grammar (default: all that can run here)",
    )
    add(
        "--drafters",
        type=_names,
        metavar="NAME,...",
        help="measured alone, and what auto drafts with (default: generate.drafters)",
    )
    add(
        "--text",
        choices=TEXTS,
        default="copyable",
        help="copyable: the prompts; fresh: tasks with nothing to copy, sampled at temperature 1; "
        "adversarial: the prompts, with drafts that are always wrong. The last two compare auto with plain",
    )
    add(
        "--stop-at-eos",
        action="store_true",
        help="let answers end by themselves (default: all are --max-tokens)",
    )
    add("--draft-model", metavar="NAME", help="a smaller model, for model and transformers-assisted")
    add(
        "--schema",
        type=Path,
        metavar="FILE.json",
        help="let all answers be JSON of this schema: what does the grammar drafter bring? Ours only",
    )
    add("--gguf", type=Path, metavar="FILE", help="for llama.cpp: the model's GGUF file")
    add(
        "--picture",
        type=Path,
        metavar="FILE.svg",
        help="tokens/s over batch and context (default: in DRAFTLINE_HOME)",
    )
    add(
        "--dummy",
        metavar="SHAPE",
        help="instead: what steps of random weights cost, by batch, context and rows: llama-3.1-8b, tiny",
    )


def bench(context: Context) -> int:
    """Measure, and print what was measured, also after Ctrl-C."""
    if context.args.dummy:
        return _dummy(context)
    if context.args.prompts is None:
        raise InputError("name a file with --prompts FILE.jsonl, or a shape with --dummy (see --help)")
    lines = read_lines(context.args.prompts)
    context.note("loading the models ...")
    from generate.bench.run import measure  # torch takes seconds, and a bad file needs none of it
    from generate.bench.setup import prepare

    started = time.time()
    measurement = prepare(lines, _options(context), context.settings, context.note)
    runs: list[Run] = []
    complete = False
    try:
        for run in measure(measurement.cells, measurement.systems, context.args.pairs, context.note):
            runs.append(run)  # one by one: what is done stays when Ctrl-C ends the loop
        complete = True
    finally:
        _show(context, measurement, runs, {"complete": complete, "seconds": round(time.time() - started, 1)})
    return ExitCode.PARTIAL if measurement.left_out else ExitCode.OK


def _options(context: Context) -> Options:
    from generate.bench.options import SYSTEMS, Options
    from generate.speculate.factory import DRAFTERS

    args = context.args
    # `--drafters plain,copy,auto` says no more than `--drafters copy`: the two are measured anyway.
    drafters = tuple(name for name in args.drafters or () if name not in ("plain", "always", "auto"))
    for option, names, known in (("--systems", args.systems, SYSTEMS), ("--drafters", drafters, DRAFTERS)):
        if unknown := [name for name in names or () if name not in known]:
            raise InputError(f"{option}: {unknown[0]!r} is not known; there are: {', '.join(known)}")
    return Options(
        batches=args.batch,
        contexts=args.context,
        max_tokens=args.max_tokens,
        rounds=args.pairs,
        systems=args.systems,
        drafters=drafters or None,
        text=args.text,
        draft_model=args.draft_model,
        gguf=args.gguf,
        schema=args.schema,
        stop_at_eos=args.stop_at_eos,
    )


def _show(context: Context, measurement: Bench, runs: Sequence[Run], facts: dict[str, Any]) -> None:
    """Rows of all runs that there are, as JSON or as a table, and the picture."""
    import torch

    from generate.bench import picture, report
    from generate.bench.rows import make_rows

    rows = make_rows(runs, measurement.cells, measurement.gap)
    args = context.args
    meta = {
        **measurement.facts,
        **facts,
        "prompts_file": str(args.prompts),
        "max_tokens": args.max_tokens,
        "pairs": args.pairs,
        "stop_at_eos": args.stop_at_eos,
        "left_out": measurement.left_out,
        "machine": report.machine(measurement.facts["device"], torch.get_num_threads()),
        "legend": report.LEGEND,
        "picture": None,
    }
    if rows:
        file = args.picture or context.settings.home / "bench.svg"
        title = f"{measurement.facts['model']}, {measurement.facts['text']} text"
        meta["picture"] = _write(file, picture.draw(rows, title), context.note)
    elif facts["complete"]:
        context.note("nothing to time: every answer ended with its first token")
    if args.json:
        context.emit({"meta": meta, "rows": rows})
        return
    if rows:
        _say(context, [*report.table(rows), "", report.LEGEND])
    if not facts["complete"]:
        context.say("\nnot complete: what is shown are the runs that were done")


def _write(file: Path, text: str, note: Callable[[str], None]) -> str | None:
    """Write the picture; figures that took hours are not lost for want of a folder."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        note(f"the picture {file} cannot be written: {error.strerror}")
        return None
    note(f"picture: {file}")
    return str(file)


def _dummy(context: Context) -> int:
    import torch

    from generate.bench import dummy, report

    args = context.args
    if args.dummy not in dummy.SHAPES:
        raise InputError(f"--dummy {args.dummy!r} is not known; there are: {', '.join(dummy.SHAPES)}")
    generate = context.settings.generate
    if generate.threads:
        torch.set_num_threads(generate.threads)
    rows = dummy.step_costs(
        args.dummy,
        generate,
        batches=args.batch,
        contexts=args.context or (DUMMY_CONTEXT,),
        repeats=args.pairs,
        note=context.note,
    )
    if args.json:
        what = "step costs of random weights: seconds of one forward pass; no text, no decoding speed"
        device = str(rows[0]["device"])
        machine = report.machine(device, torch.get_num_threads())
        context.emit({"meta": {"what": what, "shape": args.dummy, "machine": machine}, "rows": rows})
    else:
        _say(
            context,
            [f"{args.dummy}, random weights: step costs, by rows of each request", *dummy.table(rows)],
        )
    return ExitCode.OK


def _say(context: Context, lines: Sequence[str]) -> None:
    for line in lines:
        context.say(line)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(_whole(1)(part) for part in _names(text))


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least {least}")
        return int(text)

    return parse
