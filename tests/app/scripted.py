"""An answerer that says what a test wrote, in the real events and types, and as slowly as it likes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from configs.errors import DraftlineError
from generate.answer import Answer, Delta, Event, Finished, Found, Stats
from generate.citations import Citation
from retrieve.retriever import Retrieval
from retrieve.schema import Passage
from retrieve.self_query.plan import QueryPlan

QUOTE = "the second one waits for ten seconds"
TEXT = f"When two ingests start at once, {QUOTE} and then gives up.\nNothing is written twice."
START = 100
"""Where the passages begin in their documents."""


def passage(
    text: str = TEXT, document: str = "ingest.md", section: Sequence[str] = ("Ingest", "Two at once")
) -> Passage:
    """A passage as a search gives it."""
    ours = {
        "document": document,
        "section": list(section),
        "start": START,
        "end": START + len(text),
        "ordinal": 0,
    }
    return Passage(f"id-{document}", text, 1.0, {"_dl": ours}, 0.8)


def citation(found: Passage, marker: int, quote: str) -> Citation:
    """A citation of words that stand in a passage."""
    start = found.start + found.text.index(quote)
    return Citation(marker, found.id, found.document, found.section, quote, start, start + len(quote))


def pieces(text: str) -> list[str]:
    """A text in words, as a model streams it."""
    return [word + " " for word in text.split(" ")[:-1]] + text.split(" ")[-1:]


@dataclass
class Reply:
    """What to answer: text, the passages found, and (marker, quote) pairs."""

    text: str
    passages: Sequence[Passage] = field(
        default_factory=lambda: (passage(), passage("Another one.", "store.md"))
    )
    quotes: Sequence[tuple[int, str]] = ((1, QUOTE),)
    abstained: bool = False
    error: Exception | None = None
    pause_s: float = 0.0
    plan: QueryPlan | None = None


@dataclass
class ScriptedAnswerer:
    """Answers every question with ``reply(question)``; remembers what it was asked."""

    reply: Callable[[str], Reply]
    asked: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    cancelled: int = 0

    def stream(self, question: str, *, history: Sequence[tuple[str, str]] = ()) -> Iterator[Event]:
        self.asked.append((question, list(history)))
        reply = self.reply(question)
        plan = reply.plan or QueryPlan(question, question)
        retrieval = Retrieval(question, plan, tuple(reply.passages))
        yield Found(retrieval)
        try:
            for piece in pieces(reply.text):
                time.sleep(reply.pause_s)
                yield Delta(piece)
        except GeneratorExit:
            self.cancelled += 1
            raise
        if reply.error is not None:
            raise reply.error
        citations = tuple(
            citation(reply.passages[marker - 1], marker, quote) for marker, quote in reply.quotes
        )
        stats = Stats(0.42, 31, 1.0, 12.5, 900, 640)
        yield Finished(Answer(question, reply.text, reply.abstained, citations, retrieval, stats))

    def close(self) -> None:
        """Nothing to let go of."""


GOOD = Reply(f"As the handbook says, {QUOTE}. [1]")
ABSTAINED = Reply("I found nothing in your documents.", passages=(), quotes=(), abstained=True)
FAILED = Reply("Half an", error=DraftlineError("the model fell over;\nstart it again"))
