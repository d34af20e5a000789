"""GGUF to a folder that transformers loads: safetensors, config, tokenizer, chat template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from configs.errors import ModelError


def convert_gguf(file: Path, folder: Path) -> None:
    """Unpack a quantised GGUF file to float32 and save it with its tokenizer into ``folder``.

    Float32 is what dequantising gives: any narrower type would round a second time.

    Raises:
        ModelError: the file has no chat template, so nothing can be asked of it.
    """
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    transformers.utils.logging.disable_progress_bar()
    source: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    tokenizer = AutoTokenizer.from_pretrained(file.parent, **source)
    if not tokenizer.chat_template:
        raise ModelError(f"{file.name} has no chat template")
    if hasattr(transformers, "GgufConfig"):  # later versions keep the weights packed unless told
        source["quantization_config"] = transformers.GgufConfig(dequantize=True)
    packed = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **source)
    config = packed.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    # A model that was loaded quantised refuses to be saved, so its weights go into a plain one.
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.load_state_dict(packed.state_dict(), assign=True)
    model.generation_config = packed.generation_config
    model.save_pretrained(folder)

    _repair_pre_tokenizer(file, tokenizer)
    tokenizer.model_max_length = config.max_position_embeddings
    tokenizer.save_pretrained(folder)


def _repair_pre_tokenizer(file: Path, tokenizer: Any) -> None:
    """Split digits off where the model's tokenizer did; transformers' conversion leaves that out.

    Without it, white space before a digit ("\\n\\n1.") comes apart into other tokens than those
    that the model was trained on.
    """
    from gguf import GGUFReader
    from tokenizers import pre_tokenizers

    kind = GGUFReader(file).fields.get("tokenizer.ggml.pre")
    if kind is None or kind.contents() != "smollm":
        return
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
