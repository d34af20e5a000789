"""Citations: markers in the answer, each with the words that answer and passage share.

The model may write markers of its own, but a marker stays only where the provenance of the
sentence supports it, and a supported sentence gets its marker whether the model wrote it or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from generate.provenance import Quote, Tracer
from retrieve.schema import Copy, Passage

MARKERS_A_SENTENCE = 3
WORDS_OF_A_REPEAT = 4
"""Shorter sentences may come twice."""

# Not `items[0]`: a marker stands alone.
_MARKER = re.compile(r"(?:\s+|(?<!\w))\[\d{1,3}(?:\s*,\s*\d{1,3})*\]")
_UNFINISHED = re.compile(r"(?:\s*\[[\d,\s]*|\s+)$")
# A line break within a paragraph is a space; before a list item, a table or an empty line it ends things.
_SENTENCE_END = re.compile(r"""[.!?][\"'”’)\]*`]*(?=\s)|(?=\n[ \t]*(?:\n|[-*+|#>]|\d{1,3}[.)]|```))""")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Place:
    """Where a quote stands: ``body[start:end]`` of the document's converted body."""

    document: str
    start: int
    end: int


@dataclass(frozen=True)
class Citation:
    """A quote with its place: ``body[start:end] == quote`` in the document's converted body."""

    marker: int
    """Position of the passage among those shown to the model, from 1."""
    passage_id: str
    document: str
    section: tuple[str, ...]
    quote: str
    start: int
    end: int
    page: int | None = None
    """Of the original file, where it has pages: the one on which the quote begins."""
    also_in: tuple[Place, ...] = ()
    """Where else the quote stands to the letter, in documents that say the same around it."""

    def to_json(self) -> dict[str, Any]:
        """The form that ``--json`` prints; without what is not known."""
        return {
            key: value
            for key, value in asdict(self).items()
            if value is not None and (value or key != "also_in")
        }


class Annotator:
    """Turns raw pieces of an answer into text to show, with markers, and collects the citations.

    Example: the raw text ``Ports are set in settings [2]. Then`` is shown as
    ``Ports are set in settings. [1] Then`` when the sentence copies passage 1.

    Args:
        min_support: the share of a sentence's words that one quote must hold. The answer ends
            before the first sentence that has less. Above 0 sentences are shown once complete.

    Attributes:
        stopped: nothing more will be shown: an unsupported sentence came, or the answer began to
            repeat itself, as small models do without end.
    """

    def __init__(self, passages: Sequence[Passage], tracer: Tracer, min_support: float = 0.0) -> None:
        self._passages = passages
        self._tracer = tracer
        self._min_support = min_support
        self._shown = 0
        """Raw characters that were shown or dropped."""
        self._sentence = 0
        """Where the current sentence begins in the raw text."""
        self._said: set[tuple[str, ...]] = set()
        self.citations: list[Citation] = []
        self.stopped = False

    def push(self, token: int, piece: str) -> str:
        """Take in a token and its text; returns the text to show next, possibly empty."""
        self._tracer.push(token, piece)
        out = ""
        while not self.stopped and (end := self._next_boundary()):
            out += self._close_sentence(end)
        if self.stopped or self._min_support:
            return out
        tail = self._tracer.text[self._shown :]
        held = _UNFINISHED.search(tail)
        return out + self._show(len(self._tracer.text) - (len(held[0]) if held else 0))

    def finish(self, piece: str = "") -> str:
        """The rest, when no more tokens come; ``piece`` is text that was held back elsewhere."""
        self._tracer.text += piece
        return self.end_sentence().rstrip()

    def end_sentence(self) -> str:
        """Close the sentence at hand, whatever may follow; returns the text to show."""
        return "" if self.stopped else self._close_sentence(len(self._tracer.text))

    def _next_boundary(self) -> int | None:
        # A boundary counts once something stands behind it, so that a marker there is complete.
        text = self._tracer.text
        for match in _SENTENCE_END.finditer(text, self._sentence):
            end = match.end()
            while marker := _MARKER.match(text, end):
                end = marker.end()
            rest = text[end:]
            if end > self._sentence and rest.strip() and not _UNFINISHED.fullmatch(rest):
                return end
        return None

    def _close_sentence(self, end: int) -> str:
        raw = self._tracer.text[self._sentence : end]
        quotes = self._tracer.quotes(self._sentence, end, _claims(raw))
        words = tuple(_WORD.findall(_MARKER.sub("", raw).casefold()))
        if _support(words, quotes, self._tracer.text) < self._min_support or self._repeats(words):
            self.stopped = True
            return ""
        out = self._show(end)
        cited = [self._cite(quote) for quote in quotes[:MARKERS_A_SENTENCE]]
        numbers = sorted({citation.marker for citation in cited})
        self._sentence = end
        return out.rstrip() + "".join(f" [{number}]" for number in numbers) if numbers else out

    def _repeats(self, words: tuple[str, ...]) -> bool:
        said = words in self._said
        self._said.add(words)
        return said and len(words) >= WORDS_OF_A_REPEAT

    def _show(self, end: int) -> str:
        """Raw text up to ``end`` without the model's own markers."""
        text, position = self._tracer.text, self._shown
        shown = ""
        # Searched within the whole text: what stands before a bracket decides whether it is a marker.
        for marker in _MARKER.finditer(text, position, max(position, end)):
            shown += text[position : marker.start()]
            position = marker.end()
        self._shown = max(self._shown, end)
        return shown + text[position:end]

    def _cite(self, quote: Quote) -> Citation:
        passage = self._passages[quote.passage]
        words = passage.text[quote.start : quote.end]
        citation = Citation(
            marker=quote.passage + 1,
            passage_id=passage.id,
            document=passage.document,
            section=passage.section,
            quote=words,
            start=passage.start + quote.start,
            end=passage.start + quote.end,
            page=passage.page_at(passage.start + quote.start),
            also_in=tuple(_places(words, passage.copies)),
        )
        if citation not in self.citations:
            self.citations.append(citation)
        return citation


def _places(words: str, copies: Sequence[Copy]) -> Iterator[Place]:
    """The first place of these words in each document."""
    seen: set[str] = set()
    for copy in copies:
        at = copy.text.find(words)
        if at >= 0 and copy.document not in seen:
            seen.add(copy.document)
            yield Place(copy.document, copy.start + at, copy.start + at + len(words))


def _claims(raw: str) -> frozenset[int]:
    """The passages that the model's own markers name, from 0."""
    return frozenset(int(n) - 1 for marker in _MARKER.finditer(raw) for n in re.findall(r"\d+", marker[0]))


def _support(words: Sequence[str], quotes: Sequence[Quote], text: str) -> float:
    """The share of a sentence's words in its longest quote; a sentence without words claims nothing.

    Not in all of its quotes together: true pieces put together differently make a false sentence.
    """
    longest = max((text[quote.at : quote.at + quote.length] for quote in quotes), key=len, default="")
    return len(_WORD.findall(longest)) / len(words) if words else 1.0
