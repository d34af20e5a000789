"""FP8 weights for CUDA: half the bytes of bfloat16, quantised, and labelled so.

Weights are 8-bit floats (E4M3) with a scale for each output, activations the same with a scale for each
row, found when they are there. The product is torch's row-wise scaled one. What a row is quantised to
depends on nothing but the row; its product is rounded as any matrix product on a GPU is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

FP8 = torch.float8_e4m3fn
LARGEST = torch.finfo(FP8).max
TINY = 1e-12
"""Smaller scales are not taken; what is divided by it is still finite."""
MULTIPLE = 16
"""Of which both sides of a weight must be, for the tensor cores."""
CAPABILITY = (8, 9)
"""Compute capability from which there are FP8 products: Ada, Hopper and later."""


def quantise(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows as 8-bit floats, and their scales.

    Args:
        x: (rows, size), of any float type.

    Returns:
        (rows, size) in E4M3 and (rows, 1) in float32; their product is ``x``, rounded. A row with numbers
        that are not finite comes out as not finite.
    """
    numbers = x.float()
    scale = (numbers.abs().amax(1, keepdim=True) / LARGEST).clamp_min(TINY)
    return (numbers / scale).to(FP8), scale


class Fp8Module(torch.nn.Module):
    """A quantised linear layer in the place of a module; input and output have the type of its weight.

    Args:
        module: both sides of its weight are multiples of `MULTIPLE`.
    """

    def __init__(self, module: torch.nn.Linear) -> None:
        super().__init__()
        self._weight, self._scale = quantise(module.weight.detach())
        self._bias = None if module.bias is None else module.bias.detach()
        self._dtype = module.weight.dtype

    def forward(self, x: Tensor) -> Tensor:
        rows, scale = quantise(x.reshape(-1, x.shape[-1]))
        result = torch._scaled_mm(
            rows, self._weight.t(), scale_a=scale, scale_b=self._scale.t(), out_dtype=self._dtype
        )
        if self._bias is not None:
            result = result + self._bias
        return result.view(*x.shape[:-1], -1)


@torch.no_grad()
def quantise_modules(model: Any) -> None:
    """Exchange the linear modules of a model; other weights, such as experts', stay, and so do odd sizes."""
    for parent in list(model.modules()):
        for name, module in parent.named_children():
            if type(module) is torch.nn.Linear and not any(size % MULTIPLE for size in module.weight.shape):
                setattr(parent, name, Fp8Module(module))


def why_no_fp8(model: Any) -> str | None:
    """What keeps a model on its device from being quantised; None if nothing does."""
    if model.device.type != "cuda":
        return f"FP8 weights are for CUDA, and this model is on {model.device.type}"
    if model.dtype != torch.bfloat16:
        return f"FP8 products come out as bfloat16, and generate.dtype is {model.dtype}".replace("torch.", "")
    found = torch.cuda.get_device_capability(model.device)
    if found < CAPABILITY:
        name = torch.cuda.get_device_name(model.device)
        return (
            f"FP8 products need compute capability {CAPABILITY[0]}.{CAPABILITY[1]}, "
            f"and {name} has {found[0]}.{found[1]}"
        )
    return None
