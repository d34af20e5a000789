"""Asking every question of a set, many at once; an item that fails is an outcome with an error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from configs.errors import DraftlineError
from evaluate.dataset import Item
from evaluate.metrics import own_scores
from evaluate.records import Citation, Found, Outcome
from evaluate.references import Reference

logger = logging.getLogger(__name__)

Ask = Callable[[str], Mapping[str, Any]]
"""A question in, the answer out, as `python -m generate ask --json` prints it."""


@dataclass(frozen=True)
class Asker:
    """Asks items and scores each answer while its passages are at hand."""

    ask: Ask
    references: Mapping[str, Reference]

    def outcome(self, item: Item) -> Outcome:
        """Ask one item; whatever goes wrong with it becomes its error."""
        missing = self.references[item.id].missing
        if missing:
            return _failed(item, f"the store has no {missing[0].document} with {missing[0].quote!r}")
        try:
            answer = self.ask(item.question)
        except DraftlineError as error:
            return _failed(item, str(error))
        except Exception as error:
            logger.warning("%s failed", item.id, exc_info=True)
            return _failed(item, f"{type(error).__name__}: {error}")
        outcome = _outcome(item, answer)
        texts = {passage["id"]: passage["text"] for passage in answer["passages"]}
        return outcome.model_copy(update={"scores": own_scores(outcome, self.references[item.id], texts)})


def ask_all(
    items: Sequence[Item],
    asker: Asker,
    parallel: int,
    *,
    done: Callable[[Outcome], object],
    give_up: Callable[[], object],
) -> list[Outcome]:
    """Ask all items, ``parallel`` at a time, and return the outcomes in the items' order.

    ``done`` is called for each, from the calling thread. On an interruption, questions that have
    not been asked yet never are, and ``give_up`` is called to end those that are under way.
    """
    with ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="evaluate") as pool:
        futures = {pool.submit(asker.outcome, item): item.id for item in items}
        outcomes: dict[str, Outcome] = {}
        try:
            for future in as_completed(futures):
                outcomes[futures[future]] = future.result()
                done(future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            give_up()
            raise
    return [outcomes[item.id] for item in items]


def _failed(item: Item, error: str) -> Outcome:
    return Outcome(
        id=item.id,
        question=item.question,
        answerable=item.answerable,
        reference=item.answer,
        error=" ".join(error.split()),
    )


def _outcome(item: Item, answer: Mapping[str, Any]) -> Outcome:
    return Outcome(
        id=item.id,
        question=item.question,
        answerable=item.answerable,
        reference=item.answer,
        answer=answer["answer"],
        abstained=answer["abstained"],
        citations=tuple(Citation.model_validate(citation) for citation in answer["citations"]),
        passages=tuple(
            Found(
                id=passage["id"],
                document=passage["metadata"]["_dl.document"],
                start=passage["metadata"]["_dl.start"],
                end=passage["metadata"]["_dl.end"],
            )
            for passage in answer["passages"]
        ),
        stats=dict(answer["stats"]),
    )
