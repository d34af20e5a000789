"""A suffix automaton over token ids: the longest match of what was just written, at every token.

Online construction after Blumer et al. (1985), "The smallest automaton recognizing the subwords
of a text". It knows every substring of the sequence with at most two states and three transitions
a token, is extended in amortised constant time, and can be walked and extended in turns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MAX_CHAIN = 64


@dataclass(frozen=True)
class Match:
    """The longest suffix of what was read that occurs in the sequence.

    ``state`` stands for every occurrence of the match; ``length`` counts its tokens.
    """

    state: int = 0
    length: int = 0


class SuffixAutomaton:
    """All substrings of one token sequence.

    State 0 is the empty match. ``links[s]`` leads to the longest suffix of ``s``'s strings that
    occurs in more places; ``lengths[s]`` is the longest string of ``s``; ``counts[s]`` says how often
    its strings occur (at least: see `_count`).
    """

    def __init__(self, tokens: Iterable[int] = ()) -> None:
        self.transitions: list[dict[int, int]] = [{}]
        self.links = [-1]
        self.lengths = [0]
        self.counts = [0]
        self.ends = [-1]
        """Position of the token at which a state was made; -1 for clones, which add no position."""
        self._last = 0
        self._children: list[list[int]] | None = None
        for token in tokens:
            self.extend(token)

    def extend(self, token: int) -> None:
        """Append a token to the sequence."""
        self._children = None
        length = self.lengths[self._last] + 1
        current = self._new_state({}, -1, length, length - 1)
        state = self._last
        while state != -1 and token not in self.transitions[state]:
            self.transitions[state][token] = current
            state = self.links[state]
        if state == -1:
            self.links[current] = 0
        else:
            self.links[current] = self._split(state, token)
        self._last = current
        self._count(current)

    @property
    def size(self) -> int:
        """Tokens of the sequence."""
        return self.lengths[self._last]

    def earlier(self) -> Match:
        """The longest suffix of the sequence that occurs in it before."""
        state = max(0, self.links[self._last])
        return Match(state, self.lengths[state])

    def _count(self, state: int) -> None:
        """A new occurrence of the state's strings and of their suffixes.

        A chain of suffix links is a few states long, but as long as the text in one that repeats a
        single token, hence the bound; beyond it are the shortest suffixes.
        """
        for _ in range(MAX_CHAIN):
            if state <= 0:
                break
            self.counts[state] += 1
            state = self.links[state]

    def _split(self, state: int, token: int) -> int:
        """The state of ``state``'s longest string followed by ``token``, cloned off if need be."""
        target = self.transitions[state][token]
        if self.lengths[target] == self.lengths[state] + 1:
            return target
        clone = self._new_state(
            dict(self.transitions[target]), self.links[target], self.lengths[state] + 1, -1
        )
        while state != -1 and self.transitions[state].get(token) == target:
            self.transitions[state][token] = clone
            state = self.links[state]
        self.links[target] = clone
        self.counts[clone] = self.counts[target]
        return clone

    def _new_state(self, transitions: dict[int, int], link: int, length: int, end: int) -> int:
        self.transitions.append(transitions)
        self.links.append(link)
        self.lengths.append(length)
        self.ends.append(end)
        self.counts.append(0)
        return len(self.links) - 1

    def follow(self, match: Match, token: int) -> Match:
        """The longest match after reading one more token."""
        state, length = self._place(match), match.length
        while state and token not in self.transitions[state]:
            state = self.links[state]
            length = self.lengths[state]
        target = self.transitions[state].get(token)
        return Match() if target is None else Match(target, length + 1)

    def _place(self, match: Match) -> int:
        """The state that stands for a match now: growth since it was found may have split its own."""
        state = match.state
        while state and match.length <= self.lengths[self.links[state]]:
            state = self.links[state]
        return state

    def occurrences(self, match: Match) -> list[int]:
        """Positions of the last token of every occurrence of a match, ascending."""
        if match.length == 0:
            return []
        if self._children is None:
            self._children = [[] for _ in self.links]
            for state, link in enumerate(self.links[1:], start=1):
                self._children[link].append(state)
        found, stack = [], [self._place(match)]
        while stack:
            state = stack.pop()
            stack += self._children[state]
            if self.ends[state] >= 0:
                found.append(self.ends[state])
        return sorted(found)
