"""Drafts from a grammar: where it leaves no choice, the only way on is a draft that cannot fail."""

from __future__ import annotations

from collections.abc import Sequence

from generate.engine.request import Request
from generate.grammar import GrammarState
from generate.speculate.drafter import Candidate, Outcome

CERTAIN = 0.99

State = tuple[GrammarState, tuple[int, ...]]
"""The grammar's state, and the tokens that are forced from there on."""


class GrammarDrafter:
    """Proposes the tokens that a request's grammar forces; nothing for requests without one."""

    name = "grammar"

    def begin(self, request: Request) -> State | None:
        state = request.grammar_state
        return None if state is None else (state, tuple(state.forced()))

    def candidates(self, state: State) -> Sequence[Candidate]:
        _, forced = state
        return [Candidate(forced[0], "forced", CERTAIN)] if forced else []

    def advance(self, state: State, token: int) -> State | None:
        """Go on along what is forced, or ask anew where another token led."""
        place, forced = state
        after = place.advance(token)
        if after is None:
            return None
        ahead = forced[1:] if forced[:1] == (token,) else ()
        return after, ahead or tuple(after.forced())

    def observe(self, outcome: Outcome) -> None:
        """What is forced needs no learning."""

    def forget(self, request: Request) -> None:
        """Nothing is kept: the state is the request's own."""
