"""What cannot run is refused in one line that says why: prompts, devices, model folders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma3TextConfig, LlamaConfig, Phi3Config, PreTrainedConfig

from configs.errors import InputError, ModelError
from generate.engine.engine import ContextOverflowError
from generate.engine.request import SamplingParams
from generate.engine.runner import ModelRunner, _context_length
from generate.load import load_tokenizer
from tests.generate.families import CONTEXT, VOCAB


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 700
    return text


def test_prompt_and_answer_beyond_the_context_are_refused_with_the_excess(make_engine):
    engine = make_engine(blocks=400)
    with pytest.raises(ContextOverflowError) as error:
        engine.add([1] * 500, SamplingParams(max_tokens=20))
    assert "500 prompt tokens and 20 answer tokens" in one_line(error)
    assert f"context of {CONTEXT} by 8" in one_line(error)
    assert not engine.busy


def test_a_context_filled_to_the_last_token_runs(make_engine):
    engine = make_engine(blocks=CONTEXT // 4, max_batch_tokens=256)
    (output,) = engine.generate([[1] * (CONTEXT - 3)], SamplingParams(max_tokens=3))
    assert len(output) == 3


def test_prompt_and_answer_beyond_the_cache_are_refused_with_the_excess(make_engine):
    engine = make_engine(blocks=10)
    assert engine.capacity == 40
    with pytest.raises(
        ContextOverflowError, match=r"KV cache of 40 tokens by 2; raise generate\.kv_cache_mb"
    ):
        engine.add([1] * 30, SamplingParams(max_tokens=12))
    (output,) = engine.generate([[1] * 30], SamplingParams(max_tokens=10))
    assert len(output) == 10


def test_an_empty_prompt_is_refused(make_engine):
    with pytest.raises(InputError, match="empty"):
        make_engine().add([], SamplingParams())


@pytest.mark.parametrize("prompt", [[-1], [VOCAB], [1, 2, 10**9], [3, -5, 3]])
def test_ids_outside_the_vocabulary_are_refused(make_engine, prompt):
    with pytest.raises(InputError, match=f"outside the vocabulary of {VOCAB}"):
        make_engine().add(prompt, SamplingParams())


def test_the_last_id_of_the_vocabulary_runs(make_engine):
    assert len(make_engine().generate([[0, VOCAB - 1]], SamplingParams(max_tokens=1))[0]) == 1


SMALL = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1, "pad_token_id": None}


def phi3(**rope: object) -> PreTrainedConfig:
    factors = {"short_factor": [1.0] * 8, "long_factor": [4.0] * 8}
    return Phi3Config(
        **SMALL,
        max_position_embeddings=400,
        original_max_position_embeddings=100,
        rope_parameters={"rope_type": "longrope", "rope_theta": 1e4, **factors, **rope},
    )


@pytest.mark.parametrize(
    ("config", "limit"),
    [
        (lambda: LlamaConfig(max_position_embeddings=400), 400),
        (phi3, 100),
        (
            lambda: LlamaConfig(
                max_position_embeddings=400,
                rope_parameters={"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0},
            ),
            400,
        ),
        (
            lambda: LlamaConfig(
                max_position_embeddings=400,
                rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0},
            ),
            400,
        ),
        (lambda: Gemma3TextConfig(max_position_embeddings=400), 400),
    ],
    ids=["plain", "phi3-longrope", "linear", "dynamic", "gemma3-by-layer"],
)
def test_the_context_ends_where_rotary_factors_would_depend_on_neighbours(config, limit):
    assert _context_length(config()) == limit


def test_a_longrope_model_takes_no_prompt_beyond_its_original_context(tmp_path):
    config = phi3()
    config.vocab_size, config.intermediate_size, config.num_key_value_heads = VOCAB, 96, 4
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    runner = ModelRunner.from_folder(tmp_path, device="cpu")
    assert runner.context_length == 100


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_without_cuda_is_refused_with_what_to_do(tiny_model):
    with pytest.raises(ModelError) as error:
        ModelRunner.from_folder(tiny_model("llama"), device="cuda")
    assert "generate.device=cpu" in one_line(error)


Damage = Callable[[Path], object]


def config_with(**changes: object) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return damage


def cut_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


DAMAGES: dict[str, Damage] = {
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "cut weights": cut_weights,
    "empty weights": lambda folder: (folder / "model.safetensors").write_bytes(b""),
    "weights of a smaller model": config_with(num_hidden_layers=3),
    "weights of another shape": config_with(hidden_size=128),
    "weights of another family": config_with(model_type="gpt2", architectures=["GPT2LMHeadModel"]),
    "no config": lambda folder: (folder / "config.json").unlink(),
    "config that is no JSON": lambda folder: (folder / "config.json").write_text("{"),
    "config of another kind": lambda folder: (folder / "config.json").write_text("[]"),
    "config with a wrong type": config_with(hidden_size="many"),
    "config with no heads": config_with(num_attention_heads=0),
    "unknown family": config_with(model_type="nosuch"),
    "no causal language model": config_with(model_type="t5"),
    "no folder": shutil.rmtree,
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_broken_model_folder_is_named_in_one_line(tiny_model, tmp_path, name):
    folder = tmp_path / "model"
    shutil.copytree(tiny_model("llama"), folder)
    DAMAGES[name](folder)
    with pytest.raises(ModelError) as error:
        ModelRunner.from_folder(folder, device="cpu")
    assert str(folder) in one_line(error)


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_a_broken_tokenizer_is_named_in_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError) as error:
        load_tokenizer(tmp_path)
    assert str(tmp_path) in str(error.value)
    one_line(error)
