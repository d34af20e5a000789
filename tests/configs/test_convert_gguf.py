"""GGUF to safetensors: weights, configuration, tokenizer; with a tiny file and with the real model."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from gguf.quants import dequantize, quantize
from tokenizers.pre_tokenizers import ByteLevel
from transformers import AutoModelForCausalLM, AutoTokenizer

from configs.convert_gguf import convert_gguf
from configs.errors import ModelError

HIDDEN, INNER, HEADS, KV_HEADS = 64, 96, 4, 2
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
SHAPES = {
    "token_embd.weight": (259 + 2, HIDDEN),
    "blk.0.attn_q.weight": (HIDDEN, HIDDEN),
    "blk.0.attn_k.weight": (HIDDEN // 2, HIDDEN),
    "blk.0.attn_v.weight": (HIDDEN // 2, HIDDEN),
    "blk.0.attn_output.weight": (HIDDEN, HIDDEN),
    "blk.0.ffn_gate.weight": (INNER, HIDDEN),
    "blk.0.ffn_up.weight": (INNER, HIDDEN),
    "blk.0.ffn_down.weight": (HIDDEN, INNER),
}
NORMS = ["blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight"]


def write_gguf(path: Path, template: str | None) -> dict[str, np.ndarray]:
    """A llama of one layer in Q4_1 with SmolLM2's kind of tokenizer; its weights, dequantised."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(512)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(100000.0)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    tokens = [*SPECIAL, *sorted(ByteLevel.alphabet()), "ĊĊ", "ĠĠ"]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(tokens) - 3))
    writer.add_token_merges(["Ċ Ċ", "Ġ Ġ"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(False)
    if template:
        writer.add_chat_template(template)
    random = np.random.default_rng(0)
    kind, weights = gguf.GGMLQuantizationType.Q4_1, {}
    for name, shape in SHAPES.items():
        packed = quantize(random.normal(size=shape).astype(np.float32) / 8, kind)
        writer.add_tensor(name, packed, raw_dtype=kind)
        weights[name] = dequantize(packed, kind)
    for name in NORMS:
        weights[name] = random.normal(1, 0.1, HIDDEN).astype(np.float32)
        writer.add_tensor(name, weights[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


def rotated_halves(weight: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp interleaves the two halves of each head that RoPE rotates; transformers does not."""
    return weight.reshape(heads, -1, 2, HIDDEN).transpose(0, 2, 1, 3).reshape(weight.shape)


def test_a_converted_model_is_the_gguf_file_in_float32(tmp_path: Path) -> None:
    weights = write_gguf(tmp_path / "tiny.gguf", TEMPLATE)
    convert_gguf(tmp_path / "tiny.gguf", tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", local_files_only=True)
    assert model.dtype == torch.float32
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    layer = "model.layers.0"
    pairs = {
        "model.embed_tokens.weight": weights["token_embd.weight"],
        "lm_head.weight": weights["token_embd.weight"],
        f"{layer}.self_attn.q_proj.weight": rotated_halves(weights["blk.0.attn_q.weight"], HEADS),
        f"{layer}.self_attn.k_proj.weight": rotated_halves(weights["blk.0.attn_k.weight"], KV_HEADS),
        f"{layer}.self_attn.v_proj.weight": weights["blk.0.attn_v.weight"],
        f"{layer}.self_attn.o_proj.weight": weights["blk.0.attn_output.weight"],
        f"{layer}.mlp.gate_proj.weight": weights["blk.0.ffn_gate.weight"],
        f"{layer}.mlp.up_proj.weight": weights["blk.0.ffn_up.weight"],
        f"{layer}.mlp.down_proj.weight": weights["blk.0.ffn_down.weight"],
        f"{layer}.input_layernorm.weight": weights["blk.0.attn_norm.weight"],
        f"{layer}.post_attention_layernorm.weight": weights["blk.0.ffn_norm.weight"],
        "model.norm.weight": weights["output_norm.weight"],
    }
    assert set(state) == set(pairs)
    for name, expected in pairs.items():
        np.testing.assert_array_equal(state[name], expected, err_msg=name)
    config = model.config
    assert (config.rope_parameters["rope_theta"], config.max_position_embeddings) == (100000.0, 512)
    assert not hasattr(config, "quantization_config")
    assert model.generation_config.eos_token_id == 2


def test_a_converted_tokenizer_splits_digits_off(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", TEMPLATE)
    convert_gguf(tmp_path / "tiny.gguf", tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out", local_files_only=True)
    assert tokenizer.tokenize("\n\n12  3") == ["ĊĊ", "1", "2", "ĠĠ", "3"]
    assert tokenizer.decode(tokenizer.encode("Zoë, 3 < 4\n\n<|im_end|>")) == "Zoë, 3 < 4\n\n<|im_end|>"
    assert tokenizer.chat_template == TEMPLATE
    assert (tokenizer.eos_token, tokenizer.model_max_length) == ("<|im_end|>", 512)


def test_a_file_without_chat_template_is_refused(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", None)
    with pytest.raises(ModelError, match=r"tiny\.gguf has no chat template"):
        convert_gguf(tmp_path / "tiny.gguf", tmp_path / "out")


def test_the_default_model_answers_and_stops(smollm_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(smollm_folder, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(smollm_folder, local_files_only=True)
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    text = tokenizer.decode(model.generate(**prompt, max_new_tokens=20, do_sample=False)[0])
    assert text.endswith("<|im_start|>assistant\nThe capital of France is Paris.<|im_end|>")
