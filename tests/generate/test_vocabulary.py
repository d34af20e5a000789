"""Mapping a draft model's vocabulary onto the target's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from configs.errors import InputError
from generate.speculate.vocabulary import MIN_SHARE, VocabularyMap

WORDS = [f"word{i}" for i in range(40)]


def tokenizer_of(vocabulary: dict[str, int], name: str = "") -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token=next(iter(vocabulary))))
    return PreTrainedTokenizerFast(tokenizer_object=inner, name_or_path=name)


def numbered(words: list[str]) -> dict[str, int]:
    return {word: index for index, word in enumerate(words)}


@given(
    order=st.permutations(WORDS),
    missing=st.sets(st.sampled_from(WORDS), max_size=int(len(WORDS) * (1 - MIN_SHARE))),
    extra=st.integers(0, 5),
    hole=st.integers(0, 3),
)
def test_tokens_keep_their_meaning(order, missing, extra, hole):
    words = [*(word for word in order if word not in missing), *(f"new{i}" for i in range(extra))]
    target = numbered(WORDS)
    draft = {word: index * (hole + 1) for index, word in enumerate(words)}
    mapping = VocabularyMap.between(tokenizer_of(target), tokenizer_of(draft))
    for word, id_ in target.items():
        assert mapping.to_draft([id_]) == (None if word in missing else [draft[word]])
    for word, id_ in draft.items():
        assert mapping.to_target(id_) == target.get(word)
    ids_of_draft = set(draft.values())
    assert all(mapping.to_target(i) is None for i in range(-3, 200) if i not in ids_of_draft)
    known = [id_ for word, id_ in target.items() if word not in missing]
    assert [mapping.to_target(token) for token in mapping.to_draft(known)] == known
    assert (mapping.to_draft(list(target.values())) is None) == bool(missing)
    assert mapping.identical == (draft == target)
    there = mapping.draft_ids >= 0
    assert mapping.target_ids[mapping.draft_ids[there]].equal(torch.arange(len(WORDS))[there])


def test_equal_vocabularies_need_no_mapping(tokenizer):
    mapping = VocabularyMap.between(tokenizer, tokenizer)
    assert mapping.identical
    ids = tokenizer("The same ids mean the same tokens.")["input_ids"]
    assert mapping.to_draft(ids) == ids
    assert [mapping.to_target(id_) for id_ in ids] == ids
    assert mapping.to_draft([len(tokenizer)]) is None
    assert mapping.to_target(len(tokenizer)) is None
    assert mapping.to_draft([]) == []


def test_the_real_vocabulary_in_another_order(tokenizer):
    vocabulary = tokenizer.get_vocab()
    turned = {token: len(vocabulary) - 1 - id_ for token, id_ in vocabulary.items()}
    mapping = VocabularyMap.between(tokenizer, tokenizer_of(turned))
    assert not mapping.identical
    ids = tokenizer("Naïve 日本語 tokens 🙂")["input_ids"]
    assert mapping.to_draft(ids) == [len(vocabulary) - 1 - id_ for id_ in ids]
    assert [mapping.to_target(id_) for id_ in mapping.to_draft(ids)] == ids


def test_ids_outside_the_vocabulary_map_to_nothing():
    mapping = VocabularyMap.between(tokenizer_of(numbered(WORDS)), tokenizer_of(numbered(WORDS[::-1])))
    for id_ in (-1, len(WORDS), 2**40):
        assert mapping.to_draft([0, id_]) is None
        assert mapping.to_target(id_) is None


def test_models_with_too_little_in_common_are_refused():
    target = tokenizer_of(numbered(WORDS), "big-model")
    draft = tokenizer_of(numbered([*WORDS[:30], *(f"other{i}" for i in range(200))]), "small-model")
    with pytest.raises(InputError, match="small-model has 75% of the tokens of big-model and needs 90%"):
        VocabularyMap.between(target, draft)
    VocabularyMap.between(tokenizer_of(numbered(WORDS[:30])), draft)
