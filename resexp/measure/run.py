"""Interface of a trained run, as measurements receive it."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn


class Run(Protocol):
    """A finished training run: its config, networks and data.

    stages: available stages of the network: `initial`, `step-<n>` for each kept checkpoint, and `trained`;
        for imported weights, whose initialization is unknown, `trained` only.
    """

    config: dict
    device: torch.device
    stages: Sequence[str]

    def network(self, stage: str = "trained") -> nn.Module:
        """A new copy of the network at a stage, in evaluation mode."""

    def batches(self, split: str, batch_size: int) -> Iterable[tuple[Tensor, Tensor]]:
        """A whole split (train, test or val) as (network inputs, targets)."""

    def examples(self, split: str, count: int) -> tuple[Tensor, Tensor]:
        """The first `count` examples of a split, or all if it has fewer."""

    def each(self, name: str, keys: Sequence, compute: Callable[..., Sequence]) -> list[list]:
        """compute(key) for each key: numbers. An interrupted measurement continues where it was.

        Args:
            name: of these points; a measurement may have several.
            keys, compute: see resexp.records.points.each.
        """


def one_by_one(keys: Sequence, compute: Callable[..., Sequence]) -> list[list]:
    """What Run.each computes, and nothing is kept."""
    return [list(compute(key)) for key in keys]


def before_and_after(run: Run) -> list[str]:
    """Those of the stages `initial` and `trained` that the run has."""
    return [stage for stage in ("initial", "trained") if stage in run.stages]


def spread(run: Run, split: str, count: int) -> tuple[Tensor, Tensor]:
    """`count` evenly spaced examples of a split, or all if it has fewer.

    Folders of images are sorted by class, so the first examples would all be of one class.
    """
    batches = list(run.batches(split, 1000))
    x, y = (torch.cat(parts) for parts in zip(*batches, strict=True))
    if count >= len(y):
        return x, y
    chosen = torch.arange(count, device=y.device) * len(y) // count
    return x[chosen], y[chosen]
