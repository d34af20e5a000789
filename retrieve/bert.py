"""A BERT that embeds, from its files to hidden states, in nothing but torch.

transformers takes seconds to import, and a short text spends a third of its time on the way to the
matrix products. The products here are oneDNN's, on weights that are laid out for them once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from retrieve.heap import keep_large_buffers

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "model.safetensors"
ROWS = 64
"""Tokens that oneDNN lays weights out for; other numbers are right too, and hardly slower."""


class Block(NamedTuple):
    """Tokens that stand next to each other, and look at each other alone."""

    size: int
    mask: Tensor | None
    """Shape (size, size), true where one may look at another; None: everywhere."""


class Bert:
    """The encoder of Devlin et al., "BERT" (2019), section 3; several threads may use one."""

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        """``weights``: float32, by transformers' names without a prefix; KeyError where one is missing."""
        names = ("word_embeddings.weight", "position_embeddings.weight", "token_type_embeddings.weight")
        self._words, self._positions, types = (weights[f"embeddings.{name}"] for name in names)
        self._type = types[0]
        epsilon = config["layer_norm_eps"]
        self._norm = _norm(weights, "embeddings.LayerNorm", epsilon)
        heads = config["num_attention_heads"]
        self._layers = [
            _layer(weights, f"encoder.layer.{number}", heads, epsilon)
            for number in range(config["num_hidden_layers"])
        ]

    def __call__(self, ids: Tensor, positions: Tensor, blocks: Sequence[Block]) -> Tensor:
        """Hidden states, shape (tokens, dim).

        Args:
            ids, positions: of all blocks, one after the other, shape (tokens,).
        """
        hidden = self._norm(self._words[ids] + self._positions[positions] + self._type)
        for layer in self._layers:
            hidden = layer(hidden, blocks)
        return hidden


def load_bert(folder: Path) -> Bert:
    """The encoder in a folder that `is_plain_bert`; OSError, ValueError or KeyError where it is damaged."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    keep_large_buffers()
    try:
        loaded = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    weights = {name.removeprefix("bert."): tensor.to(torch.float32) for name, tensor in loaded.items()}
    return Bert(_json(folder / "config.json"), weights)


def is_plain_bert(folder: Path) -> bool:
    """Whether the embedder in a folder is a BERT whose vector is the mean of its hidden states, no more."""
    try:
        config = _json(folder / "config.json")
        modules = _json(folder / "modules.json")
        kinds = [module["type"].rpartition(".")[2] for module in modules]
        pooling = _json(folder / modules[1]["path"] / "config.json")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
    modes = [name for name, value in pooling.items() if name.startswith("pooling_mode") and value]
    extras = _json_or_empty(folder / "config_sentence_transformers.json")
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and kinds in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
        and (modes == ["pooling_mode_mean_tokens"] or pooling.get("pooling_mode") == "mean")
        and not modules[0]["path"]
        and not _json_or_empty(folder / "sentence_bert_config.json").get("do_lower_case")
        and extras.get("default_prompt_name") is None
        and extras.get("truncate_dim") is None
        and (folder / WEIGHTS).is_file()
        and (folder / "tokenizer.json").is_file()
    )


def _layer(
    weights: Mapping[str, Tensor], name: str, heads: int, epsilon: float
) -> Callable[[Tensor, Sequence[Block]], Tensor]:
    import torch
    from torch.nn import functional

    parts = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
    attend = _product(
        torch.cat([weights[f"{part}.weight"] for part in parts]),
        torch.cat([weights[f"{part}.bias"] for part in parts]),
    )
    merge, widen, narrow = (
        _product(weights[f"{name}.{part}.dense.weight"], weights[f"{name}.{part}.dense.bias"])
        for part in ("attention.output", "intermediate", "output")
    )
    between, after = (
        _norm(weights, f"{name}.{part}.LayerNorm", epsilon) for part in ("attention.output", "output")
    )

    def looked(parts: Tensor, mask: Tensor | None) -> Tensor:
        query, key, value = parts.view(len(parts), 3, heads, -1).permute(1, 2, 0, 3)[:, None]
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)[0]
        return seen.transpose(0, 1).flatten(1)

    def layer(hidden: Tensor, blocks: Sequence[Block]) -> Tensor:
        parts = attend(hidden).split_with_sizes([block.size for block in blocks])
        seen = torch.cat([looked(part, block.mask) for part, block in zip(parts, blocks, strict=True)])
        hidden = between(merge(seen) + hidden)
        return after(narrow(functional.gelu(widen(hidden))) + hidden)

    return layer


def _norm(weights: Mapping[str, Tensor], name: str, epsilon: float) -> Callable[[Tensor], Tensor]:
    from torch.nn import functional

    scale, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return lambda hidden: functional.layer_norm(hidden, scale.shape, scale, shift, epsilon)


def _product(weight: Tensor, bias: Tensor) -> Callable[[Tensor], Tensor]:
    """``x @ weight.T + bias``; torch keeps the operators that do so on packed weights for its compiler."""
    import torch

    operators = torch.ops.mkldnn
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if available and hasattr(operators, "_linear_pointwise"):
        packed = operators._reorder_linear_weight(weight, ROWS)
        return lambda hidden: operators._linear_pointwise(hidden, packed, bias, "none", [], "")
    return lambda hidden: torch.nn.functional.linear(hidden, weight, bias)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _json_or_empty(path: Path) -> Mapping[str, Any]:
    try:
        found = _json(path)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
