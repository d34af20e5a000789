"""The hard cases for speculation: text where nothing can be copied, and drafts that are always wrong.

In both the best that drafting can do is to stop: `auto` must not be slower than plain decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from generate.bench.prompts import Line, Message
from generate.engine.request import Request
from generate.speculate.drafter import Candidate, Outcome

FORMS = (
    "Write a short poem about {}.",
    "Tell a story that begins with {}.",
    "Invent a riddle whose answer is {}.",
    "Write a letter to an old friend about {}.",
    "Describe a dream in which {} plays a part.",
    "Make up a dialogue between two strangers about {}.",
    "Argue against {} in the voice of a tired judge.",
    "Write the opening scene of a play about {}.",
)
SUBJECTS = (
    "a lighthouse in winter",
    "an orchestra without a conductor",
    "the last train of the night",
    "a clockmaker's daughter",
    "rain on a tin roof",
    "a chess game between rivals",
    "the smell of bread",
    "a map with a missing corner",
)


def fresh_lines(chat: bool) -> list[Line]:
    """Tasks that ask for text of the model's own; no passages, and hardly a word to copy.

    Args:
        chat: as messages, for a model with a chat template; else as plain prompts.
    """
    tasks = [form.format(subject) for subject, form in product(SUBJECTS, FORMS)]
    return [
        Line(id=f"fresh-{number}", messages=[Message(role="user", content=task)])
        if chat
        else Line(id=f"fresh-{number}", prompt=f"{task}\n\n")
        for number, task in enumerate(tasks, 1)
    ]


class AdversarialDrafter:
    """Proposes wrong tokens, and is sure of every one of them.

    The tokens are far from the last one's id and say nothing of the text. Only counting shows that
    they never come: a planner that trusts the drafter loses a large tree with every step.

    Args:
        vocabulary: number of token ids.
    """

    name = "adversarial"
    CONFIDENCES = (0.9, 0.06, 0.03)
    STRIDE = 7919

    def __init__(self, vocabulary: int) -> None:
        self._vocabulary = vocabulary

    def begin(self, request: Request) -> int:
        return request.tokens[-1]

    def candidates(self, state: int) -> Sequence[Candidate]:
        wrong = ((state + self.STRIDE * rank) % self._vocabulary for rank in range(1, 4))
        tokens = dict.fromkeys(wrong)  # of a tiny vocabulary some may be the same
        return [
            Candidate(token, rank, prior)
            for rank, (token, prior) in enumerate(zip(tokens, self.CONFIDENCES, strict=False))
        ]

    def advance(self, state: int, token: int) -> int:
        return token

    def observe(self, outcome: Outcome) -> None:
        """It never learns."""

    def forget(self, request: Request) -> None:
        """It keeps nothing."""
