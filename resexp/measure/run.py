"""What a measurement of trained networks receives."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn


class Run(Protocol):
    """A finished training run: its settings, its networks and its data.

    stages: what `network` can give: `initial`, `trained`, and `step-<n>` for each checkpoint kept; of
        imported weights `trained` alone.
    """

    config: dict
    device: torch.device
    stages: Sequence[str]

    def network(self, stage: str = "trained") -> nn.Module:
        """The network as it was at a stage, in evaluation mode; a new one at every call."""

    def batches(self, split: str, batch_size: int) -> Iterable[tuple[Tensor, Tensor]]:
        """Inputs as the network receives them, and targets, of all of a split: train, test or val."""

    def examples(self, split: str, count: int) -> tuple[Tensor, Tensor]:
        """The first examples of a split; fewer where it has fewer."""


def before_and_after(run: Run) -> list[str]:
    """The stages `initial` and `trained`, those that the run has: where imported weights began is unknown."""
    return [stage for stage in ("initial", "trained") if stage in run.stages]
