"""Messages in, text out, in a given form where one is wanted: the answering model for other packages.

chat = open_chat(settings)
chat.complete([("user", "Name a colour.")], schema={"type": "string", "enum": ["red", "blue"]}, max_tokens=8)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from configs.models import model_path
from configs.settings import Settings
from generate.engine.request import SamplingParams
from generate.engine.service import EngineService
from generate.grammar import GrammarCompiler
from generate.prompt import PromptBuilder


class EngineChat:
    """The model of a running engine; several threads may ask at once."""

    def __init__(self, service: EngineService, tokenizer: Any, *, owned: bool = False) -> None:
        """``owned``: closing the chat closes the engine."""
        self._service = service
        self._tokenizer = tokenizer
        self._prompts = PromptBuilder(tokenizer)
        self._grammars = GrammarCompiler(tokenizer, service.vocab_size, service.eos_ids)
        self._owned = owned

    def complete(
        self,
        messages: Sequence[tuple[str, str]],
        *,
        schema: Mapping[str, Any] | None = None,
        max_tokens: int,
        salt: str = "",
    ) -> str:
        """The model's answer, chosen greedily; cut off at ``max_tokens``.

        Args:
            messages: (role, text), the last of the user. Their text yields no special tokens.
            schema: the answer is JSON that this schema allows; None: any text.
            salt: whose messages these are; cached prefixes are shared with the same salt only.

        Raises:
            InputError: the messages do not fit the model's context.
            GrammarError: the schema cannot be held.
        """
        params = SamplingParams(max_tokens=max_tokens, eos_ids=self._service.eos_ids)
        grammar = self._grammars.json_schema(schema) if schema is not None else None
        stream = self._service.submit(self._prompts.chat(messages), params, salt, grammar=grammar)
        text: str = self._tokenizer.decode(list(stream), skip_special_tokens=True)
        return text

    def close(self) -> None:
        """Stop the engine, if it is this chat's own."""
        if self._owned:
            self._service.close()


def open_chat(settings: Settings) -> EngineChat:
    """A chat with the answering model of the settings, on an engine of its own.

    Raises:
        ModelError: the model is not here or cannot be loaded.
    """
    from generate.load import load_service, load_tokenizer

    folder = model_path(settings.models.answer, settings, role="answer")
    service = load_service(folder, settings.generate, settings.costs_file)
    return EngineChat(service, load_tokenizer(folder), owned=True)
