"""Activations missing in torch.nn, and properties of activations that initializations depend on."""

import torch
from torch import Tensor, nn


class CReLU(nn.Module):
    """relu(x) and relu(-x): twice the channels.

    Args:
        interleaved: put each channel next to its negative, (x1, -x1, x2, -x2, ...), instead of all channels
            before all negatives; equivalent up to a permutation of the channels.
    Source: Shang et al. 2016 (arXiv:1603.05201), section 2: concatenated.
    """

    channel_factor = 2

    def __init__(self, *, interleaved: bool = False):
        super().__init__()
        self.interleaved = interleaved

    def forward(self, x: Tensor) -> Tensor:
        if self.interleaved:
            return torch.stack([x, -x], dim=2).flatten(1, 2).relu_()
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


def activation_gain(activation: nn.Module) -> float:
    """The gain of weights that preserves the mean square of a standard normal input to an activation.

    For z ~ N(0, 1) it is (E |phi(z)|^2)^(-1/2): sqrt(2) for ReLU; sqrt(2 / (1 + a^2)) for a slope a below
    zero; 1 without activation and for CReLU, where the squares of both outputs are summed.

    Source: He et al. 2015b (arXiv:1502.01852), eq. 8 and 14, generalized to any activation. torch's
    calculate_gain deviates for some, e.g. 5/3 for tanh instead of 1.59.
    """
    weights = list(activation.parameters())
    if any(weight.is_meta for weight in weights):  # weights without values
        return 1.0
    z = torch.linspace(-8, 8, 4001, device="cpu")
    channels = max([weight.numel() for weight in weights], default=1)
    with torch.no_grad():
        outputs = activation(z.view(-1, 1).repeat(1, channels)).double().square().sum(1) / channels
    density = torch.exp(-z.double().square() / 2)
    return float((outputs * density).sum() / density.sum()) ** -0.5
