"""Questions embedded together, packed and remembered: the vectors are sentence-transformers' own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from retrieve.embed import Embedder, RecentVectors, SentenceEmbedder
from retrieve.packed import packed_encoder, packs

ODD = ["", " ", "\u3000\n", "?", "a" * 2000, "word " * 600, "ünïcödé 東京 ☃", "\0\x07", "UPPER lower", "🙂‍↔️"]


def test_together_as_one_by_one(embedder: Embedder) -> None:
    texts = ["Who holds the lock?", "the lock", *ODD, "the lock", "tides " * 100]
    together = embedder.embed_queries(texts)
    np.testing.assert_allclose(together, embedder.embed_documents(texts), atol=1e-6)
    assert together.dtype == np.float32
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_array_equal(embedder.embed_query(text), vector)
    assert embedder.embed_queries([]).shape == (0, embedder.dimension)


@hypothesis_settings(max_examples=25)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), min_size=1, max_size=9))
def test_any_texts(embedder: Embedder, texts: list[str]) -> None:
    np.testing.assert_allclose(embedder.embed_queries(texts), embedder.embed_documents(texts), atol=1e-6)


class Counting:
    """An encoder that says what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def encode(self, texts: list[str]) -> Any:
        self.asked.append(list(texts))
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)


@pytest.fixture
def counted(make_settings: Callable[..., Any]) -> tuple[SentenceEmbedder, Counting]:
    embedder, encoder = SentenceEmbedder(make_settings()), Counting()
    embedder._model, embedder._packed = object(), cast("Any", encoder)
    return embedder, encoder


def test_what_is_known_is_not_encoded_again(counted: tuple[SentenceEmbedder, Counting]) -> None:
    embedder, encoder = counted
    first = embedder.embed_query("one")
    vectors = embedder.embed_queries(["two", "one", "three", "two"])
    assert encoder.asked == [["one"], ["two", "three"]]
    np.testing.assert_array_equal(vectors[:, 0], [3, 3, 5, 3])
    assert embedder.embed_query("one") is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 5
    vectors[0] = 0  # a caller's own
    np.testing.assert_array_equal(embedder.embed_query("two"), [3, 1])


def test_the_longest_unused_is_forgotten() -> None:
    recent = RecentVectors(2)
    vectors = {text: np.zeros(1, dtype=np.float32) for text in "abc"}
    recent.put({text: vectors[text] for text in "ab"})
    assert set(recent.get(["a", "c"])) == {"a"}
    recent.put({"c": vectors["c"]})
    assert set(recent.get("abc")) == {"a", "c"}


def test_threads_share_what_is_remembered() -> None:
    recent, wrong = RecentVectors(50), list[object]()

    def use(seed: int) -> None:
        rng = np.random.default_rng(seed)
        try:
            for _ in range(300):
                texts = [str(number) for number in rng.integers(100, size=5)]
                for text, vector in recent.get(texts).items():
                    assert vector[0] == float(text)
                recent.put({text: np.array([float(text)], dtype=np.float32) for text in texts})
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=use, args=[seed]) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@given(st.lists(st.integers(1, 12).map(lambda n: [0] * n)), st.integers(1, 20))
def test_packs(ids: list[list[int]], limit: int) -> None:
    made = packs(ids, limit)
    assert [sequence for pack in made for sequence in pack] == ids
    assert all(len(pack) == 1 or sum(map(len, pack)) <= limit for pack in made)


def test_other_models_are_left_to_sentence_transformers(embedder: SentenceEmbedder) -> None:
    model = embedder._loaded()
    assert packed_encoder(model) is not None
    pooling, normalize = model[1], model[2]
    about = {"default_prompt_name": None, "truncate_dim": None, "max_seq_length": 256}

    class Other(SimpleNamespace):
        tokenizer = model.tokenizer

        def __iter__(self) -> Any:
            return iter(self.modules)

    assert packed_encoder(Other(modules=[model[0], pooling, normalize], **about)) is not None
    for changes in (
        {"modules": [model[0], normalize]},
        {"modules": [SimpleNamespace(model=object()), pooling]},
        {"modules": [pooling, pooling]},
        {"default_prompt_name": "query"},
        {"truncate_dim": 64},
        {"max_seq_length": None},
    ):
        described = {"modules": [model[0], pooling], **about, **changes}
        assert packed_encoder(Other(**described)) is None, changes
