"""Follow-ups in the chat model's words: "And when does it run?" becomes "When does the pump run?".

What a model writes counts only if it can be checked without one: nothing in it is new but words of
grammar, nothing that the follow-up asks for is lost, and it stands for itself. Otherwise the follow-up
is read by its words alone, as `follow_ups` says. The model is shown the questions, never the answers:
those quote documents, which are not to say what is searched for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from configs.errors import DraftlineError
from retrieve.follow_ups import leans
from retrieve.self_query.lexicon import follow_up_words
from retrieve.self_query.model_reader import ChatModel
from retrieve.self_query.text import words

EARLIER = 4
"""Questions of the conversation that the model is shown."""
MAX_TOKENS = 100
MAX_CHARACTERS = 300
INSTRUCTIONS = (
    "You rewrite the last question of a conversation so that it can be understood without the others. "
    "Replace words such as it, they, there or that by what they stand for, and add what is left out. "
    "Take every word from the conversation. Do not answer the question."
)
EXAMPLES = (
    (("Who makes the Rotax motor?", "And what does it weigh?"), "What does the Rotax motor weigh?"),
    (
        ("How are solar panels recycled?", "Is it expensive?", "What about batteries?"),
        "How are batteries recycled?",
    ),
)
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"question": {"type": "string", "maxLength": MAX_CHARACTERS}},
    "required": ["question"],
    "additionalProperties": False,
}


def rewritten(chat: ChatModel, question: str, earlier: Sequence[str], salt: str) -> str | None:
    """The follow-up as a question that stands for itself; None where the model has none that holds.

    Args:
        earlier: the questions before it, oldest first.
        salt: whose conversation it is, see `ChatModel`.
    """
    turns: list[tuple[str, str]] = [("system", INSTRUCTIONS)]
    for asked, answer in EXAMPLES:
        turns += [("user", _shown(asked)), ("assistant", json.dumps({"question": answer}))]
    shown = (*earlier[-EARLIER:], question)
    turns.append(("user", _shown(shown)))
    try:
        said = chat.complete(turns, schema=SCHEMA, max_tokens=MAX_TOKENS, salt=salt)
        proposal = json.loads(said)["question"].strip()
    except (DraftlineError, ValueError, KeyError, TypeError, AttributeError):
        return None  # a model that fails, or was cut off, has rewritten nothing
    return proposal if holds(proposal, question, shown[:-1]) else None


def holds(proposal: str, question: str, earlier: Sequence[str]) -> bool:
    """Whether a proposal says what the question asks, of what the earlier ones are about, and no more."""
    own = _content(question)
    told = own.union(*map(_content, earlier))
    new = _content(proposal)
    return own <= new <= told and new > own and not leans(proposal)


def _content(text: str) -> set[str]:
    """The stems of a text's words but those of grammar."""
    table = follow_up_words()
    grammar = table.grammar | table.pronouns | table.plural | table.others
    return {word.stem for word in words(text) if word.norm not in grammar}


def _shown(questions: Sequence[str]) -> str:
    return "\n".join(f"{number}. {question}" for number, question in enumerate(questions, start=1))
