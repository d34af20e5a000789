"""Drafts from the evidence: what followed the same words earlier in the prompt and the output.

The request's own suffix automaton is a Markov model of every order at once: the state of the
longest earlier occurrence of what was just written knows all its continuations and how often each
came, its suffix links lead to shorter contexts with more of them. Longest-suffix drafting is known
from prompt lookup and SuffixDecoding (arXiv 2411.04975); here every node of the tree has a state of its
own, so branches split wherever the text did.
"""

from __future__ import annotations

from collections.abc import Sequence

from generate.automaton import SuffixAutomaton
from generate.engine.request import Request
from generate.speculate.drafter import Candidate, Outcome

MAX_CANDIDATES = 8
MAX_LEVELS = 4
"""Shorter contexts that are asked as well."""
LENGTHS = (0, 1, 2, 3, 4, 5, 5, 6, 6, 6, 7, 7, 7, 7, 7, 7, 8)
"""Match lengths that count as one kind."""

State = tuple["SuffixAutomaton", int, int]
"""The automaton, its state, and the length of the match there."""


class CopyDrafter:
    """Proposes what followed the longest earlier occurrences of a request's last tokens."""

    name = "copy"

    def __init__(self) -> None:
        self._automata: dict[int, SuffixAutomaton] = {}

    def begin(self, request: Request) -> State | None:
        """The longest suffix that occurred before."""
        automaton = self._automata.setdefault(request.id, SuffixAutomaton())
        for token in request.tokens[automaton.size :]:
            automaton.extend(token)
        match = automaton.earlier()
        return automaton, match.state, match.length

    def candidates(self, state: State) -> Sequence[Candidate]:
        """Continuations of the match, then of its shorter suffixes, the most frequent first."""
        automaton, place, length = state
        found: list[Candidate] = []
        known: set[int] = set()
        for level in range(MAX_LEVELS):
            if place == 0 or len(found) == MAX_CANDIDATES:
                break
            below = automaton.transitions[place]
            fresh = [
                (automaton.counts[target], token) for token, target in below.items() if token not in known
            ]
            if fresh:
                total = automaton.counts[place]
                reach = LENGTHS[min(length, len(LENGTHS) - 1)]
                fresh.sort(reverse=True)
                for count, token in fresh[: MAX_CANDIDATES - len(found)]:
                    share = count / max(total, count)
                    kind = (min(level, 2), reach, int(share * 4.999))
                    found.append(Candidate(token, kind, _prior(level, length, share)))
                    known.add(token)
            place = automaton.links[place]
            length = automaton.lengths[place]
        return found

    def advance(self, state: State, token: int) -> State | None:
        """Follow a token; the match shrinks to the longest suffix that it continues."""
        automaton, place, length = state
        while place and token not in automaton.transitions[place]:
            place = automaton.links[place]
            length = automaton.lengths[place]
        target = automaton.transitions[place].get(token)
        return None if target is None else (automaton, target, length + 1)

    def observe(self, outcome: Outcome) -> None:
        """Nothing to learn beyond the tokens, which `begin` reads."""

    def forget(self, request: Request) -> None:
        self._automata.pop(request.id, None)


def _prior(level: int, length: int, share: float) -> float:
    return length / (length + 1.4) * share * (0.4**level)
