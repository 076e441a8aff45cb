"""Normalization layers that torch.nn does not offer for a channel count and any shape."""

import torch
from torch import Tensor, nn


def group(channels: int, *, groups: int) -> nn.GroupNorm:
    """Group normalization (Wu and He 2018) over `groups` groups of channels.

    Raises:
        ValueError: groups does not divide channels.
    """
    if groups < 1 or channels % groups:
        raise ValueError(f"norm.groups must divide the {channels} channels, got {groups}")
    return nn.GroupNorm(groups, channels)


def layer(channels: int) -> nn.GroupNorm:
    """Layer normalization (Ba et al. 2016) over channels and positions, scale per channel."""
    return nn.GroupNorm(1, channels)


def instance(channels: int) -> nn.GroupNorm:
    """Instance normalization (Ulyanov et al. 2016) over positions, scale per channel."""
    return nn.GroupNorm(channels, channels)


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalization over the batch and all positions, be there none, one or two dimensions."""

    def _check_input_dim(self, input) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected (batch, channels, ...), got shape {tuple(input.shape)}")


class GhostBatchNorm(BatchNorm):
    """Batch normalization over parts of the batch, as if each were a batch (UDL figure 11.14).

    Args:
        channels: of the input.
        size: examples of a part; a batch that it does not divide has a smaller part at its end.
    Raises:
        ValueError: size below 1.
    Source: Hoffer et al. 2017 (arXiv:1705.08741), algorithm 1: the running statistics, too, take in
    one part after the other.
    """

    def __init__(self, channels: int, *, size: int):
        if size < 1:
            raise ValueError(f"norm.size must be at least 1, got {size}")
        super().__init__(channels)
        self.size = size

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        return torch.cat([super(GhostBatchNorm, self).forward(part) for part in input.split(self.size)])
