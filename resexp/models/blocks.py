"""Residual blocks: a transform, a shortcut that joins it to the input, and what follows the sum."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn


class Conv1d(nn.Conv1d):
    """torch's convolution of sequences, computed as one of images with a single row.

    For these torch has fast kernels when the channels lie last in memory; a 3-dimensional tensor
    in that order is as good as a 4-dimensional one.
    """

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = F.conv2d(
            x.unsqueeze(2), weight.unsqueeze(2), bias,
            (1, *self.stride), (0, *self.padding), (1, *self.dilation), self.groups,
        )  # fmt: skip
        return y.squeeze(2)


def conv(
    dims: int, c_in: int, c_out: int, stride: int = 1, *, kernel_size: int = 3, bias: bool = False
) -> nn.Module:
    """Convolution over 1 (sequences) or 2 (images) dimensions that keeps the size at stride 1."""
    layer = {1: Conv1d, 2: nn.Conv2d}[dims]
    return layer(c_in, c_out, kernel_size, stride, padding=kernel_size // 2, bias=bias)


class ResidualBlock(nn.Module):
    """y = after(shortcut(x, transform(x))).

    The shortcut receives the transformed branch and joins the two, because a gate weighs both
    sides of the sum and a plain network has no sum at all.
    """

    def __init__(self, transform: nn.Module, shortcut: nn.Module, after: nn.Module):
        super().__init__()
        self.transform, self.shortcut, self.after = transform, shortcut, after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.shortcut(x, self.transform(x)))


def post_activation(
    c_in: int,
    c_out: int,
    stride: int,
    *,
    conv: Callable[..., nn.Module],
    norm: Callable[[int], nn.Module],
    activation: Callable[[], nn.Module],
    shortcut: Callable[[int, int, int], nn.Module],
) -> ResidualBlock:
    """conv-norm-act-conv-norm, then the sum, then act (He et al. 2015, fig. 2).

    Args:
        c_in, c_out: channels of the input and of the output.
        stride: of the first convolution, and of the shortcut.
        conv: (c_in, c_out, stride) -> convolution.
        norm: channels -> normalization layer.
        activation: () -> activation layer.
        shortcut: (c_in, c_out, stride) -> module of (x, transformed x).
    """
    first = [conv(c_in, c_out, stride), norm(c_out), activation()]
    second = [conv(c_out, c_out, 1), norm(c_out)]
    transform = nn.Sequential(*first, *second)
    return ResidualBlock(transform, shortcut(c_in, c_out, stride), activation())
