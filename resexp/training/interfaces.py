"""What the training loop asks of a task, a sampler and a schedule, which it knows nothing else of."""

from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor


class Task(Protocol):
    """What is learned: a loss, and what is counted beside it. See resexp.tasks.

    Counts are kept on the device as a vector of `tallies` whole numbers that add up over batches.
    """

    tallies: int

    def loss(self, output: Tensor, target: Tensor, *, reduction: Literal["mean", "sum"] = "mean") -> Tensor:
        """A scalar, of the network's output in any precision."""

    def tally(self, output: Tensor, target: Tensor) -> Tensor:
        """Counts of a batch, int64, (tallies,)."""

    def columns(self, tally: list[int], examples: int) -> dict[str, float]:
        """What a row says of counts summed over so many examples; `error_percent` is among it."""


class Batches(Protocol):
    """A sampler: an endless sequence of training batches. See resexp.data."""

    batch_size: int
    examples: int  # of an epoch
    generators: Sequence[torch.Generator]  # that `batch` draws from

    def advance(self) -> None:
        """Go to the next batch."""

    def batch(self) -> tuple[Tensor, Tensor]:
        """Inputs as the network receives them, and targets: the same kernels at every call."""

    def state_dict(self) -> dict:
        """Sampler state; restoring it continues the same sequence of batches."""

    def load_state_dict(self, state: dict) -> None:
        """Continue from where `state` was taken."""


class Schedule(Protocol):
    """The learning rate of each step. See resexp.training.schedules."""

    warm_up: bool
    warm_up_window: int

    def warm_up_ends(self, error_percent: float) -> bool:
        """Whether this training error, averaged over the window, ends the warm-up."""

    def at(self, step: int, *, warming_up: bool) -> float:
        """Learning rate of the update that follows `step` updates."""
