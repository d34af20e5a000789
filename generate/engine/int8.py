"""INT8 weights for the CPU: quantised, and labelled so wherever it matters.

Weights have 8 bits and a scale for each output. Activations have 16 bits and a scale for each row, as
two halves of 8 bits that pass through the same integer product: round(127 x / max|x|), and what
that leaves, 254 times finer. The coarse half alone would cost half as much above eight rows a step,
but it loses more than the weights do, and it multiplies the last bit of a float32 sum until that decides
about tokens: attention sums the rows of a token tree in another order than a row alone. Integer
products are exact, so a row's result is the same, bit for bit, whatever rows share its batch.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import torch
from torch import Tensor

from generate.engine.lean_model import Norm

MANY_ROWS = 512
"""From so many rows on, halves counted, oneDNN's kernel is faster than FBGEMM's, whose strength are few."""
TINY = 1e-30
"""Smaller rows count as zero; 2 ** 15 divided by it is still finite."""


class Int8Linear:
    """A quantised linear layer, with the norm before it: float32 in, float32 out.

    Args:
        weight: (outputs, inputs), float32.
        bias: (outputs,), float32.
        levels: the largest integer that stands for an activation.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, norm: Norm | None, levels: int) -> None:
        scale = (weight.abs().amax(1) / 127).clamp_min_(TINY)
        whole = (weight / scale[:, None]).round_().to(torch.int8)
        scale /= levels
        self._bias = bias
        self._zero = levels + 1
        self._finer = 2 * levels
        self._spread = torch.tensor([levels, levels * self._finer], dtype=torch.float32).view(2, 1, 1)
        self._gain: Tensor | None = None
        if norm is not None:
            size = weight.shape[1]
            self._gain = norm.weight
            self._floor = torch.tensor((size * norm.eps) ** 0.5)
            scale *= size**0.5
        self._few = _pack(whole, scale)
        self._many = torch.ops.onednn.qlinear_prepack(whole, None)
        self._scale = scale
        self._zeros = torch.zeros_like(scale, dtype=torch.int8)

    def __call__(self, x: Tensor, onto: Tensor | None = None) -> Tensor:
        # Few calls: at one row each takes as long as the arithmetic of all of them.
        count, size = x.shape
        rows = x if self._gain is None else x * self._gain
        peak = rows.abs().amax(1, True).clamp_min_(TINY)
        halves = rows * (self._spread / peak)
        halves[1].sub_(halves[0].round_(), alpha=self._finer)
        product = self._product(halves.view(2 * count, size))
        if self._gain is not None:  # the norm itself: a factor of each row
            peak /= torch.hypot(torch.linalg.vector_norm(x, 2, 1, True), self._floor)
        result = torch.add(product[:count], product[count:], alpha=1 / self._finer).mul_(peak)
        if self._bias is not None:
            result += self._bias
        return result if onto is None else result.add_(onto)

    def _product(self, halves: Tensor) -> Tensor:
        """Round (rows, inputs) to integers and multiply them with the weights: (rows, outputs)."""
        if halves.shape[0] < MANY_ROWS:
            product: Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default(
                halves, 1.0, self._zero, self._few
            )
        else:
            whole = halves.add_(self._zero).round_().to(torch.uint8)  # as FBGEMM rounds
            product = torch.ops.onednn.qlinear_pointwise.default(
                whole, 1.0, self._zero, self._many, self._scale, self._zeros, None,
                1.0, 0, torch.float32, "none", [], "",
            )  # fmt: skip
        return product


def _pack(whole: Tensor, scale: Tensor) -> Any:
    """Quantised weights as FBGEMM multiplies with them."""
    engine = torch.backends.quantized.engine
    try:
        torch.backends.quantized.engine = "fbgemm"
        with warnings.catch_warnings():  # quantised tensors will go, but packing has no other door yet
            warnings.filterwarnings("ignore", "torch.quantize_per_tensor", UserWarning)
            zeros = torch.zeros(len(scale), dtype=torch.long)
            weight = torch._make_per_channel_quantized_tensor(whole, scale, zeros, 0)
            return torch.ops.quantized.linear_prepack(weight, None)
    finally:
        torch.backends.quantized.engine = engine


class Int8Module(torch.nn.Module):
    """`Int8Linear` in the place of a module of transformers; leading dimensions at will."""

    def __init__(self, module: torch.nn.Linear) -> None:
        super().__init__()
        bias = None if module.bias is None else module.bias.detach()
        self._linear = int8_linear(module.weight.detach(), bias, None)

    def forward(self, x: Tensor) -> Tensor:
        return self._linear(x.reshape(-1, x.shape[-1])).view(*x.shape[:-1], -1)


def int8_linear(weight: Tensor, bias: Tensor | None, norm: Norm | None) -> Int8Linear:
    """A quantised layer with as many levels as this CPU multiplies exactly."""
    return Int8Linear(weight, bias, norm, _levels())


def quantise_modules(model: Any) -> None:
    """Exchange all linear modules of a float32 model on the CPU; other weights, such as experts', stay."""
    for parent in list(model.modules()):
        for name, module in parent.named_children():
            if type(module) is torch.nn.Linear:
                setattr(parent, name, Int8Module(module))


def why_no_int8(model: Any) -> str | None:
    """What keeps a model on its device from being quantised; None if nothing does."""
    if model.device.type != "cpu":
        return f"INT8 weights are for the CPU, and this model is on {model.device.type}"
    if model.dtype != torch.float32:
        return f"INT8 weights are made from float32, and generate.dtype is {model.dtype}".replace(
            "torch.", ""
        )
    if not _levels():
        return "torch has no INT8 kernels for this processor (x86 with AVX2 or better)"
    return None


@cache
def _levels() -> int:
    """The most levels with which products come out exact; 0 if there are none.

    Without VNNI instructions two products of 8 bits are summed in 16, which 127 levels and their zero
    point overflow. What a processor does is found out by trying.
    """
    weight, x = torch.ones(64, 64), torch.ones(MANY_ROWS // 2, 64)
    for levels in (127, 63):
        try:
            layer = Int8Linear(weight, None, None, levels)
            products = torch.cat([layer(x[:1]), layer(x)])
        except RuntimeError:  # torch was built without these kernels
            return 0
        if bool((products - 64).abs().max() < 1e-3):
            return levels
    return 0
