"""Follow-ups in the chat model's words: "And when does it run?" becomes "When does the pump run?".

What a model writes counts only if it can be checked without one: nothing in it is new but words of
grammar, nothing that the follow-up asks for is lost, and it stands for itself. Otherwise the follow-up
is read by its words alone, as `follow_ups` says. The model is shown the questions, never the answers:
those quote documents, which are not to say what is searched for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from configs.errors import DraftlineError
from retrieve.follow_ups import asks, leans
from retrieve.self_query.lexicon import follow_up_words
from retrieve.self_query.model_reader import ChatModel
from retrieve.self_query.text import clean, fold, words

LEANING = 3
"""Questions after the one that they all lean on that the model is shown."""
MAX_TOKENS = 100
MAX_CHARACTERS = 300
"""Of each question."""
_OPENING = re.compile(r"^\W*(?:and|but|so|or|also|then)(?![^\W_])\s*", re.I)
_ABOUT = re.compile(r"^\W*(?:and\s+|but\s+)?(?:what|how)\s+about(?![^\W_])", re.I)
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

    What is asked are its content words, its question words, its negation and by, from, to or about whom.
    A follow-up such as "And the valves?" asks what its topic, the first of the earlier ones, has asked.
    """
    own, new = _content(question), _content(proposal)
    told = own.union(*map(_content, earlier))
    opening_alone = not leans(_OPENING.sub("", question))
    if not (own <= new <= told and new and (opening_alone or new > own)) or leans(proposal):
        return False
    if any(_said(proposal) == _said(text) for text in earlier):
        return False  # what is new in the follow-up is lost
    asking = question if asks(question) else earlier[0]
    return (
        _asked(asking) <= _asked(proposal)
        and (_negated(asking) or _negated(question)) == _negated(proposal)
        and _related(question) <= _related(proposal)
    )


def _content(text: str) -> set[str]:
    """The stems of a text's words but those of grammar."""
    table = follow_up_words()
    grammar = table.grammar | table.interrogatives | table.negations
    grammar |= table.pronouns | table.plural | table.others
    return {word.stem for word in words(_plain(text)) if word.norm not in grammar}


def _asked(text: str) -> frozenset[str]:
    return follow_up_words().interrogatives.intersection(_said(_ABOUT.sub("", text)))


def _negated(text: str) -> bool:
    return not follow_up_words().negations.isdisjoint(_said(text))


def _related(text: str) -> set[tuple[str, str]]:
    """What stands behind a preposition that decides who is meant: "by Osei", "about the pump"."""
    relations, content = follow_up_words().relations, _content(text)
    found = words(_ABOUT.sub("", _plain(text)))
    pairs = pairwise(word for word in found if word.stem in content or word.norm in relations)
    return {(a.norm, b.stem) for a, b in pairs if a.norm in relations and b.stem in content}


def _said(text: str) -> list[str]:
    return [word.norm for word in words(_plain(text))]


def _plain(text: str) -> str:
    """In small letters, contractions written out: doesn't, can't and won't."""
    text = re.sub(r"(?<![^\W_])can't", "can not", re.sub(r"(?<![^\W_])won't", "will not", fold(text)))
    return re.sub(r"n't(?![^\W_])", " not", text)


def _shown(questions: Sequence[str]) -> str:
    return "\n".join(f"{number}. {question}" for number, question in enumerate(questions, start=1))
