"""Real prompts over real passages, for the long sweeps.

They come from the file that DRAFTLINE_TEST_PROMPTS names, JSON lines as `python -m benchmarks prompts`
writes them and `python -m generate bench` reads them; without one they are made of the handbook.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from generate.bench.prompts import Line, Message, read_lines, tokenize

ENV = "DRAFTLINE_TEST_PROMPTS"
HANDBOOK = Path(__file__).parents[2] / "docs"
PASSAGES = 4
SYSTEM = (
    "You answer questions from the numbered passages. Copy the sentence of the passages that answers "
    "the question, word for word, and name its passage like this: [1]."
)


def long_prompts(tokenizer: Any, count: int) -> list[list[int]]:
    """The tokens of so many prompts."""
    file = os.environ.get(ENV)
    lines = read_lines(Path(file)) if file else handbook_lines()
    assert len(lines) >= count, f"{count} prompts are needed, {len(lines)} are there"
    found = [tokenize(line, tokenizer) for line in lines[:count]]
    return [[*prompt.head, *prompt.tail] for prompt in found]


def handbook_lines() -> list[Line]:
    """Questions about the handbook's sections, each over a few sections in a row."""
    lines = []
    for file in sorted(HANDBOOK.glob("*.md")):
        sections = [part for part in file.read_text(encoding="utf-8").split("\n## ")[1:] if len(part) < 3000]
        for number, section in enumerate(sections):
            passages = [
                sections[(number + step) % len(sections)] for step in range(min(PASSAGES, len(sections)))
            ]
            title = section.partition("\n")[0]
            messages = [
                Message(role="system", content=SYSTEM),
                Message(role="user", content=f"What does the handbook say about {title!r}?"),
            ]
            lines.append(Line(id=f"{file.name} {number}", messages=messages, passages=[*passages]))
    return lines
