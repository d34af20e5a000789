"""Llama-shaped models, taken apart: what a short forward pass of our own needs, and nothing else.

Whatever is not known to the last detail is left to the general runner: the family, the rotary
embedding, the activation and the name of every tensor are checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
STATIC_ROPE = ("default", "linear", "llama3", "yarn")
"""Rotary embeddings that do not depend on the length of the sequence."""
TENSORS = re.compile(
    r"lm_head\.weight|model\.(embed_tokens|norm)\.weight|model\.layers\.\d+\.("
    r"(input|post_attention)_layernorm\.weight|self_attn\.[qk]_norm\.weight|"
    r"(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)\.(weight|bias))"
)

Linear = Callable[[Tensor], Tensor]
"""(rows, inputs) -> (rows, outputs)."""
MakeLinear = Callable[[Tensor, Tensor | None], Linear]
"""From a weight (outputs, inputs) and perhaps a bias (outputs,), which may both be freed thereafter."""


@dataclass(frozen=True)
class Norm:
    """A root-mean-square norm; weight (size,)."""

    weight: Tensor
    eps: float

    @classmethod
    def of(cls, module: Any) -> Norm:
        return cls(module.weight.detach(), float(module.variance_epsilon))

    def __call__(self, x: Tensor) -> Tensor:
        return torch.rms_norm(x, self.weight.shape, self.weight, self.eps)


@dataclass(frozen=True)
class LeanLayer:
    """A decoder layer. ``window`` is how many tokens a query sees, itself included; None for all."""

    input_norm: Norm
    qkv: Linear
    query_norm: Norm | None
    key_norm: Norm | None
    out: Linear
    mlp_norm: Norm
    gate_up: Linear
    down: Linear
    window: int | None


@dataclass(frozen=True)
class LeanModel:
    """All of a model.

    ``rotary`` (positions, 1, head_dim / 2) is complex: a rotation of each pair of a head's dimensions.
    Queries and keys come with these pairs side by side, and queries with attention's scale.
    """

    embedding: Tensor
    rotary: Tensor
    layers: tuple[LeanLayer, ...]
    norm: Norm
    head: Linear


def why_not(model: Any) -> str | None:
    """What keeps a transformers model from being taken apart here; None if nothing does."""
    config = model.config
    if config.model_type not in FAMILIES or type(model).__name__.lower() != f"{config.model_type}forcausallm":
        return f"{type(model).__name__} is none of {', '.join(FAMILIES)}"
    rope = config.rope_parameters
    if rope.get("rope_type") not in STATIC_ROPE:
        return f"rotary embedding {rope.get('rope_type')!r}"
    attention = model.model.layers[0].self_attn
    if 2 * len(model.model.rotary_emb.inv_freq) != attention.head_dim:
        return "rotary embedding of a part of each head"
    if config.hidden_act != "silu":
        return f"activation {config.hidden_act!r}"
    unknown = next((name for name in model.state_dict() if not TENSORS.fullmatch(name)), None)
    if unknown is not None:
        return f"tensor {unknown}"
    if model.dtype != torch.float32 or model.device.type != "cpu":
        return f"{model.dtype} on {model.device.type}"
    return None


@torch.no_grad()
def take_apart(model: Any, context_length: int, make: MakeLinear) -> LeanModel:
    """The parts of a model that `why_not` finds nothing against; the model is of no use thereafter.

    Args:
        context_length: positions that ``rotary`` covers.
        make: what its linear layers become.
    """
    inner, head = model.model, model.lm_head.weight.detach()
    positions = torch.arange(context_length)[None]
    cos, sin = inner.rotary_emb(torch.zeros(1), positions)
    half = cos.shape[-1] // 2
    layers = []
    for layer in inner.layers:
        layers.append(_layer(layer, make))
        layer.to("meta")  # two copies of all weights need not fit into memory
    return LeanModel(
        embedding=inner.embed_tokens.weight.detach(),
        rotary=torch.complex(cos[0, :, None, :half], sin[0, :, None, :half]),
        layers=tuple(layers),
        norm=Norm.of(inner.norm),
        head=make(head, None),
    )


def _layer(layer: Any, make: MakeLinear) -> LeanLayer:
    attention, mlp = layer.self_attn, layer.mlp
    head_dim, scale = attention.head_dim, attention.scaling
    query_norm = _head_norm(attention, "q_norm", scale)
    return LeanLayer(
        input_norm=Norm.of(layer.input_layernorm),
        qkv=_joined(
            make,
            (attention.q_proj, lambda x: in_pairs(x, head_dim) * (scale if query_norm is None else 1)),
            (attention.k_proj, lambda x: in_pairs(x, head_dim)),
            (attention.v_proj, lambda x: x),
        ),
        query_norm=query_norm,
        key_norm=_head_norm(attention, "k_norm", 1.0),
        out=_joined(make, (attention.o_proj, lambda x: x)),
        mlp_norm=Norm.of(layer.post_attention_layernorm),
        gate_up=_joined(make, (mlp.gate_proj, lambda x: x), (mlp.up_proj, lambda x: x)),
        down=_joined(make, (mlp.down_proj, lambda x: x)),
        window=_window(attention),
    )


def _joined(make: MakeLinear, *parts: tuple[Any, Callable[[Tensor], Tensor]]) -> Linear:
    """One linear layer out of several with the same input, each changed along its outputs."""
    weight = torch.cat([change(module.weight) for module, change in parts])
    if all(module.bias is None for module, _ in parts):
        return make(weight, None)
    biases = [
        module.weight.new_zeros(len(module.weight)) if module.bias is None else change(module.bias)
        for module, change in parts
    ]
    return make(weight, torch.cat(biases))


def in_pairs(x: Tensor, head_dim: int) -> Tensor:
    """Put the dimensions that a rotation turns together side by side; x is (heads * head_dim, ...)."""
    halves = x.view(-1, 2, head_dim // 2, *x.shape[1:])
    return halves.transpose(1, 2).reshape(x.shape)


def _head_norm(attention: Any, name: str, scale: float) -> Norm | None:
    module = getattr(attention, name, None)
    if module is None:
        return None
    norm = Norm.of(module)
    return Norm(in_pairs(norm.weight, len(norm.weight)) * scale, norm.eps)


def _window(attention: Any) -> int | None:
    """Where each family's own code looks for it; llama's does not, whatever its configuration says."""
    config = attention.config
    owner = {"llama": None, "mistral": config}.get(config.model_type, attention)
    window = getattr(owner, "sliding_window", None)
    return None if window is None else int(window)
