"""Embedding: the vectors are sentence-transformers' own, however texts are put together and remembered."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from configs.errors import ModelError
from configs.models import model_path
from configs.settings import Settings, load_settings
from retrieve import packed
from retrieve.bert import Bert, Block, is_plain_bert, load_bert
from retrieve.embed import Embedder, RecentVectors, SentenceEmbedder, SentenceTransformersEncoder
from retrieve.packed import PackedEncoder

ODD = ["", " ", "\u3000\n", "?", "a" * 2000, "word " * 600, "ünïcödé 東京 ☃", "\0\x07", "UPPER lower", "🙂‍↔️"]


@pytest.fixture(scope="module")
def folder() -> Path:
    settings = load_settings()
    return model_path(settings.models.embed, settings, role="embed")


@pytest.fixture(scope="module")
def reference(folder: Path) -> SentenceTransformersEncoder:
    return SentenceTransformersEncoder(folder, 32)


def test_together_as_one_by_one(embedder: Embedder, reference: SentenceTransformersEncoder) -> None:
    texts = ["Who holds the lock?", "the lock", *ODD, "the lock", "tides " * 100]
    together = embedder.embed_queries(texts)
    np.testing.assert_allclose(together, reference.encode(texts), atol=1e-6)
    np.testing.assert_allclose(together, embedder.embed_documents(texts), atol=1e-6)
    assert together.dtype == np.float32
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_array_equal(embedder.embed_query(text), vector)
    assert embedder.embed_queries([]).shape == (0, embedder.dimension)


def test_more_than_one_step(embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{word} " * number for number, word in enumerate(["tide", "moon", "sun", "lock"] * 4)]
    once = embedder.embed_documents(texts)
    monkeypatch.setattr(packed, "STEP_TOKENS", 16)
    monkeypatch.setattr(packed, "PACK_TOKENS", 8)
    np.testing.assert_allclose(embedder.embed_documents(texts), once, atol=1e-6)


def test_large_steps_are_of_few_sizes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bert, steps = load_bert(folder), list[int]()

    def seen(ids: Any, *others: Any) -> Any:
        steps.append(len(ids))
        return bert(ids, *others)

    encoder = PackedEncoder(cast(Bert, seen), Tokenizer.from_file(str(folder / "tokenizer.json")), 256)
    texts = ["tide " * number for number in range(1, 31)]
    exact = encoder.encode(texts)
    monkeypatch.setattr(packed, "LARGE_TOKENS", 300)
    monkeypatch.setattr(packed, "STEP_TOKENS", 400)
    np.testing.assert_allclose(encoder.encode(texts), exact, atol=1e-6)
    assert steps[0] == sum(range(1, 31)) + 2 * 30
    assert len(steps) > 2
    assert all(not size % packed.ROUND_TOKENS for size in steps[1:-1])


def test_freed_buffers_stay() -> None:
    code = """
import resource, sys, numpy as np
from retrieve.heap import keep_large_buffers
assert keep_large_buffers()
def fill():
    np.ones(20 << 20, dtype=np.uint8)
fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(told.stdout) < (20 << 20) // 4096, "pages were handed out once more"


@hypothesis_settings(max_examples=25)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), min_size=1, max_size=9))
def test_any_texts(embedder: Embedder, reference: SentenceTransformersEncoder, texts: list[str]) -> None:
    np.testing.assert_allclose(embedder.embed_queries(texts), reference.encode(texts), atol=1e-6)


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
    embedder._encoder = encoder
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


@given(st.lists(st.integers(1, 12)), st.integers(1, 20))
def test_groups(sizes: list[int], limit: int) -> None:
    made = packed.grouped(sizes, int, limit)
    assert [size for group in made for size in group] == sizes
    assert all(len(group) == 1 or sum(group) <= limit for group in made)


def test_a_short_text_is_one_threads_work(
    embedder: SentenceEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    encoder, used = embedder._loaded(), list[int]()
    assert isinstance(encoder, packed.PackedEncoder)
    bert = encoder._bert

    def watched(*arguments: Any) -> Any:
        used.append(torch.get_num_threads())
        return bert(*arguments)

    monkeypatch.setattr(encoder, "_bert", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    encoder.encode(["Who holds the lock?"])
    encoder.encode(["tides " * 100])
    encoder.encode(["Who holds the lock?"] * 20)
    assert used == [1, 2, 2]
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def test_without_packed_weights(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where torch has no oneDNN, its ordinary products do."""
    import torch

    text = torch.tensor([101, 1996, 5843, 102])
    arguments = (text, torch.arange(4), [Block(4, None)])
    fast = load_bert(folder)(*arguments)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    torch.testing.assert_close(load_bert(folder)(*arguments), fast, atol=1e-5, rtol=0)


class TestOtherModels:
    @pytest.fixture
    def copy(self, folder: Path, tmp_path: Path) -> Path:
        """The model's files, small ones to be changed; without the record of their sizes."""
        target = tmp_path / "model"
        ignored = shutil.ignore_patterns("draftline.json", "model.safetensors")
        shutil.copytree(folder, target, ignore=ignored)
        (target / "model.safetensors").symlink_to(folder / "model.safetensors")
        return target

    @pytest.mark.parametrize(
        ("file", "changes"),
        [
            ("config.json", {"model_type": "mpnet"}),
            ("config.json", {"hidden_act": "relu"}),
            ("config.json", {"position_embedding_type": "relative_key"}),
            ("1_Pooling/config.json", {"pooling_mode_cls_token": True}),
            ("1_Pooling/config.json", {"pooling_mode_mean_tokens": False}),
            ("sentence_bert_config.json", {"do_lower_case": True}),
            ("config_sentence_transformers.json", {"default_prompt_name": "query"}),
        ],
    )
    def test_are_left_to_sentence_transformers(self, copy: Path, file: str, changes: dict[str, Any]) -> None:
        assert is_plain_bert(copy)
        path = copy / file
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        assert not is_plain_bert(copy)

    @pytest.mark.parametrize(
        "file", ["config.json", "modules.json", "1_Pooling/config.json", "model.safetensors"]
    )
    def test_of_which_files_are_missing(self, copy: Path, file: str) -> None:
        (copy / file).unlink()
        assert not is_plain_bert(copy)

    def test_by_sentence_transformers(
        self, copy: Path, embedder: Embedder, make_settings: Callable[..., Settings]
    ) -> None:
        (copy / "sentence_bert_config.json").write_text('{"max_seq_length": 256, "do_lower_case": true}')
        other = SentenceEmbedder(make_settings(f"models.embed={copy}"))
        texts = ["Who holds the lock?", "the lock"]
        np.testing.assert_allclose(other.embed_queries(texts), embedder.embed_queries(texts), atol=1e-6)
        assert isinstance(other._encoder, SentenceTransformersEncoder)

    @pytest.mark.parametrize("damage", [b"", b"{}", b"\0" * 99], ids=["empty", "garbled", "zeros"])
    def test_damaged_weights(self, copy: Path, damage: bytes, make_settings: Callable[..., Settings]) -> None:
        (copy / "model.safetensors").unlink()
        (copy / "model.safetensors").write_bytes(damage)
        with pytest.raises(ModelError, match="cannot load the embedder"):
            SentenceEmbedder(make_settings(f"models.embed={copy}")).embed_query("x")

    def test_weights_of_another_shape(self, copy: Path, make_settings: Callable[..., Settings]) -> None:
        config = json.loads((copy / "config.json").read_text()) | {"num_hidden_layers": 7}
        (copy / "config.json").write_text(json.dumps(config))
        with pytest.raises(ModelError, match=r"encoder\.layer\.6"):
            SentenceEmbedder(make_settings(f"models.embed={copy}")).embed_query("x")
