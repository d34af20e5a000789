"""The sentences of the passages that answer a question most likely: extractive evidence.

A sentence is scored by its cosine to the question, read under its headings as its chunk was
embedded, by the rarity-weighted share of the question's words that it has, and by its passage.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from retrieve.embed import Embedder
from retrieve.schema import Passage

COVERAGE_WEIGHT = 0.5
PASSAGE_WEIGHT = 1.0
MAX_GAP = 0.25
"""Sentences that score this much less than the best one only pad an answer."""
MIN_WORDS = 4
STEM = 6
"""Words are compared by their first letters: ``commit`` and ``commits``, in most languages."""

_WORD = re.compile(r"\w{3,}")
_ITEM = re.compile(r"\s*(?:>\s*)*(?:[-*+]|\d{1,9}[.)])\s+|\s*(?:>\s*)+")
_FENCE = re.compile(r"\s*(```|~~~)")
_NO_PROSE = re.compile(r"\s*(?:#{1,6}\s|\||<|\[\^|=+\s*$|-{3,}\s*$)")
_SENTENCE_END = re.compile(r"""(?<!\be\.g)(?<!\bi\.e)(?<!\b\w)[.!?…]["'”’)\]*_`]*(?=\s)|[。！？]""")


@dataclass(frozen=True)
class Highlight:
    """A sentence of a passage: ``passages[passage].text[start:end]``."""

    passage: int
    start: int
    end: int
    score: float


def highlights(question: str, passages: Sequence[Passage], embedder: Embedder, count: int) -> list[Highlight]:
    """At most ``count`` best sentences, best first; those that follow each other in a passage become one.

    Measured on span_qa and the handbook's golden set: see ``docs/answers.md``.
    """
    found = [(index, *span) for index, passage in enumerate(passages) for span in sentences(passage.text)]
    if not found or count < 1:
        return []
    texts = [passages[index].text[start:end] for index, start, end in found]
    headed = [_under_headings(passages[index], text) for (index, *_), text in zip(found, texts, strict=True)]
    scores = embedder.embed_documents(headed) @ embedder.embed_query(question)
    scores = scores + COVERAGE_WEIGHT * _coverage(question, texts)
    scores += PASSAGE_WEIGHT * np.array([passages[index].relevance for index, *_ in found])
    best: list[Highlight] = []
    seen: set[str] = set()
    for row in np.argsort(-scores, kind="stable"):
        if len(seen) == count or (best and scores[row] < best[0].score - MAX_GAP):
            break
        if texts[row] not in seen:
            seen.add(texts[row])
            index, start, end = found[row]
            best.append(Highlight(index, start, end, float(scores[row])))
    return _joined(best, passages)


def closest_sentence(question: str, passage: Passage, embedder: Embedder) -> float:
    """The cosine, 0 to 1, of the sentence that is nearest to the question.

    A passage in which there is none (a table, code) counts as one.
    """
    found = [_under_headings(passage, passage.text[start:end]) for start, end in sentences(passage.text)]
    if not found:
        return max(0.0, passage.relevance)
    cosines = embedder.embed_documents(found) @ embedder.embed_query(question)
    return min(1.0, max(0.0, float(cosines.max())))


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the prose sentences and list items of a markdown text; no headings, tables or code."""
    for start, end in _paragraphs(text):
        begin = start
        for match in _SENTENCE_END.finditer(text, start, end):
            yield from _worth_quoting(text, begin, match.end())
            begin = match.end()
        yield from _worth_quoting(text, begin, end)


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    begin: int | None = None
    position, code = 0, False
    for line in text.splitlines(keepends=True):
        item = _ITEM.match(line)
        fence = bool(_FENCE.match(line))
        ends = fence or code or not line.strip() or _NO_PROSE.match(line) is not None
        if begin is not None and (ends or item):
            yield begin, position
            begin = None
        if not ends and begin is None:
            begin = position + (item.end() if item else 0)
        code ^= fence
        position += len(line)
    if begin is not None:
        yield begin, position


def _worth_quoting(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    sentence = text[start:end]
    start += len(sentence) - len(sentence.lstrip())
    sentence = sentence.strip()
    # What ends in a colon only leads to something.
    if len(_WORD.findall(sentence)) >= MIN_WORDS and not sentence.endswith(":"):
        yield start, start + len(sentence)


def _under_headings(passage: Passage, sentence: str) -> str:
    return f"{' > '.join(passage.section)}: {sentence}" if passage.section else sentence


def _coverage(question: str, texts: Sequence[str]) -> np.ndarray:
    """For each text the share of the question's words in it, weighted by how rare they are among them."""
    stems = [_stems(text) for text in texts]
    rarity = {
        stem: math.log((len(texts) + 1) / (1 + sum(stem in other for other in stems)))
        for stem in _stems(question)
    }
    total = sum(rarity.values()) or 1.0
    return np.array([sum(rarity[stem] for stem in rarity.keys() & found) / total for found in stems])


def _stems(text: str) -> set[str]:
    return {word[:STEM].casefold() for word in _WORD.findall(text)}


def _joined(best: Sequence[Highlight], passages: Sequence[Passage]) -> list[Highlight]:
    """Neighbours become one highlight, at the place of the better one."""
    result: list[Highlight] = []
    for new in best:
        for place, old in enumerate(result):
            first, second = sorted((old, new), key=lambda highlight: highlight.start)
            between = passages[old.passage].text[first.end : second.start]
            if old.passage == new.passage and not between.strip() and "\n\n" not in between:
                result[place] = Highlight(old.passage, first.start, second.end, max(old.score, new.score))
                break
        else:
            result.append(new)
    return result
