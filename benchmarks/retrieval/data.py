"""Questions with the character spans that answer them, as chunking_evaluation publishes them.

A folder holds ``corpora/NAME.md`` and ``questions_df.csv`` with the columns question, references (JSON:
start_index and end_index of each span) and corpus_id.
"""

from __future__ import annotations

import csv
import json
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from configs.errors import InputError
from configs.settings import Settings
from retrieve.embed import load_tokenizer

Span = tuple[int, int]
"""Start and end in the corpus, in code points."""


@dataclass(frozen=True)
class Question:
    text: str
    spans: tuple[tuple[Span, ...], ...]
    """For each span every place where its text stands, the one that was annotated first."""


@dataclass(frozen=True)
class Corpus:
    """One text and what is asked of it."""

    name: str
    text: str
    questions: tuple[Question, ...]
    token_starts: tuple[int, ...]
    """Where each of the embedder's tokens begins."""

    def tokens(self, span: Span) -> int:
        """Tokens that begin in a span."""
        return bisect_left(self.token_starts, span[1]) - bisect_left(self.token_starts, span[0])

    def first_tokens(self, span: Span, count: int) -> Span:
        """The part of a span that its first tokens make up."""
        first = bisect_left(self.token_starts, span[0]) + count
        end = self.token_starts[first] if first < len(self.token_starts) else span[1]
        return span[0], min(end, span[1])


def load_corpora(folder: Path, settings: Settings, names: Iterable[str] | None = None) -> list[Corpus]:
    """The corpora of a folder, by name; all of them where none is named.

    Raises:
        InputError: the folder is not of this kind, or a span lies outside its corpus.
    """
    asked: dict[str, list[tuple[str, list[Span]]]] = {}
    try:
        with (folder / "questions_df.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                spans = [(s["start_index"], s["end_index"]) for s in json.loads(row["references"])]
                asked.setdefault(row["corpus_id"], []).append((row["question"], spans))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: questions_df.csv cannot be read: {error!r}") from None
    wanted = sorted(asked) if names is None else list(names)
    if unknown := [name for name in wanted if name not in asked]:
        raise InputError(f"no questions about {unknown[0]!r}; there are: {', '.join(sorted(asked))}")
    tokenizer = load_tokenizer(settings)
    corpora = []
    for name in wanted:
        path = folder / "corpora" / f"{name}.md"
        text = path.read_bytes().decode("utf-8")
        if any(not 0 <= a < b <= len(text) for _, spans in asked[name] for a, b in spans):
            raise InputError(f"{path} is shorter than a span of its questions says")
        offsets = tokenizer.encode(text, add_special_tokens=False).offsets
        questions = tuple(
            Question(question, tuple(_places(text, span) for span in spans))
            for question, spans in asked[name]
        )
        corpora.append(Corpus(name, text, questions, tuple(start for start, _ in offsets)))
    return corpora


def _places(text: str, span: Span) -> tuple[Span, ...]:
    """The span, and every other place where the same words stand."""
    words = text[span[0] : span[1]]
    starts = [match.start() for match in re.finditer(re.escape(words), text)]
    return (span, *((start, start + len(words)) for start in starts if start != span[0]))
