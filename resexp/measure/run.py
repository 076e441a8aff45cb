"""Interface of a trained run, as measurements receive it."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn


class Run(Protocol):
    """A finished training run: its config, networks and data.

    stages: valid arguments of `network`: `initial`, `trained`, and `step-<n>` for each kept checkpoint.
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
