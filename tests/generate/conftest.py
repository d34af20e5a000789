"""Tiny random models, engines over them, and the real tokenizer."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from configs.sections import GenerateSettings
from configs.settings import load_settings
from generate.engine.engine import Engine
from generate.engine.runner import ModelRunner, load_model
from tests.generate.families import make_model

if TYPE_CHECKING:
    from tests.generate.pairs import Pair


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny models only lose by more threads, a hundredfold where the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``tiny_model("llama")``: the folder of a tiny random model of that family."""
    return cache(lambda family: make_model(family, tmp_path_factory.mktemp(family)))


@pytest.fixture(scope="session")
def tiny_runner(tiny_model: Callable[[str], Path]) -> Callable[[str], ModelRunner]:
    """``tiny_runner("llama")``: the same model loaded; it has no state, so all tests share it."""
    return cache(lambda family: ModelRunner.from_folder(tiny_model(family), device="cpu"))


def generate_settings(**changes: Any) -> GenerateSettings:
    """Small settings for tiny models, with changes."""
    small = {"block_size": 4, "kv_cache_mb": 1, "max_batch_tokens": 32, "max_running": 8, "weights": "float"}
    settings = load_settings(env={}).generate
    return GenerateSettings.model_validate({**settings.model_dump(), **small, **changes})


@pytest.fixture(scope="session")
def make_engine(tiny_runner: Callable[[str], ModelRunner]) -> Callable[..., Engine]:
    """``make_engine(blocks=20, max_batch_tokens=8)``: a new engine over a tiny model.

    ``blocks`` sets the size of the KV cache; the other words are settings of ``generate``.
    """

    def make(family: str = "llama", *, blocks: int | None = None, **changes: Any) -> Engine:
        runner = tiny_runner(family)
        settings = generate_settings(**changes)
        if blocks is not None:
            size = blocks * settings.block_size * runner.bytes_per_token()
            settings = settings.model_copy(update={"kv_cache_mb": size / 2**20})
        return Engine(runner, settings)

    return make


@pytest.fixture(scope="session")
def tokenizer(smollm_folder: Path) -> Any:
    """The real SmolLM2 tokenizer."""
    from generate.load import load_tokenizer

    return load_tokenizer(smollm_folder)


@pytest.fixture(scope="session")
def pair(tiny_model: Callable[[str], Path], smollm_folder: Path, tokenizer: Any) -> Callable[[str], Pair]:
    """``pair("lean llama")``: a model beside its reference, which all tests share with what it said."""
    from generate.engine.lean import LeanRunner
    from generate.engine.linear import FloatLinear
    from tests.generate.pairs import LENGTHS, SMOLLM, TEXTS, Pair, random_prompts
    from tests.generate.reference import Reference

    reference = cache(Reference)

    @cache
    def build(name: str) -> Pair:
        family = name.removeprefix("lean ")
        folder = smollm_folder if family == SMOLLM else tiny_model(family)
        real = [tokenizer(text)["input_ids"] for text in TEXTS] if family == SMOLLM else None
        lean = name.startswith(("lean ", SMOLLM))
        model = load_model(folder, device="cpu")
        runner = LeanRunner(model, FloatLinear) if lean else ModelRunner(model)
        return Pair(runner, reference(folder), real or random_prompts(LENGTHS))

    return build


@pytest.fixture(scope="session")
def interpreted() -> Iterator[Callable[..., Any]]:
    """``interpreted(function, *arguments)``: the result of a call where Triton's interpreter runs.

    Triton decides on its import whether it interprets, so that is a process of its own.
    """
    pytest.importorskip("triton", reason="Triton runs on Linux only")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_quietly) as pool:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TRITON_INTERPRET", "1")
            pool.submit(int).result()  # the process starts
        yield lambda function, *arguments: pool.submit(function, *arguments).result()


def _quietly() -> None:
    assert os.environ["TRITON_INTERPRET"] == "1"
    warnings.simplefilter("error")
    torch.set_num_threads(1)
