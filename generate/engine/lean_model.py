"""Llama-shaped models, taken apart: what a short forward pass of our own needs, and nothing else.

Whatever is not known to the last detail is left to the general runner: the family, the rotary
embedding, the activation and the name of every tensor are checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

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


@dataclass(frozen=True)
class Norm:
    """A root-mean-square norm over the last dimension; weight (size,)."""

    weight: Tensor
    eps: float

    @classmethod
    def of(cls, module: Any) -> Norm:
        return cls(module.weight.detach(), float(module.variance_epsilon))

    def __call__(self, x: Tensor) -> Tensor:
        return torch.rms_norm(x, self.weight.shape, self.weight, self.eps)


class Linear(Protocol):
    """A linear layer, perhaps with a norm before it: (rows, inputs) -> (rows, outputs).

    ``onto`` (rows, outputs) is added to the result.
    """

    def __call__(self, x: Tensor, onto: Tensor | None = None) -> Tensor: ...


class MakeLinear(Protocol):
    """Builds a linear layer from weight (outputs, inputs), bias (outputs,) and the norm before it."""

    def __call__(self, weight: Tensor, bias: Tensor | None, norm: Norm | None) -> Linear: ...


@dataclass(frozen=True)
class LeanLayer:
    """A decoder layer. ``window`` is how many tokens a query sees, itself included; None for all."""

    qkv: Linear
    query_norm: Norm | None
    key_norm: Norm | None
    out: Linear
    gate_up: Linear
    down: Linear
    window: int | None


@dataclass(frozen=True)
class LeanModel:
    """All of a model.

    ``rotary`` (positions, 1, head_dim / 2) is complex: a rotation of each pair of a head's dimensions.
    Queries and keys come with these pairs side by side. Queries come with attention's scale, and in an
    order of heads in which those that share a KV head are as far apart as there are KV heads.
    """

    embedding: Tensor
    rotary: Tensor
    layers: tuple[LeanLayer, ...]
    head: Linear


def why_not(model: Any, attention_window: int | None = None) -> str | None:
    """What keeps a transformers model from being taken apart here; None if nothing does."""
    if attention_window is not None:
        return f"a window over the context (generate.attention_window is {attention_window})"
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
        head=make(head, None, Norm.of(inner.norm)),
    )


def _layer(layer: Any, make: MakeLinear) -> LeanLayer:
    attention, mlp, output = layer.self_attn, layer.mlp, layer.self_attn.o_proj
    head_dim, group = attention.head_dim, attention.num_key_value_groups
    query_norm = _head_norm(attention, "q_norm", attention.scaling)
    scale = attention.scaling if query_norm is None else 1.0
    return LeanLayer(
        qkv=_joined(
            make,
            Norm.of(layer.input_layernorm),
            (attention.q_proj, lambda x: regrouped(in_pairs(x, head_dim) * scale, head_dim, group)),
            (attention.k_proj, lambda x: in_pairs(x, head_dim)),
            (attention.v_proj, lambda x: x),
        ),
        query_norm=query_norm,
        key_norm=_head_norm(attention, "k_norm", 1.0),
        out=make(regrouped(output.weight.T, head_dim, group).T.contiguous(), _bias(output), None),
        gate_up=_joined(
            make,
            Norm.of(layer.post_attention_layernorm),
            (mlp.gate_proj, lambda x: x),
            (mlp.up_proj, lambda x: x),
        ),
        down=make(mlp.down_proj.weight, _bias(mlp.down_proj), None),
        window=_window(attention),
    )


def _bias(module: Any) -> Tensor | None:
    return None if module.bias is None else module.bias.detach()


def _joined(make: MakeLinear, norm: Norm, *parts: tuple[Any, Callable[[Tensor], Tensor]]) -> Linear:
    """One linear layer out of several with the same input, each changed along its outputs."""
    weight = torch.cat([change(module.weight) for module, change in parts])
    if all(module.bias is None for module, _ in parts):
        return make(weight, None, norm)
    biases = [
        module.weight.new_zeros(len(module.weight)) if module.bias is None else change(module.bias)
        for module, change in parts
    ]
    return make(weight, torch.cat(biases), norm)


def in_pairs(x: Tensor, head_dim: int) -> Tensor:
    """Put the dimensions that a rotation turns together side by side; x is (heads * head_dim, ...)."""
    halves = x.view(-1, 2, head_dim // 2, *x.shape[1:])
    return halves.transpose(1, 2).reshape(x.shape)


def regrouped(x: Tensor, head_dim: int, group: int) -> Tensor:
    """Put the first heads of all groups before all second ones; x is (heads * head_dim, ...)."""
    return x.reshape(-1, group, head_dim, *x.shape[1:]).transpose(0, 1).reshape(x.shape)


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
