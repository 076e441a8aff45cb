"""Sampler of in-memory data, and splits for evaluation."""

from collections.abc import Callable, Iterator
from functools import cached_property

import torch
from torch import Tensor

from resexp.data.checksums import checksum


class Batches:
    """An endless sampler: shuffled epochs, concatenated and cut into batches of equal size.

    A batch may span two epochs, so that every example is seen equally often.

    Args:
        inputs: (examples, ...), on the training device.
        targets: (examples, ...), of a kind that the task reads.
        batch_size: examples per batch.
        prepare: (inputs of a batch, its targets, generator) -> network inputs and targets, augmented alike.
        generator: random stream of shuffling and of `prepare`, on the same device.
    Raises:
        ValueError: batch_size is not in 1..examples.
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        batch_size: int,
        prepare: Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]],
        generator: torch.Generator,
    ):
        check_batch_size(batch_size, len(targets))
        self.inputs, self.targets, self.batch_size = inputs, targets, batch_size
        self.prepare, self.generator, self.generators = prepare, generator, (generator,)
        self.examples = len(targets)
        self.order, self.position = self._shuffle(), 0
        self.index = torch.empty(batch_size, dtype=torch.int64, device=targets.device)

    def next(self) -> tuple[Tensor, Tensor]:
        """Advance and return the next batch: network inputs and targets."""
        self.advance()
        return self.batch()

    def advance(self) -> None:
        """Advance to the next batch: select its examples."""
        end = self.position + self.batch_size
        index = self.order[self.position : end]
        if end > len(self.order):
            end -= len(self.order)
            self.order = self._shuffle()
            index = torch.cat([index, self.order[:end]])
        self.position = end
        self.index.copy_(index)

    def batch(self) -> tuple[Tensor, Tensor]:
        """The current batch: the same kernels on the same tensors at every call, for CUDA graphs."""
        return self.prepare(self.inputs[self.index], self.targets[self.index], self.generator)

    def state_dict(self) -> dict:
        """Sampler state; restoring it continues the same sequence of batches."""
        return {
            "order": self.order,
            "position": self.position,
            "generator": self.generator.get_state(),
            "data": self.checksum,
        }

    @cached_property
    def checksum(self) -> str:
        """Checksum of the examples, in order."""
        return checksum(self.inputs, self.targets)

    def load_state_dict(self, state: dict) -> None:
        """Restore a sampler state.

        Raises:
            ValueError: it belongs to other data, or to the same examples in another order.
        """
        refuse_other_data(state, self.checksum)
        self.order, self.position = state["order"].to(self.targets.device), state["position"]
        self.generator.set_state(state["generator"].cpu())

    def _shuffle(self) -> Tensor:
        device = self.targets.device
        return torch.randperm(len(self.targets), generator=self.generator, device=device)


class Split:
    """A whole split in its original order, in batches; can be iterated repeatedly.

    Args:
        inputs, targets: as for Batches.
        prepare: inputs of a batch -> network inputs.
        batch_size: examples per batch; the last batch may be smaller.
    """

    def __init__(self, inputs: Tensor, targets: Tensor, prepare: Callable[[Tensor], Tensor], batch_size: int):
        self.inputs, self.targets, self.prepare, self.batch_size = inputs, targets, prepare, batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        size = self.batch_size
        for x, y in zip(self.inputs.split(size), self.targets.split(size), strict=True):
            yield self.prepare(x), y


def refuse_other_data(state: dict, data: str) -> None:
    """Raise ValueError if a sampler state belongs to data with another checksum."""
    if state.get("data", data) != data:  # states of earlier versions have no checksum
        raise ValueError(
            "this run was started on other data, or on the same data in another order: set dataset.root to"
            " the original data, or delete the run's folder to start over"
        )


def check_batch_size(batch_size: int, examples: int) -> None:
    """Raise ValueError if batch_size is not in 1..examples."""
    if not 1 <= batch_size <= examples:
        raise ValueError(f"batch_size must lie in 1..{examples}, got {batch_size}")
