"""Activations missing in torch.nn."""

import torch
from torch import Tensor, nn


class CReLU(nn.Module):
    """relu(x) and relu(-x), concatenated: twice the channels (Shang et al. 2016)."""

    channel_factor = 2

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, -x], dim=1).relu_()


class PReLU(nn.PReLU):
    """ReLU with a learned slope below zero, without weight decay.

    Args:
        channels: of the input.
        init: initial slope.
        channel_wise: one slope per channel; otherwise one per layer, the paper's channel-shared variant.
    Source: He et al. 2015b (arXiv:1502.01852), section 2.1: a slope per channel, initially 0.25, updated
    without weight decay, which would push it to zero.
    """

    per_channel = True
    weight_decay = False

    def __init__(self, channels: int, *, init: float, channel_wise: bool):
        super().__init__(channels if channel_wise else 1, init)


def channel_factor(activation: nn.Module) -> int:
    """Output channels of an activation per input channel."""
    return getattr(activation, "channel_factor", 1)
