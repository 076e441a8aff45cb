"""Layers that draw while they train, from a generator of their own.

`generator` is set from outside (None: torch's global one), so that networks that are trained side by
side do not draw from each other's row, and a run goes on with the same draws.
"""

import torch
from torch import Tensor, nn


class RandomLayer(nn.Module):
    """What draws while training."""

    generator: torch.Generator | None = None


class Dropout(RandomLayer):
    """Numbers set to zero with a probability, the others scaled up (Srivastava et al. 2014)."""

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.probability == 0:
            return x
        kept = 1 - self.probability
        # not empty_like: the draws shall not depend on the order of x in memory
        mask = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        return x * mask.bernoulli_(kept, generator=self.generator) / kept


class StochasticDepth(RandomLayer):
    """A branch that is left out of whole batches; scaled by its survival probability in testing.

    Survival falls linearly with depth, from 1 before the first block to `survival` at the last.

    Args:
        position: of the block, in (0, 1]: its number over the number of blocks.
        survival: probability p_L of the last block.
    Raises:
        ValueError: survival not in (0, 1].
    Source: Huang et al. 2016 (arXiv:1603.09382), sections 3 and 4: p_L = 0.5. Departure: a branch
    that is left out is computed and multiplied by zero, so no time is saved; the shortcut that
    changes shapes is strided, where theirs averages.
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
    """The branch is in every step."""
    return nn.Identity()
