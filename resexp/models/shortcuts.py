"""Shortcuts: classes of (c_in, c_out, stride) that join the input to the transformed branch."""

import torch.nn.functional as F
from torch import Tensor, nn


class NoShortcut(nn.Module):
    """The transformed branch alone: this is what makes a network plain."""

    def __init__(self, c_in: int, c_out: int, stride: int):
        super().__init__()

    def forward(self, x: Tensor, transformed: Tensor) -> Tensor:
        return transformed


class ZeroPad(nn.Module):
    """The input plus the branch; where shapes change, strided and zero-padded (option A).

    Raises:
        ValueError: c_out smaller than c_in, which zeros cannot bridge.
    Source: He et al. 2015, section 4.1, option A; it has no parameters. The new channels come
    after the old ones; the paper does not say where they go.
    """

    def __init__(self, c_in: int, c_out: int, stride: int):
        super().__init__()
        if c_out < c_in:
            raise ValueError(
                f"zero-padding needs c_out >= c_in, got c_in={c_in} and c_out={c_out};"
                " use a projection shortcut"
            )
        self.stride, self.added_channels = stride, c_out - c_in

    def forward(self, x: Tensor, transformed: Tensor) -> Tensor:
        spatial = x.dim() - 2
        if self.stride > 1:
            x = x[(..., *[slice(None, None, self.stride)] * spatial)]
        if self.added_channels:
            x = F.pad(x, [0, 0] * spatial + [0, self.added_channels])
        return x + transformed
