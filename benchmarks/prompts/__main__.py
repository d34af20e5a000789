"""Prompts for `python -m generate bench` from the MT-RAG benchmark's tasks.

    python -m benchmarks prompts --mtrag reference.jsonl --count 40 > prompts.jsonl

Takes the first tasks that have contexts, in order, and lays them out as `generate.prompt` does:
instructions, the conversation, then the numbered passages and the question.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from generate.prompt import INSTRUCTIONS

ROLES = {"user": "user", "agent": "assistant"}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks prompts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--mtrag", type=Path, required=True, metavar="FILE", help="reference.jsonl of MT-RAG")
    parser.add_argument("--count", type=int, default=40, metavar="N", help="tasks to take (default 40)")
    args = parser.parse_args()
    try:
        for prompt in islice(convert(args.mtrag), args.count):
            print(json.dumps(prompt, ensure_ascii=False))
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {args.mtrag} cannot be read as tasks of MT-RAG: {error!r}", file=sys.stderr)
        return 2
    return 0


def convert(file: Path) -> Iterator[dict[str, Any]]:
    """A prompt for every task that has contexts."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            task = json.loads(line)
            if task["contexts"]:
                yield to_prompt(task)


def to_prompt(task: Mapping[str, Any]) -> dict[str, Any]:
    """One task in the form that bench reads."""
    passages = [context["text"].strip() for context in task["contexts"]]
    *earlier, question = task["input"]
    numbered = "".join(
        f"[{number}] {context['document_id']}\n{text}\n\n"
        for number, (context, text) in enumerate(zip(task["contexts"], passages, strict=True), 1)
    )
    messages = [
        {"role": "system", "content": INSTRUCTIONS},
        *({"role": ROLES[turn["speaker"]], "content": turn["text"]} for turn in earlier),
        {"role": "user", "content": f"Passages:\n\n{numbered}Question: {question['text']}"},
    ]
    return {"id": task["task_id"], "messages": messages, "passages": passages}


if __name__ == "__main__":
    sys.exit(main())
