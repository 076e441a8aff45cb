"""Interface of a trained run, as measurements receive it."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn


class Run(Protocol):
    """A finished training run: its config, networks and data.

    stages: what `network` can give: `initial`, `trained`, and `step-<n>` for each checkpoint kept; of
        imported weights `trained` alone.
    """

    config: dict
    device: torch.device
    stages: Sequence[str]

    def network(self, stage: str = "trained") -> nn.Module:
        """A new copy of the network at a stage, in evaluation mode."""

    def batches(self, split: str, batch_size: int) -> Iterable[tuple[Tensor, Tensor]]:
        """A whole split (train, test or val) as (network inputs, targets)."""

    def examples(self, split: str, count: int) -> tuple[Tensor, Tensor]:
        """The first examples of a split; fewer where it has fewer."""


def before_and_after(run: Run) -> list[str]:
    """The stages `initial` and `trained`, those that the run has: where imported weights began is unknown."""
    return [stage for stage in ("initial", "trained") if stage in run.stages]


def spread(run: Run, split: str, count: int) -> tuple[Tensor, Tensor]:
    """Examples at equal distances over a split, all of it where it has no more than `count`.

    Images in folders are sorted by class: the first ones would be of a single class.
    """
    batches = list(run.batches(split, 1000))
    x, y = (torch.cat(parts) for parts in zip(*batches, strict=True))
    if count >= len(y):
        return x, y
    chosen = torch.arange(count, device=y.device) * len(y) // count
    return x[chosen], y[chosen]
