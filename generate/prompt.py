"""The prompt: instructions, earlier turns, numbered passages, the question last.

Documents and questions are untrusted, so their text is tokenized apart from the chat template and
never yields special tokens: a passage that contains ``<|im_end|>`` cannot end its turn. Tokenizing
passages apart also tells which prompt tokens are whose, which is what citations are made from.
"""

from __future__ import annotations

import copy
import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError
from tokenizers import Tokenizer

from configs.errors import InputError, ModelError
from retrieve.schema import Passage

INSTRUCTIONS = (
    "You answer questions from the numbered passages. Copy the sentence of the passages that answers "
    "the question, word for word, and name its passage like this: [1]. Use nothing else."
)

_CONTROL = re.compile(r"<[|\uff5c].+[|\uff5c]>|\[/?[A-Z_]+\]|</?[A-Za-z]+_\w+>")
"""What control tokens look like: ``<|user|>`` (with the wide bar, too), ``[INST]``, ``<start_of_turn>``."""


@dataclass(frozen=True)
class PassageTokens:
    """A passage as it stands in the prompt: token ids, and each token's characters in its text."""

    ids: list[int]
    offsets: list[tuple[int, int]]


@dataclass(frozen=True)
class Prompt:
    """Token ids of a prompt, and the passages that fitted into it, best first."""

    ids: list[int]
    passages: list[PassageTokens]
    lead: list[int]
    """The last of the ids: how the answer begins."""


class PromptBuilder:
    """Builds prompts for one model's tokenizer and chat template."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        # Whether special tokens are parsed is a switch on the tokenizer, not on the call: threads
        # that want it both ways must not share one.
        self._untrusting = _untrusting(tokenizer)

    def build(
        self,
        question: str,
        passages: Sequence[Passage],
        history: Sequence[tuple[str, str]] = (),
        *,
        budget: int,
        lead: Sequence[tuple[int, str]] = (),
    ) -> Prompt:
        """A prompt of at most ``budget`` tokens.

        What does not fit is left out: the least relevant passages first, then the oldest turns.

        Args:
            lead: paragraphs that the answer begins with, each quoted from a passage (its index);
                one whose passage is left out is left out too.

        Raises:
            InputError: the question does not fit beside its best passage; says by how many tokens.
            ModelError: the chat template fails, or does not give each message once.
        """
        tokenized = [self._passage(passage) for passage in passages]
        turns = list(history)
        while True:
            kept = "\n\n".join(text for passage, text in lead if passage < len(tokenized))
            opening = self._plain(kept) if kept else []
            ids = [*self._assemble(question, passages, tokenized, turns), *opening]
            if (over := len(ids) - budget) <= 0:
                return Prompt(ids, tokenized, opening)
            if len(tokenized) > 1:
                tokenized.pop()
            elif turns:
                turns.pop(0)
            else:
                raise InputError(
                    f"the question is {over} tokens too long: with its best passage it must fit into the "
                    f"{budget} tokens that context, KV cache and answer.max_tokens leave; shorten it"
                )

    def chat(self, messages: Sequence[tuple[str, str]]) -> list[int]:
        """Token ids of (role, text) messages in the chat template, up to where the model's turn begins.

        Raises:
            ModelError: the chat template fails, or does not give each message once.
        """
        return self._chat([(role, self._plain(text)) for role, text in messages])

    def _passage(self, passage: Passage) -> PassageTokens:
        encoded = self._untrusting(
            passage.text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
        )
        return PassageTokens(list(encoded["input_ids"]), [tuple(pair) for pair in encoded["offset_mapping"]])

    def _assemble(
        self,
        question: str,
        passages: Sequence[Passage],
        tokenized: Sequence[PassageTokens],
        history: Sequence[tuple[str, str]],
    ) -> list[int]:
        messages = [("system", self._plain(INSTRUCTIONS))]
        for asked, answered in history:
            messages += [("user", self._plain(asked)), ("assistant", self._plain(answered))]
        content = self._plain("Passages:\n\n")
        for number, (passage, tokens) in enumerate(zip(passages, tokenized, strict=False), start=1):
            title = " > ".join((passage.document, *passage.section))
            above = f"[{number}] {title}\n" + (f"{passage.header}\n" if passage.header else "")
            content += [*self._plain(above), *tokens.ids, *self._plain("\n\n")]
        content += self._plain(f"Question: {question}")
        return self._chat([*messages, ("user", content)])

    def _plain(self, text: str) -> list[int]:
        encoded = self._untrusting(text, add_special_tokens=False, split_special_tokens=True)
        return list(encoded["input_ids"])

    def _chat(self, messages: Sequence[tuple[str, list[int]]]) -> list[int]:
        """Wrap contents in the model's chat template: only the template yields special tokens."""
        marked = {f"@{uuid.uuid4().hex}@": content for _, content in messages}
        ids: list[int] = []
        for piece in self._render([role for role, _ in messages], list(marked)):
            ids += marked[piece] if piece in marked else self._template_text(piece)
        return ids

    def _render(self, roles: Sequence[str], marks: Sequence[str]) -> list[str]:
        """The template's own text and the marks, each of these once, in the template's order."""
        if self._tokenizer.chat_template is None:
            return [piece for mark in marks for piece in (mark, "\n\n")] + ["Answer:"]
        messages = [{"role": role, "content": mark} for role, mark in zip(roles, marks, strict=True)]
        try:
            return self._pieces(messages, marks)
        except TemplateError as error:
            if len(messages) < 2:
                raise _unusable(error) from error
        first, second, *rest = messages  # some templates know no system role: it goes to the first question
        merged = {"role": "user", "content": f"{first['content']}\n\n{second['content']}"}
        try:
            return self._pieces([merged, *rest], marks)
        except TemplateError as error:
            raise _unusable(error) from error

    def _pieces(self, messages: Sequence[dict[str, str]], marks: Sequence[str]) -> list[str]:
        pieces = re.split(f"({'|'.join(marks)})", self._apply(messages))
        if sorted(piece for piece in pieces if piece in marks) != sorted(marks):
            raise TemplateError("the chat template leaves out a message, or repeats one")
        return pieces

    def _apply(self, messages: Sequence[dict[str, str]]) -> str:
        text: str = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return text

    def _template_text(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []


def _unusable(error: TemplateError) -> ModelError:
    return ModelError(f"the model's chat template cannot be used ({error}); choose another model.name")


def _untrusting(tokenizer: Any) -> Any:
    """A copy that can be told to parse no control tokens, whether its makers call them special or not.

    ``split_special_tokens`` leaves alone what was added as an ordinary token, as some models' turn and
    tool tokens are. What else was added, such as HTML tags and runs of spaces, can only be text.
    """
    found = copy.deepcopy(tokenizer)
    backend = getattr(found, "_tokenizer", None)
    if isinstance(backend, Tokenizer):
        parts = json.loads(backend.to_str())
        for token in parts.get("added_tokens", ()):
            token["special"] = token["special"] or _CONTROL.fullmatch(token["content"]) is not None
        found._tokenizer = Tokenizer.from_str(json.dumps(parts))
    return found
