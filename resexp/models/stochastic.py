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


class Drawn(RandomLayer):
    """Keeps the branches of a given number of blocks in each batch; in evaluation all, scaled by their share.

    Blocks are gone through in order: of those that are left, as many are drawn as are still to be kept
    (Knuth, The Art of Computer Programming 2, section 3.4.2, algorithm S), so that every choice is equally
    likely.

    Args:
        ahead: blocks from this one on.
        before: that of the block before; None: the first.
        kept, blocks: branches that are kept, of so many.
    """

    def __init__(self, ahead: int, before: "Drawn | None", *, kept: int, blocks: int):
        super().__init__()
        self.ahead, self.kept, self.share = ahead, kept, kept / blocks
        self.before = (before,)  # a tuple, so that it is no module of this one
        self.left: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x * self.share
        (before,) = self.before
        left = torch.full((), float(self.kept), device=x.device) if before is None else before.left
        alive = torch.bernoulli(left / self.ahead, generator=self.generator)
        self.left = left - alive
        return x * alive.to(x.dtype)


def always(blocks: int) -> list[nn.Module]:
    """No stochastic depth: the branches are always kept."""
    return [nn.Identity() for _ in range(blocks)]


def stochastic_depth(blocks: int, *, survival: float) -> list[nn.Module]:
    """See StochasticDepth."""
    return [StochasticDepth((block + 1) / blocks, survival=survival) for block in range(blocks)]


def drawn(blocks: int, *, kept: int) -> list[nn.Module]:
    """Exactly `kept` of all branches in each batch: training on short paths only.

    Raises:
        ValueError: kept is not within 1..blocks.
    Source: Veit et al. 2016 (arXiv:1605.06431), section 4.3: 23 of 54 modules. It does not say how the
    network is evaluated; here branches are scaled by their share, as with stochastic depth.
    """
    if not 1 <= kept <= blocks:
        raise ValueError(f"branch.kept must lie in 1..{blocks}, the number of blocks, got {kept}")
    made: list[Drawn] = []
    for block in range(blocks):
        made.append(Drawn(blocks - block, made[-1] if made else None, kept=kept, blocks=blocks))
    return list(made)
