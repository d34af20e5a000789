"""A request's grammar on its way through one verification."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from generate.grammar import GrammarError, GrammarState, mask_logits


class Constraint:
    """Masks the logits of the nodes that the walk reaches; does nothing for a request without a grammar."""

    def __init__(self, state: GrammarState | None) -> None:
        self._states = [state] if state is not None else []
        """Before the first token, and after each of the path so far."""

    def apply(self, logits: Tensor, path: Sequence[int]) -> Tensor:
        """The logits (vocabulary,) after ``path``, with what the grammar does not allow at -inf.

        Raises:
            GrammarError: the grammar became too complex to follow.
        """
        if not self._states:
            return logits
        state = self._at(path)
        bitmask = state.parser.compiler.bitmask(1)
        state.fill(bitmask[0])
        allowed = logits[None].clone()
        mask_logits(allowed, bitmask)
        return allowed[0]

    def after(self, tokens: Sequence[int]) -> GrammarState | None:
        """The state after the tokens that the step added."""
        return self._at(tokens) if self._states else None

    def _at(self, path: Sequence[int]) -> GrammarState:
        while len(self._states) <= len(path):
            state = self._states[-1].advance(path[len(self._states) - 1])
            if state is None:
                raise GrammarError("the output left its grammar; this is a bug")
            self._states.append(state)
        return self._states[len(path)]
