"""Activations missing in torch.nn."""

import torch
from torch import Tensor, nn


class CReLU(nn.Module):
    """relu(x) and relu(-x), concatenated: twice the channels (Shang et al. 2016)."""

    channel_factor = 2

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, -x], dim=1).relu_()


def channel_factor(activation: nn.Module) -> int:
    """Output channels of an activation per input channel."""
    return getattr(activation, "channel_factor", 1)
