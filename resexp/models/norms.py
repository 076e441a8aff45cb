"""Normalization layers for inputs of any shape, constructed from the number of channels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def group(channels: int, *, groups: int) -> nn.GroupNorm:
    """Group normalization (Wu and He 2018) with `groups` groups of channels.

    Raises:
        ValueError: groups does not divide channels.
    """
    if groups < 1 or channels % groups:
        raise ValueError(f"norm.groups must divide the {channels} channels, got {groups}")
    return nn.GroupNorm(groups, channels)


def layer(channels: int) -> nn.GroupNorm:
    """Layer normalization (Ba et al. 2016) over channels and positions, with a scale per channel."""
    return nn.GroupNorm(1, channels)


def instance(channels: int) -> nn.GroupNorm:
    """Instance normalization (Ulyanov et al. 2016) over positions, with a scale per channel."""
    return nn.GroupNorm(channels, channels)


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalization over the batch and all positions, in zero, one or two dimensions.

    Departure from torch's: batches are not counted in `num_batches_tracked`, which only an average over all
    batches (momentum None) needs. On a GPU the count is one kernel per layer and step.
    """

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        statistics = self.running_mean, self.running_var
        return F.batch_norm(
            input, *statistics, self.weight, self.bias, self.training, self.momentum, self.eps
        )

    def _check_input_dim(self, input) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected (batch, channels, ...), got shape {tuple(input.shape)}")


class GhostBatchNorm(BatchNorm):
    """Ghost batch normalization: statistics over parts of the batch (UDL figure 11.14).

    Args:
        channels: of the input.
        size: examples per part; the last part is smaller if size does not divide the batch.
    Raises:
        ValueError: size below 1.
    Source: Hoffer et al. 2017 (arXiv:1705.08741), algorithm 1: running statistics are updated by each part
    in turn.
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


class StdBatchNorm(BatchNorm):
    """Batch normalization with eps added to the standard deviation: (h - m) / (s + eps).

    BatchNorm divides by sqrt(s^2 + eps) instead. The output's standard deviation is s / (s + eps) here and
    s / sqrt(s^2 + eps) there; with eps = 1e-5 it drops to 1/2 at s = eps here, at s = sqrt(eps / 3) = 1.8e-3
    there. At constant inputs, where s = 0, s is not differentiated; the gradient is of order 1 / eps instead
    of 1 / sqrt(eps).

    Args:
        channels: of the input.
        eps: added to s.
    Source: UDL section 11.4.1. Departure: as in BatchNorm, the running variance is the unbiased one.
    """

    def __init__(self, channels: int, *, eps: float):
        super().__init__(channels, eps=eps)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        if self.training:
            others = [dim for dim in range(input.dim()) if dim != 1]
            variance, mean = torch.var_mean(input, dim=others, correction=0)
            self._track(mean.detach(), variance.detach(), input.numel() // input.shape[1])
        else:
            variance, mean = self.running_var, self.running_mean
        # the square root has no derivative at 0
        std = torch.where(variance > 0, variance, 1).sqrt() * (variance > 0)
        scale = self.weight / (std + self.eps)
        shape = (-1, *[1] * (input.dim() - 2))
        return (input - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        unbiased = variance * count / max(count - 1, 1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
