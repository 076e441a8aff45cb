"""Interfaces that the training loop requires of a task, a sampler and a schedule."""

from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor


class Task(Protocol):
    """The training objective: a loss, and counts for further metrics. See resexp.tasks.

    Counts are a vector of `tallies` integers on the device, summed over batches. `kind` names the targets
    that it reads, as resexp.data.source.Source does.
    """

    tallies: int
    kind: str

    def loss(self, output: Tensor, target: Tensor, *, reduction: Literal["mean", "sum"] = "mean") -> Tensor:
        """Loss of the network's output (any precision), a scalar."""

    def tally(self, output: Tensor, target: Tensor) -> Tensor:
        """Counts of a batch, int64 of shape (tallies,)."""

    def columns(self, tally: list[int], examples: int) -> dict[str, float]:
        """Columns of a row, computed from summed counts; must include `error_percent`."""


class Batches(Protocol):
    """A sampler: an endless sequence of training batches. See resexp.data."""

    batch_size: int
    examples: int  # per epoch
    generators: Sequence[torch.Generator]  # that `batch` draws from

    def advance(self) -> None:
        """Advance to the next batch."""

    def batch(self) -> tuple[Tensor, Tensor]:
        """Network inputs and targets. Launches the same kernels at every call (for CUDA graphs)."""

    def state_dict(self) -> dict:
        """Sampler state; restoring it continues the same sequence of batches."""

    def load_state_dict(self, state: dict) -> None:
        """Restore a sampler state."""


class Schedule(Protocol):
    """Learning-rate schedule. See resexp.training.schedules."""

    warm_up: bool
    warm_up_window: int

    def warm_up_ends(self, error_percent: float) -> bool:
        """Whether this training error, averaged over the window, ends the warm-up."""

    def at(self, step: int, *, warming_up: bool) -> float:
        """Learning rate of the update after `step` updates."""
