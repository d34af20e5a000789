"""From a question to an answer with proof: retrieve, prompt, generate, cite.

The answer's citations come from provenance (`generate.provenance`), never from what the model
claims, and where retrieval finds nothing the model is not asked at all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from configs.models import model_path
from configs.sections import AnswerSettings
from configs.settings import Settings
from generate.chat_model import EngineChat
from generate.citations import Annotator, Citation
from generate.engine.request import SamplingParams
from generate.engine.service import EngineService, TokenStream
from generate.prompt import PromptBuilder
from generate.provenance import Evidence, Tracer
from generate.text import Detokenizer, StopStrings
from retrieve.filters import Filter
from retrieve.retriever import Retrieval, Retriever, open_retriever

ABSTENTION = "I found nothing in your documents that answers this."
UNSUPPORTED = "I found passages about this, but no answer that they support."
# A base model that runs on invents the next question; nothing of that belongs to the answer.
STOPS = ("\nQuestion:", "\nPassages:")

History = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Stats:
    """How fast an answer was; times in seconds."""

    ttft_s: float
    """From the question to the first text of the answer, retrieval included."""
    tokens: int
    """That the model wrote; the quotes it was given to begin with are in ``prompt_tokens``."""
    tokens_per_step: float
    tokens_per_s: float
    """Decoding only: the first token's time is not counted."""
    prompt_tokens: int
    cached_prompt_tokens: int


@dataclass(frozen=True)
class Answer:
    """An answer and everything that it rests on."""

    question: str
    answer: str
    abstained: bool
    citations: tuple[Citation, ...]
    retrieval: Retrieval
    stats: Stats

    def to_json(self) -> dict[str, Any]:
        """The form that ``--json`` prints."""
        return {
            "answer": self.answer,
            "abstained": self.abstained,
            "citations": [citation.to_json() for citation in self.citations],
            "plan": self.retrieval.plan.to_json(),
            "passages": [passage.to_json() for passage in self.retrieval.passages],
            "stats": asdict(self.stats),
        }


@dataclass(frozen=True)
class Found:
    """Retrieval is done."""

    retrieval: Retrieval


@dataclass(frozen=True)
class Delta:
    """More of the answer; all deltas together are its text."""

    text: str


@dataclass(frozen=True)
class Finished:
    """The answer is complete."""

    answer: Answer


Event = Found | Delta | Finished


class Answerer:
    """Answers questions over one store with one engine; any number of threads may ask at once."""

    def __init__(
        self, retriever: Retriever, service: EngineService, tokenizer: Any, settings: AnswerSettings
    ) -> None:
        self._retriever = retriever
        self._service = service
        self._tokenizer = tokenizer
        self._prompts = PromptBuilder(tokenizer)
        self._settings = settings
        self._params = SamplingParams(
            max_tokens=settings.max_tokens,
            temperature=settings.temperature,
            top_p=settings.top_p,
            top_k=settings.top_k,
            repetition_penalty=settings.repetition_penalty,
            seed=settings.seed,
            eos_ids=service.eos_ids,
        )

    def ask(
        self,
        question: str,
        *,
        history: History = (),
        earlier: Sequence[str] = (),
        filter: Filter | None = None,
        tenant: str | None = None,
        access: Sequence[str] | None = None,
    ) -> Answer:
        """The whole answer at once; see `stream`."""
        for event in self.stream(
            question, history=history, earlier=earlier, filter=filter, tenant=tenant, access=access
        ):
            if isinstance(event, Finished):
                return event.answer
        raise AssertionError("a stream ends with Finished")

    def stream(
        self,
        question: str,
        *,
        history: History = (),
        earlier: Sequence[str] = (),
        filter: Filter | None = None,
        tenant: str | None = None,
        access: Sequence[str] | None = None,
    ) -> Iterator[Event]:
        """Answer as a stream of events: one `Found`, `Delta`s, one `Finished`.

        Closing the iterator cancels the generation.

        Args:
            history: earlier (question, answer) pairs, oldest first.
            earlier: questions before those, whose answers the model is not to see.
            filter, tenant, access: what the caller may see; see `Retriever.retrieve`.

        Raises:
            InputError: an empty question, or one that does not fit the model's context.
        """
        started = time.perf_counter()
        before = [*earlier, *(asked for asked, _ in history)]
        retrieval = self._retriever.retrieve(
            question, earlier=before, filter=filter, tenant=tenant, access=access
        )
        yield Found(retrieval)
        if not retrieval.passages:
            yield Delta(ABSTENTION)
            waited = time.perf_counter() - started
            nothing = Stats(waited, 0, 0.0, 0.0, 0, 0)
            yield Finished(Answer(question, ABSTENTION, True, (), retrieval, nothing))
            return
        recent = list(history)[-self._settings.history_turns :] if self._settings.history_turns else []
        # Cached prefixes are shared only among those who may see the same.
        salt = json.dumps([tenant, sorted(access or ())])
        yield from self._generate(question, retrieval, recent, salt, started)

    def _generate(
        self, question: str, retrieval: Retrieval, history: History, salt: str, started: float
    ) -> Iterator[Event]:
        passages = retrieval.passages
        budget = self._service.capacity - self._params.max_tokens
        plan = retrieval.plan
        # What a follow-up leans on has to stand in the prompt: in an earlier turn, or in the question.
        is_told = plan.topic in ("", *(text for text, _ in history)) and not plan.original
        asked = question if is_told else plan.question
        best = self._retriever.highlights(asked, passages, self._settings.lead)
        lead = [(found.passage, passages[found.passage].text[found.start : found.end]) for found in best]
        prompt = self._prompts.build(asked, passages, history, budget=budget, lead=lead)
        shown = passages[: len(prompt.passages)]
        evidence = Evidence([passage.text for passage in shown], prompt.passages)
        tracer = Tracer(evidence, self._settings.min_quote_words)
        annotator = Annotator(shown, tracer, self._settings.min_support)
        stream = self._service.submit(prompt.ids, self._params, salt)
        clock = _Clock(started)
        text = ""
        try:
            for raw in self._pieces(prompt.lead, stream, annotator, clock):
                piece = raw if text else raw.lstrip()  # leading space belongs to the template
                text += piece
                if piece:
                    clock.show()
                    yield Delta(piece)
        finally:
            stream.cancel()
        if unsupported := not text:
            text = UNSUPPORTED
            yield Delta(text)
        stats = clock.stats(stream)
        yield Finished(Answer(question, text, unsupported, tuple(annotator.citations), retrieval, stats))

    def _pieces(
        self, lead: Sequence[int], stream: TokenStream, annotator: Annotator, clock: _Clock
    ) -> Iterator[str]:
        detokenizer, stops = Detokenizer(self._tokenizer), StopStrings(STOPS)
        for token in lead:
            yield annotator.push(token, detokenizer.push(token))
        if lead:
            yield annotator.end_sentence()
        for token in stream:
            clock.tick()
            yield annotator.push(token, stops.push(detokenizer.push(token)))
            if stops.stopped or annotator.stopped:
                break
        yield annotator.finish(stops.push(detokenizer.flush()) + stops.flush())

    def close(self) -> None:
        """Stop the engine and let go of the store."""
        self._service.close()
        self._retriever.close()


class _Clock:
    """When an answer began to show, and when its first and last token came."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._shown: float | None = None
        self._first = self._last = started
        self._tokens = 0

    def show(self) -> None:
        """Text is shown."""
        self._shown = self._shown or time.perf_counter()

    def tick(self) -> None:
        """A token came."""
        self._last = time.perf_counter()
        if self._tokens == 0:
            self._first = self._last
        self._tokens += 1

    def stats(self, stream: TokenStream) -> Stats:
        decoding = self._last - self._first
        request = stream.request
        return Stats(
            ttft_s=(self._shown or self._last) - self._started,
            tokens=self._tokens,
            tokens_per_step=len(request.output) / max(1, request.steps),
            tokens_per_s=(self._tokens - 1) / decoding if decoding > 0 else 0.0,
            prompt_tokens=len(request.prompt),
            cached_prompt_tokens=request.cached_prompt_tokens,
        )


def open_answerer(settings: Settings) -> Answerer:
    """Load the models and open the store.

    Raises:
        ModelError: a model is not here or cannot be loaded.
        StoreError: the store is corrupt or unreachable.
    """
    folder = model_path(settings.models.answer, settings, role="answer")
    from generate.load import load_service, load_tokenizer

    name = settings.models.draft
    draft = model_path(name, settings, role="answer") if name else None
    tokenizer = load_tokenizer(folder)
    service = load_service(folder, settings.generate, settings.costs_file, draft)
    try:
        # The answering model reads questions, too, where the settings want it: one engine does both.
        chat = EngineChat(service, tokenizer) if settings.retrieve.asks_model else None
        return Answerer(open_retriever(settings, chat), service, tokenizer, settings.answer)
    except BaseException:
        service.close()
        raise
