"""Layers that draw random numbers during training, from a generator of their own.

`generator` is set by the trainer (None: torch's global generator), so that networks trained concurrently
do not share a random stream, and resumed runs reproduce their draws.
"""

import torch
from torch import Tensor, nn


class RandomLayer(nn.Module):
    """Base class of layers that draw random numbers during training."""

    generator: torch.Generator | None = None


class Dropout(RandomLayer):
    """Dropout (Srivastava et al. 2014), with an explicit generator."""

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.probability == 0:
            return x
        kept = 1 - self.probability
        # not empty_like: the draws must not depend on the memory layout of x
        mask = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        return x * mask.bernoulli_(kept, generator=self.generator) / kept


class StochasticDepth(RandomLayer):
    """Drops a residual branch per batch; scales it by its survival probability in evaluation mode.

    The survival probability decreases linearly with depth, from 1 to `survival` at the last block.

    Args:
        position: of the block, in (0, 1]: block index (1-based) divided by the number of blocks.
        survival: survival probability p_L of the last block.
    Raises:
        ValueError: survival not in (0, 1].
    Source: Huang et al. 2016 (arXiv:1603.09382), sections 3 and 4: p_L = 0.5. Departure: a
    dropped branch is computed and multiplied by zero, so no time is saved; shortcuts subsample where shapes
    change, instead of average pooling.
    """

    def __init__(self, position: float, *, survival: float):
        super().__init__()
        if not 0 < survival <= 1:
            raise ValueError(f"branch.survival must lie in (0, 1], got {survival}")
        self.survival = 1 - position * (1 - survival)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x * self.survival
        alive = torch.empty((), device=x.device, dtype=x.dtype)
        return x * alive.bernoulli_(self.survival, generator=self.generator)


def always(position: float) -> nn.Module:
    """No stochastic depth: the branch is always kept."""
    return nn.Identity()
