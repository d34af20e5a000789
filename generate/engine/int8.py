"""INT8 weights for the CPU by torch's kernels, where `generate.engine.native` has none.

Weights have 8 bits and a scale for each output. Activations keep the precision of float32: each row
has a scale, and each number three digits of 8 bits, which pass through one integer product as rows of
their own. Fewer digits would cost less above a few rows. But one alone loses more than the weights do, and
rounding makes the last bit of a float32 sum decide about much larger ones: attention sums the rows of a
token tree in another order than a row alone, and with two digits one answer in ten came out different.
Integer products are exact, so here a row's result is the same, bit for bit, whatever rows share its batch.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import torch
from torch import Tensor

from generate.engine.lean_model import Norm

CHUNK = 128
"""Rows that are multiplied together; what they take then stays in the processor's caches."""
TINY = 1e-30
"""Smaller rows count as zero; 2 ** 23 divided by it is still finite."""


class Int8Linear:
    """A quantised linear layer, with the norm before it: float32 in, float32 out.

    Args:
        weight: (outputs, inputs), float32.
        bias: (outputs,), float32.
        levels: the largest digit of an activation.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, norm: Norm | None, levels: int) -> None:
        scale = (weight.abs().amax(1) / 127).clamp_min_(TINY)
        whole = (weight / scale[:, None]).round_().to(torch.int8)
        scale /= levels
        self._bias = bias
        self._zero = levels + 1
        self._base = 2 * levels
        self._spread = torch.tensor([levels * self._base**digit for digit in range(3)]).view(3, 1, 1)
        self._gain: Tensor | None = None
        if norm is not None:
            size = weight.shape[1]
            self._gain = norm.weight
            self._floor = torch.tensor((size * norm.eps) ** 0.5)
            scale *= size**0.5
        self._weight = _pack(whole, scale)

    def __call__(self, x: Tensor, onto: Tensor | None = None) -> Tensor:
        if x.shape[0] <= CHUNK:
            result = self._multiply(x)
        else:
            result = torch.cat([self._multiply(rows) for rows in torch.split(x, CHUNK)])
        if self._bias is not None:
            result += self._bias
        return result if onto is None else result.add_(onto)

    def _multiply(self, x: Tensor) -> Tensor:
        # Few calls: at one row each takes as long as its arithmetic.
        count, size = x.shape
        rows = x if self._gain is None else x * self._gain
        peak = rows.abs().amax(1, True).clamp_min_(TINY)
        digits = rows * (self._spread / peak)
        first, second = digits[0].round_(), digits[1]
        second.sub_(first, alpha=self._base).round_()
        digits[2].sub_(first, alpha=self._base**2).sub_(second, alpha=self._base)
        product = self._product(digits.view(3 * count, size))
        if self._gain is not None:  # the norm itself: a factor of each row
            peak /= torch.hypot(torch.linalg.vector_norm(x, 2, 1, True), self._floor)
        result = torch.add(product[:count], product[count : 2 * count], alpha=1 / self._base)
        return result.add_(product[2 * count :], alpha=1 / self._base**2).mul_(peak)

    def _product(self, digits: Tensor) -> Tensor:
        """Multiply digits (rows, inputs), the last rounded first, with the weights: (rows, outputs)."""
        product: Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default(
            digits, 1.0, self._zero, self._weight
        )
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
    weight, x = torch.ones(64, 64), torch.ones(1, 64)
    for levels in (127, 63):
        try:
            product = Int8Linear(weight, None, None, levels)(x)
        except RuntimeError:  # torch was built without these kernels
            return 0
        if bool((product - 64).abs().max() < 1e-3):
            return levels
    return 0
