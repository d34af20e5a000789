"""Reranking with a tiny random cross-encoder: how it is used, not how well it judges."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import ModelError
from configs.models import model_path
from configs.settings import Settings, load_settings
from retrieve.embed import Embedder
from retrieve.rerank import load_reranker, reranked
from retrieve.retriever import Retriever
from retrieve.schema import Passage
from retrieve.store import open_store
from tests.retrieve.test_retriever import FACTS, fact_document, write

QUESTION = "What causes the tides of the sea?"


def save_cross_encoder(folder: Path, labels: int) -> str:
    """A cross-encoder of one layer with random weights and MiniLM's tokenizer."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(labels)
    config = BertConfig(
        vocab_size=30522,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=labels,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    settings = load_settings()
    for file in model_path(settings.models.embed, settings, role="embed").glob("*token*"):
        shutil.copy(file, folder)
    return str(folder)


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_cross_encoder(tmp_path_factory.mktemp("cross-encoder"), labels=1)


def naive(folder: str, texts: list[str]) -> list[float]:
    """The scores as transformers alone computes them."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        return [
            float(torch.sigmoid(model(**tokenizer(QUESTION, text, return_tensors="pt")).logits[0, 0]))
            for text in texts
        ]


def test_the_models_order_and_scores(cross_encoder: str, make_settings: Callable[..., Settings]) -> None:
    reranker = load_reranker(make_settings(f"models.rerank={cross_encoder}"))
    assert reranker is not None
    ours = {"section": ["Facts"]}
    found = [Passage(name, text, 1.0, {"_dl": ours}) for name, text in FACTS.items()]
    expected = dict(
        zip(FACTS, naive(cross_encoder, [f"Facts\n{text}" for text in FACTS.values()]), strict=True)
    )
    result = reranked(QUESTION, found, reranker, depth=4)
    assert {p.id for p in result} == set(list(FACTS)[:4])
    assert {p.id: p.score for p in result} == pytest.approx(
        {name: expected[name] for name in list(FACTS)[:4]}, abs=1e-5
    )
    assert [p.score for p in result] == sorted((p.score for p in result), reverse=True)


def test_the_retriever_reranks_and_may_find_that_nothing_answers(
    cross_encoder: str, make_settings: Callable[..., Settings], embedder: Embedder
) -> None:
    def ask(*overrides: str) -> list[Passage]:
        settings = make_settings(f"models.rerank={cross_encoder}", *overrides)
        return list(Retriever(store, embedder, settings).retrieve(QUESTION, top_k=5).passages)

    store = open_store(make_settings())
    write(store, embedder, [fact_document(name) for name in FACTS])
    found = ask()
    texts = [f"{' > '.join(passage.section)}\n{passage.text}" for passage in found]
    assert [p.score for p in found] == pytest.approx(naive(cross_encoder, texts), abs=1e-5)
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    best = found[0].score
    assert ask(f"retrieve.min_rerank={best - 0.001}") == found
    assert ask(f"retrieve.min_rerank={best + 0.001}") == []


def test_no_reranker_by_default(settings: Settings) -> None:
    assert load_reranker(settings) is None


def test_models_that_cannot_rerank(tmp_path: Path, make_settings: Callable[..., Settings]) -> None:
    two = save_cross_encoder(tmp_path / "two", labels=2)
    for name, message in (
        (two, "gives 2 scores for a passage, not one"),
        ("ms-marco-minilm-l6-v2", "fetch it with"),
        ("all-minilm-l6-v2", "cannot be the rerank model"),
        (str(tmp_path / "nowhere"), "models.rerank: .* is not there"),
    ):
        settings = make_settings(f"models.rerank={name}", "models.allow_download=false")
        reranker = load_reranker(settings)
        assert reranker is not None
        with pytest.raises(ModelError, match=message):
            reranker.scores(QUESTION, ["a text"])
