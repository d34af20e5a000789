"""Citations: markers in the answer, each with the words that answer and passage share.

The model may write markers of its own, but a marker stays only where the provenance of the
sentence supports it, and a supported sentence gets its marker whether the model wrote it or not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from generate.provenance import Quote, Tracer
from retrieve.schema import Passage

MARKERS_A_SENTENCE = 3

# Not `items[0]`: a marker stands alone.
_MARKER = re.compile(r"(?:\s+|(?<!\w))\[\d{1,3}(?:\s*,\s*\d{1,3})*\]")
_UNFINISHED = re.compile(r"(?:\s*\[[\d,\s]*|\s+)$")
_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]*`]*(?=\s)|(?=\n)")


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

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Annotator:
    """Turns raw pieces of an answer into text to show, with markers, and collects the citations.

    Example: the raw text ``Ports are set in settings [2]. Then`` is shown as
    ``Ports are set in settings. [1] Then`` when the sentence copies passage 1.
    """

    def __init__(self, passages: Sequence[Passage], tracer: Tracer) -> None:
        self._passages = passages
        self._tracer = tracer
        self._shown = 0
        """Raw characters that were shown or dropped."""
        self._sentence = 0
        """Where the current sentence begins in the raw text."""
        self._claims: set[int] = set()
        self.citations: list[Citation] = []

    def push(self, token: int, piece: str) -> str:
        """Take in a token and its text; returns the text to show next, possibly empty."""
        self._tracer.push(token, piece)
        out = ""
        while end := self._next_boundary():
            out += self._close_sentence(end)
        tail = self._tracer.text[self._shown :]
        held = _UNFINISHED.search(tail)
        return out + self._show(len(self._tracer.text) - (len(held[0]) if held else 0))

    def finish(self, piece: str = "") -> str:
        """The rest, when no more tokens come; ``piece`` is text that was held back elsewhere."""
        self._tracer.text += piece
        return self._close_sentence(len(self._tracer.text)).rstrip()

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
        out = self._show(end)
        quotes = self._tracer.quotes(self._sentence, end, frozenset(self._claims))
        cited = [self._cite(quote) for quote in quotes[:MARKERS_A_SENTENCE]]
        numbers = sorted({citation.marker for citation in cited})
        self._sentence = end
        self._claims.clear()
        return out.rstrip() + "".join(f" [{number}]" for number in numbers) if numbers else out

    def _show(self, end: int) -> str:
        """Raw text up to ``end`` without the model's own markers, which become claims."""
        raw = self._tracer.text[self._shown : end]
        self._shown = max(self._shown, end)
        return _MARKER.sub(self._claim, raw)

    def _claim(self, marker: re.Match[str]) -> str:
        self._claims |= {int(number) - 1 for number in re.findall(r"\d+", marker[0])}
        return ""

    def _cite(self, quote: Quote) -> Citation:
        passage = self._passages[quote.passage]
        citation = Citation(
            marker=quote.passage + 1,
            passage_id=passage.id,
            document=passage.document,
            section=passage.section,
            quote=passage.text[quote.start : quote.end],
            start=passage.start + quote.start,
            end=passage.start + quote.end,
        )
        if citation not in self.citations:
            self.citations.append(citation)
        return citation
