"""What each piece of evidence is worth for a mention being a condition.

Evidence is added up, and a mention with `ENOUGH` of it is a condition. The weights were set by hand: first
on the questions of tests/retrieve/suite/dev, then corrected where later sets of questions, written by
authors who had not seen the linker, showed that they misled. They are no probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

ENOUGH = 1.0
"""A mention with at least this much support is a condition."""

# -- the match by itself (worth.py)
MATCHED: Mapping[str, float] = MappingProxyType(
    {"exact": 0.7, "alias": 0.7, "name": 0.3, "part": 0.5, "initials": 0.6}
)
ROLE: Mapping[str, float] = MappingProxyType({"agent": -0.5, "source": -0.1, "title": -0.9, "about": 0.3})
"""What a field says of documents makes naming its values a condition, or not."""
TYPO = -0.1
TITLE_IS_ID = 0.7
"""A name of letters and digits, such as a machine's or a ticket's."""
CAPITAL_INITIALS = 0.1
"""Three letters or more, in capitals: "FDA"."""
HEAD = 0.1
"""The last word of a name of something, in a field of subjects: "owls" for barn owls."""
COMMON_WHOLE, COMMON_NAME, COMMON_PART = 0.2, 0.4, -0.5
"""In place of the match: common words as a whole value; as a part, with a capital or without."""
COMMON_PHRASE = 0.4
"""Several common words that are a whole value."""
PHRASE = 0.1
DIGITS = 0.2
OWNERS_ALIAS = 0.3
IDENTIFIER = 0.1
MANY_VALUES = -0.3
PART_WITHOUT_CAPITAL: Mapping[str, float] = MappingProxyType({"cased": -0.4, "about": -0.2})
"""A name's part in small letters: where the writer cares for capitals; in a field of subjects."""
PART_IS_DOCUMENT = -0.5
INSIDE_QUOTES = -0.8
ENTITY, ENTITY_CAPITAL = 0.1, 0.2
SIGNATURE = -1.0
"""In place of all else: whoever signs a mail."""

# -- the field is named beside it
NAMED, NAMED_LIKE_BEFORE, NAMED_LIKE_AFTER = 0.8, 0.5, 0.4
NAMED_FARTHER = -0.1
NAMED_AGENT = 1.4
"""A factor: persons are conditions when their field is named."""
NAMED_ENOUGH = 0.6
"""Of the above: enough for a value that is a function word or a letter ("class A")."""
CAPITALS_BONUS = 0.1

# -- what stands before it (leading.py)
RECEIVER = 1.2
TITLED = 1.2
BY_AGENT, BY_AGENT_WRONG_VERB = 1.1, 0.3
WITH_PRESENT = 1.0
DOCUMENTS_OF_AGENT, WEAK_AGENT_CUE = 1.0, 0.4
SOURCE_CUE, WEAK_SOURCE_CUE = 0.5, 0.1
HAVING_LISTED, HAVING, WEAK_CUE = 0.5, 0.35, 0.1
IN_PLACE_OR_LANGUAGE = 0.45
FITTING_VERB = 0.6
CHOSEN_AGENT, CHOSEN = 0.7, 0.4
STATE, STATE_OF_NAME = 0.6, 0.3
ASKED_FOR = 0.4
OPPOSED = 0.8
DOCUMENTS_BEFORE, DOCUMENTS_BESIDE_AGENT, DOCUMENTS_SIGNED = 0.44, 0.2, 0.8

# -- what stands after it (following.py)
DOCUMENTS_AFTER, DOCUMENTS_AFTER_AGENT, OWNED_DOCUMENTS = 0.6, 0.55, 0.8
DOCUMENTS_FARTHER = -0.1
AGENTS_DOCUMENTS, AGENTS_MATTER = 1.1, 0.3
OWNS_ELSE = -0.3
MADE, MADE_OTHERWISE = 1.1, 0.3
"""A verb of making documents that fits the field, or does not."""
SOURCE_SAYS, SUBJECT_SAYS = 0.6, 0.2

# -- the sentence (support.py)
FACT_NEGATED = -1.0
"""In place of all else around it: "why are there no orchids" is no wish for documents without them."""
NEGATED_AGENT, NEGATED, NEGATED_AFTER = 1.0, 0.5, 0.8
ALONE_AGENT, ALONE = 1.0, 0.55
FIRST_AGENT, FIRST_OWNING_AGENT, FIRST_COMMON, FIRST_SOURCE, FIRST = 1.1, 0.35, 0.5, 0.45, 0.35
FIRST_SUBJECT, FIRST_IN_PHRASE = -0.3, 0.15
KEYWORD, KEYWORD_SOURCE = 0.15, 0.4
LITTLE_TOLD, LITTLE_ALONE = 0.4, 0.3
"""What speaks against a mention counts where less than this speaks for it."""
ABOUT = -0.6
SUBJECT = -0.3
QUALITY = -0.4
ASKED_HOW, ASKED = -0.4, -0.3
SMALL_LETTERS = -0.3

# -- lists and neighbours (lists.py)
LISTED = 1.5
BESIDE = 0.4
"""Two values of fields about the matter side by side: "Korean mains"."""
OVER_VERB = 0.9
"""More than enough, for a value that is the verb of a date."""
OVER_DATE = 0.4
"""More than enough, for a value within a date."""
