"""Batch normalization, an optional sum and ReLU as one function: the reference for fused GPU kernels.

No network uses it yet; results/SPEED.md has the design. Kernels are to be compared with this.
"""

import torch
from torch import Tensor


class NormReLU(torch.autograd.Function):
    """y = max(0, gamma (x - mu) / sqrt(v + eps) + beta + residual), with the statistics of the batch.

    Keeps x, y, mu and 1 / sqrt(v + eps) for the backward pass: neither the sum nor the normalized input. The
    mask of ReLU comes from y, so its derivative at 0 is 0, as in torch.

    Args (of apply):
        x: (batch, channels, ...).
        weight, bias: gamma and beta, (channels,).
        residual: of x's shape, or None.
        eps: added to the variance.
    Returns:
        y, of x's shape; and the mean and the biased variance of each channel, for running statistics.
    Source: Ioffe and Szegedy 2015, algorithm 1 and section 3, for the gradients.
    """

    @staticmethod
    def forward(context, x: Tensor, weight: Tensor, bias: Tensor, residual: Tensor | None, eps: float):
        variance, mean = torch.var_mean(x, dim=_positions(x), correction=0)
        scale = (variance + eps).rsqrt()
        y = _wide(weight * scale, x) * (x - _wide(mean, x)) + _wide(bias, x)
        y = (y if residual is None else y + residual).clamp_(min=0)
        context.save_for_backward(x, y, weight, mean, scale)
        context.sums = residual is not None
        context.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(context, gradient: Tensor, *_):
        x, y, weight, mean, scale = context.saved_tensors
        passed = gradient * (y > 0)
        normalized = (x - _wide(mean, x)) * _wide(scale, x)
        to_bias = passed.sum(_positions(x))
        to_weight = (passed * normalized).sum(_positions(x))
        count = x.numel() // x.shape[1]
        centred = passed - _wide(to_bias / count, x) - normalized * _wide(to_weight / count, x)
        return _wide(weight * scale, x) * centred, to_weight, to_bias, passed if context.sums else None, None


def _positions(x: Tensor) -> list[int]:
    return [dim for dim in range(x.dim()) if dim != 1]


def _wide(values: Tensor, x: Tensor) -> Tensor:
    """Values of each channel, to be combined with x."""
    return values.view(-1, *[1] * (x.dim() - 2))
