"""Grammar-constrained decoding: which tokens may come next, for a JSON schema or a regular expression.

llguidance parses; this module gives its one moving parser the form that a token tree needs: states that are
values. It knows nothing about models: the engine adds the masks to the logits.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import embedding

from configs.errors import ModelError
from generate.json_schema import MAX_CHARACTERS, GrammarError, Schema, check_ends, locate, read_schema

if TYPE_CHECKING:
    from llguidance import LLMatcher, LLTokenizer

__all__ = ["Grammar", "GrammarCompiler", "GrammarError", "GrammarState", "mask_logits"]


class GrammarCompiler:
    """Makes grammars for one tokenizer, and remembers the last ones. Threads may share it.

    The library and its view of the vocabulary (half a second) come with the first grammar.

    Args:
        tokenizer: a fast tokenizer of transformers, byte-level or with byte fallback.
        vocab_size: the width of the model's logits; ids beyond the tokenizer's are never allowed.
        eos_ids: tokens that end an answer: allowed exactly where the grammar may end.

    Raises:
        ModelError: no end-of-sequence token, or one outside the vocabulary.
    """

    def __init__(self, tokenizer: Any, vocab_size: int, eos_ids: Collection[int]) -> None:
        if not eos_ids:
            raise ModelError("the model names no end-of-sequence token, which constrained output needs")
        if not 0 <= min(eos_ids) <= max(eos_ids) < vocab_size:
            raise ModelError(f"an end-of-sequence token lies outside the vocabulary of {vocab_size}")
        self.vocab_size = vocab_size
        self.eos_ids = frozenset(eos_ids)
        self._tokenizer = tokenizer
        self._compiled = lru_cache(maxsize=64)(self._compile)

    def json_schema(self, schema: Mapping[str, Any] | str) -> Grammar:
        """A grammar of the JSON values that a schema allows, spelled as `json.dumps` does.

        Properties come in the schema's order.

        Raises:
            GrammarError: not a schema, one that nothing matches, or one that cannot be held exactly;
                names the place.
            ModelError: a tokenizer that cannot be used.
        """
        root = read_schema(schema)
        try:
            grammar = self._compiled(_source(root))
        except GrammarError as error:
            place = locate(root, str(error), lambda schema: self._compiled(_source(schema)))
            raise GrammarError(f"the schema at {place}: {error}; change it there") from error
        check_ends(root)
        return grammar

    def regex(self, pattern: str) -> Grammar:
        """A grammar of the texts that match a whole pattern (Rust's syntax: Unicode, no look-around).

        Raises:
            GrammarError: not a regular expression, one that nothing or only "" matches, or too large.
            ModelError: a tokenizer that cannot be used.
        """
        if len(pattern) > MAX_CHARACTERS:
            raise GrammarError(f"the regex has {len(pattern):,} characters; {MAX_CHARACTERS:,} are allowed")
        if re.search(r"(?<!\\)(\\\\)*\\\Z", pattern):  # the library would overlook it
            raise GrammarError("the regex ends in a lone backslash; write two for a literal one")
        from llguidance import LLMatcher

        try:
            return self._compiled(LLMatcher.grammar_from_regex(pattern))
        except GrammarError as error:
            raise GrammarError(f"the regex {pattern[:60]!r}: {error}; change it there") from error

    def bitmask(self, rows: int) -> Tensor:
        """Masks that allow everything: int32 (rows, words), 32 tokens a word; see `GrammarState.fill`."""
        return torch.full((rows, -(-self.vocab_size // 32)), -1, dtype=torch.int32)

    @cached_property
    def end(self) -> Tensor:
        """The mask of a state where only the end may follow: int32 (words,)."""
        allowed = torch.zeros(self.bitmask(1).shape[1] * 32, dtype=torch.int32)
        allowed[list(self.eos_ids)] = 1
        return (allowed.view(-1, 32) << torch.arange(32, dtype=torch.int32)).sum(1, dtype=torch.int32)

    @cached_property
    def vocabulary(self) -> LLTokenizer:
        """The library's view of the tokenizer."""
        from llguidance.hf import from_tokenizer

        try:
            return from_tokenizer(self._tokenizer, n_vocab=self.vocab_size, eos_token=sorted(self.eos_ids))
        except ValueError as error:
            raise ModelError(f"grammars cannot be used with this tokenizer: {error}") from error

    def _compile(self, source: str) -> Grammar:
        grammar, mask = Grammar(self, source), self.bitmask(1)[0]
        grammar.start().fill(mask)
        if mask.equal(self.end):
            raise GrammarError("only the empty text can match it")
        return grammar


@dataclass(frozen=True, eq=False)
class Grammar:
    """A compiled grammar: immutable, for any number of requests and threads."""

    compiler: GrammarCompiler
    source: str

    def start(self) -> GrammarState:
        """The state before the first token. It and its descendants belong to one thread at a time.

        Each start makes its own parser (half a millisecond): copies of one would share a lexer, and a
        request that wears out its limits would fail all others.
        """
        return GrammarState(_Parser(self.compiler, self.source), None, -1, 0, 0)


@dataclass(frozen=True, eq=False, slots=True)
class GrammarState:
    """What may follow the tokens so far: a value, which advancing leaves as it is.

    States of one `start` share a parser, which moves to the state that is asked (about a microsecond for
    each token between two). All methods raise GrammarError where the grammar becomes too complex.
    """

    parser: _Parser
    parent: GrammarState | None
    token: int
    """The last one; -1 at the start."""
    depth: int
    """Tokens so far, an ending one not counted."""
    serial: int
    """Tells apart the states of one parser."""
    ended: bool = False
    """An end-of-sequence token came; only more of them may follow."""

    def advance(self, token: int) -> GrammarState | None:
        """The state after one more token; None where the mask does not allow it."""
        compiler = self.parser.compiler
        if token in compiler.eos_ids:
            end = GrammarState(self.parser, self.parent, self.token, self.depth, self.serial, ended=True)
            return end if self.accepting else None
        if self.finished or not 0 <= token < compiler.vocab_size:
            return None
        return self.parser.step(self, token)

    def mask(self) -> Tensor:
        """Which tokens may follow: bool (vocab_size,), never all False."""
        row = self.parser.compiler.bitmask(1)[0]
        self.fill(row)
        bits = row[:, None] >> torch.arange(32, dtype=torch.int32) & 1
        return bits.flatten()[: self.parser.compiler.vocab_size].bool()

    def fill(self, row: Tensor) -> None:
        """Write the mask into a row of `GrammarCompiler.bitmask`."""
        end = self.parser.compiler.end
        assert (row.dtype, row.shape, row.is_cpu, row.is_contiguous()) == (end.dtype, end.shape, True, True)
        row.copy_(end)
        if not self.ended:
            self.parser.at(self).unsafe_compute_mask_ptr(row.data_ptr(), row.nbytes)
            self.parser.check()

    def forced(self) -> list[int]:
        """The tokens that masks leave no choice about from here on: free drafts.

        Forced text is allowed only as the tokenizer writes it; the end is forced where it is one token.
        """
        return [] if self.ended else self.parser.forced(self)

    @property
    def accepting(self) -> bool:
        """Whether the text so far is complete, so that the end is allowed."""
        return self.ended or self.parser.at(self).is_accepting()

    @property
    def finished(self) -> bool:
        """Whether only the end is allowed."""
        return self.ended or self.parser.at(self).is_stopped()


class _Parser:
    """The library's parser, on its way through the states of one `Grammar.start`.

    Rolling back and consuming costs the same however long the text is; copies grow with it, to half a
    millisecond and two megabytes each after 10,000 tokens.
    """

    def __init__(self, compiler: GrammarCompiler, source: str) -> None:
        from llguidance import LLMatcher, LLParserLimits

        # A mask takes a third of a second at the very worst with these, and a parser tens of megabytes.
        limits = LLParserLimits(initial_lexer_fuel=300_000, step_lexer_fuel=50_000)
        self.compiler = compiler
        self._matcher = LLMatcher(compiler.vocabulary, source, log_level=0, limits=limits)
        self._path: list[int] = []
        """Serials of the states from the start to where the matcher is. Not the states: no cycles."""
        self._serials = itertools.count(1)
        self.check()

    def at(self, state: GrammarState) -> LLMatcher:
        """The matcher, moved to a state."""
        node, ahead = state, []
        while self._path[node.depth - 1 : node.depth] != [node.serial] and node.parent:
            ahead.append(node)
            node = node.parent
        if len(self._path) > node.depth:
            self._matcher.rollback(len(self._path) - node.depth)
            del self._path[node.depth :]
        for node in reversed(ahead):
            self._matcher.consume_token(node.token)
            self._path.append(node.serial)
        self.check()
        return self._matcher

    def step(self, state: GrammarState, token: int) -> GrammarState | None:
        """The state after an ordinary token; the matcher is then there."""
        matcher = self.at(state)
        forced = matcher.compute_ff_tokens()
        consumed = matcher.try_consume_tokens([token]) if forced[:1] in ([], [token]) else 0
        self.check()
        if not consumed:
            return None
        self._path.append(next(self._serials))
        return GrammarState(self, state, token, state.depth + 1, self._path[-1])

    def forced(self, state: GrammarState) -> list[int]:
        matcher = self.at(state)
        tokens = matcher.compute_ff_tokens()
        consumed = matcher.try_consume_tokens(tokens)
        if len(self.compiler.eos_ids) == 1 and matcher.is_stopped():
            tokens += self.compiler.eos_ids
        matcher.rollback(consumed)
        self.check()
        return tokens

    def check(self) -> None:
        if self._matcher.is_error():
            after = f"after {len(self._path)} tokens, the grammar is " if self._path else ""
            raise GrammarError(after + _reason(self._matcher.get_error()))


def mask_logits(logits: Tensor, bitmask: Tensor) -> None:
    """Set to -inf, in place, what masks do not allow; the rest stays as it is.

    Looked-up zeros and infinities are added, which takes less than half as long as `masked_fill_` with
    unpacked bits (20 microseconds for a row of 49,152 on a CPU).

    Args:
        logits: float (rows, vocabulary), finite.
        bitmask: int32 (rows, words), see `GrammarCompiler.bitmask`.
    """
    bits = torch.arange(256)[:, None] >> torch.arange(8) & 1
    table = torch.where(bits.bool(), 0.0, -torch.inf).to(logits)
    looked_up = embedding(bitmask.to(logits.device).view(torch.uint8).int(), table)
    logits += looked_up.flatten(1)[:, : logits.shape[1]]


def _source(schema: Schema) -> str:
    from llguidance import LLMatcher

    try:  # one spelling: with free whitespace hardly a token is forced, and small models indent for ever
        return LLMatcher.grammar_from_json_schema(
            schema, overrides={"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
        )
    except ValueError as error:  # an integer beyond 64 bits
        raise GrammarError(shorten(str(error), 200)) from error


def _reason(error: str) -> str:
    """What the library says, in one line."""
    if syntax := re.search(r"^    ( *)\^+\nerror: (.+)", error, re.MULTILINE):
        return f"{syntax[2]} (at character {len(syntax[1]) + 1})"
    text = " ".join(error.partition("\n<state>")[0].partition("\n   1 | ")[0].split())
    for theirs, ours in (
        (r"^NoExtension.*", "no text can match it"),
        (r"(?i)^(lexer|parser) error: (.*)", r"too complex to follow (\2)"),
        (r"\. Enable 'coerce_one_of'.*", " unless its parts cannot overlap; use anyOf"),
        (r"^at \d+\(\d+\): invalid regex .*\(in regex\): ", ""),
    ):
        text = re.sub(theirs, ours, text)
    return shorten(text, 300, placeholder=" ...")
