"""Two tokenizers' vocabularies, mapped: a draft model may give the target's tokens other ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from configs.errors import InputError

MIN_SHARE = 0.9
"""Of the target's tokens, how many the draft model must have. One without a counterpart ends the drafting
for a request, so with fewer a long context would hardly ever be drafted for."""


@dataclass(frozen=True, eq=False)
class VocabularyMap:
    """Which tokens of a draft model are which of the target's: the same strings, whatever their ids.

    Tokens that only one of them has map to nothing.

    Example:
        >>> VocabularyMap.between(target_tokenizer, draft_tokenizer).to_draft([3, 4])  # doctest: +SKIP
        [17, 5]
    """

    draft_ids: Tensor
    """(target's vocabulary,) int64: the draft's id of each of the target's, -1 for none."""
    target_ids: Tensor
    """(draft's vocabulary,) int64: the target's id of each of the draft's, -1 for none."""
    identical: bool = field(init=False)
    """Every id means the same to both."""

    def __post_init__(self) -> None:
        identical = self.draft_ids.equal(self.target_ids) and self.draft_ids.equal(
            torch.arange(len(self.draft_ids))
        )
        object.__setattr__(self, "identical", identical)

    @classmethod
    def between(cls, target_tokenizer: Any, draft_tokenizer: Any) -> VocabularyMap:
        """Map two tokenizers of transformers.

        Raises:
            InputError: too few of the target's tokens are also the draft's; names both models.
        """
        target: dict[str, int] = target_tokenizer.get_vocab()
        draft: dict[str, int] = draft_tokenizer.get_vocab()
        shared = target.keys() & draft.keys()
        share = len(shared) / max(1, len(target))
        if share < MIN_SHARE:
            raise InputError(
                f"the draft model {_name(draft_tokenizer)} has {share:.0%} of the tokens of "
                f"{_name(target_tokenizer)} and needs {MIN_SHARE:.0%}; choose one of the same family"
            )
        draft_ids = torch.full((max(target.values()) + 1,), -1)
        target_ids = torch.full((max(draft.values()) + 1,), -1)
        ours = torch.tensor([target[token] for token in shared])
        theirs = torch.tensor([draft[token] for token in shared])
        draft_ids[ours], target_ids[theirs] = theirs, ours
        return cls(draft_ids, target_ids)

    def to_draft(self, ids: Sequence[int]) -> list[int] | None:
        """The target's tokens in the draft's ids, one for one; None if one has no counterpart."""
        if not ids:
            return []
        if not 0 <= min(ids) <= max(ids) < len(self.draft_ids):
            return None
        if self.identical:
            return list(ids)
        found: list[int] = self.draft_ids[torch.tensor(ids)].tolist()
        return None if min(found) < 0 else found

    def to_target(self, token: int) -> int | None:
        """A draft token in the target's id; None if it has no counterpart."""
        if not 0 <= token < len(self.target_ids):
            return None
        found = token if self.identical else int(self.target_ids[token])
        return None if found < 0 else found


def _name(tokenizer: Any) -> str:
    return getattr(tokenizer, "name_or_path", "") or "without a name"
