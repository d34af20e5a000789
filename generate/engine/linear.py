"""Linear layers as the CPU likes them: weights laid out once for oneDNN's matrix products."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear

from generate.engine.lean_model import Norm


class FloatLinear:
    """A float32 layer, with the norm before it; weight (outputs, inputs), bias (outputs,).

    Laid out in blocks, the weights of SmolLM2 take half the time at four rows and two thirds at many.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, norm: Norm | None) -> None:
        self._bias = bias
        self._norm = norm
        self._packed = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, None) if self._packed else weight

    def __call__(self, x: Tensor, onto: Tensor | None = None) -> Tensor:
        if self._norm is not None:
            x = torch.rms_norm(x, self._norm.weight.shape, self._norm.weight, self._norm.eps)
        if self._packed:
            result: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")
        else:
            result = linear(x, self._weight, self._bias)
        return result if onto is None else result.add_(onto)
