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
from retrieve.self_query.text import clean, fold, words

LEANING = 3
"""Questions after the one that they all lean on that the model is shown."""
MAX_TOKENS = 100
MAX_CHARACTERS = 300
"""Of each question."""
_ABOUT = ("what about", "how about", "and what about", "and how about")
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
    chain = _chain(earlier)
    turns: list[tuple[str, str]] = [("system", INSTRUCTIONS)]
    for asked, answer in EXAMPLES:
        turns += [("user", _shown(asked)), ("assistant", json.dumps({"question": answer}))]
    turns.append(("user", _shown((*chain, question))))
    try:
        said = chat.complete(turns, schema=SCHEMA, max_tokens=MAX_TOKENS, salt=salt)
        proposal = clean(json.loads(said)["question"]).strip()
    except (DraftlineError, ValueError, KeyError, TypeError, AttributeError):
        return None  # a model that fails, or was cut off, has rewritten nothing
    return proposal if holds(proposal, question, chain) else None


def _chain(earlier: Sequence[str]) -> list[str]:
    """The last question that stands for itself, and the last of those that lean on it."""
    start = next((at for at in reversed(range(len(earlier))) if not leans(earlier[at])), 0)
    topic, *since = earlier[start:] or [""]
    return [text[:MAX_CHARACTERS] for text in (topic, *since[-LEANING:])]


def holds(proposal: str, question: str, earlier: Sequence[str]) -> bool:
    """Whether a proposal asks what the question asks, of what the earlier ones are about, and no more.

    What is asked are its content words, its question words and its negations. A proposal that another
    question of the conversation says word for word has lost what is new.
    """
    own, new = _content(question), _content(proposal)
    told = own.union(*map(_content, earlier))
    if not (own <= new <= told and new) or leans(proposal):
        return False
    if any(_said(proposal) == _said(text) for text in earlier):
        return False
    if fold(question).lstrip().startswith(_ABOUT):  # it asks what the earlier one has asked
        return _negated(proposal) or not _negated(question)
    return _asked(question) <= _asked(proposal) and _negated(question) == _negated(proposal)


def _content(text: str) -> set[str]:
    """The stems of a text's words but those of grammar."""
    table = follow_up_words()
    grammar = table.grammar | table.interrogatives | table.negations
    grammar |= table.pronouns | table.plural | table.others
    return {word.stem for word in words(text) if word.norm not in grammar}


def _asked(text: str) -> frozenset[str]:
    return follow_up_words().interrogatives.intersection(_said(text))


def _negated(text: str) -> bool:
    return not follow_up_words().negations.isdisjoint(_said(text))


def _said(text: str) -> list[str]:
    return [word.norm for word in words(text)]


def _shown(questions: Sequence[str]) -> str:
    return "\n".join(f"{number}. {question}" for number, question in enumerate(questions, start=1))
