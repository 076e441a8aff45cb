"""Blocks without normalization: Fixup's scalar biases and multipliers."""

import torch
from torch import Tensor, nn

from resexp.models.blocks import ResidualBlock, summed
from resexp.models.orders import between, no_norm


class ScalarBias(nn.Module):
    """A learned scalar bias, initially 0."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


class ScalarMultiplier(nn.Module):
    """A learned scalar multiplier, initially 1."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def fixup(parts, chains, c_in, channels, stride, *, entry) -> ResidualBlock:
    """conv-act-conv-multiplier, addition, act; a scalar bias before each convolution and each act.

    Where shapes change, the shortcut receives the biased input of the first convolution.

    Raises:
        ValueError: normalization is used, which this block replaces.
    Source: Zhang et al. 2019 (arXiv:1901.09321), section 4, rule 3, and figure 1, right. Departures:
    the stem and the classifier have no scalars, and scalars use the same learning rate as all parameters.
    """
    if not isinstance(parts.norm(channels), nn.Identity):
        raise ValueError("block=fixup replaces normalization: use norm=none")
    changes = stride > 1 or c_in != channels
    transforms = [
        nn.Sequential(
            *([] if changes else [ScalarBias()]),
            *between(parts, chain, c_in, lambda c: [ScalarBias(), parts.activation(c), ScalarBias()]),
            ScalarMultiplier(),
        )
        for chain in chains
    ]
    shortcut = parts.shortcut(c_in, channels, stride, conv=parts.conv, norm=no_norm)
    return ResidualBlock(
        summed(transforms),
        shortcut,
        nn.Sequential(ScalarBias(), parts.activation(channels)),
        channels=parts.activated(channels),
        before=ScalarBias() if changes else None,
    )
