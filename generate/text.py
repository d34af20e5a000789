"""From tokens to text, a piece at a time, and stopping at strings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_INCOMPLETE = "\ufffd"


class Detokenizer:
    """Turns a growing sequence of tokens into text; the pieces add up to the whole decoding.

    A piece is held back while it ends in half a character. Decoding a short window rather than
    single tokens keeps what depends on neighbours (leading spaces) right.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._window = 0
        self._read = 0

    def push(self, token: int) -> str:
        """The text that this token completes, possibly empty."""
        self._tokens.append(token)
        text = self._new_text()
        if not text or text.endswith(_INCOMPLETE):
            return ""
        self._window, self._read = self._read, len(self._tokens)
        return text

    def flush(self) -> str:
        """What was held back, half characters as U+FFFD."""
        text = self._new_text()
        self._window = self._read = len(self._tokens)
        return text

    def _new_text(self) -> str:
        known = self._decode(self._tokens[self._window : self._read])
        return self._decode(self._tokens[self._window :])[len(known) :]

    def _decode(self, tokens: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text


class StopStrings:
    """Passes text through until a stop string appears; what may become one is held back.

    The stop string that is complete first counts, so that it does not matter in which pieces the
    text comes.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.stopped = False

    def push(self, text: str) -> str:
        """The text that is safe to show; once `stopped`, nothing more."""
        if self.stopped:
            return ""
        self._held += text
        found = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            return self._release(min(found)[1])
        return self._release(len(self._held) - self._possible_start())

    def flush(self) -> str:
        """What was held back, when no more text comes."""
        return "" if self.stopped else self._release(len(self._held))

    def _release(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        return text

    def _possible_start(self) -> int:
        return max(
            (
                size
                for stop in self._stops
                for size in range(1, len(stop))
                if self._held.endswith(stop[:size])
            ),
            default=0,
        )
