"""Interface of the object that a dataset's `load` returns."""

from collections.abc import Callable, Iterable
from typing import Protocol, Self

import torch
from torch import Tensor

from resexp.data.batches import Batches


class Source(Protocol):
    """A dataset with a training and a test split, in memory or in files.

    A batch is (network inputs, targets), on the source's device.
    """

    examples: int  # training examples
    shape: tuple[int, ...]  # of an example, channels first
    classes: int  # how many the targets distinguish
    split_names: tuple[str, ...]  # evaluated splits: test, and val if examples are held out
    in_memory: bool
    evaluation_batch: int | None  # examples at a time without gradients; None: as many as in training
    kind: str  # of its targets, which a task must read: class, planes, joints, boxes; see resexp.tasks
    crops: bool  # whether dataset.crop_padding and dataset.flip apply to its training batches
    remarks: tuple[str, ...]  # notes on the files, printed when they are loaded

    def blank(self, count: int) -> tuple[Tensor, Tensor]:
        """A training batch whose inputs and targets are all zero, of the shapes that the network receives."""

    def holding_out(self, size: int) -> Self:
        """A copy with `size` of the training examples held out as the split `val`.

        Raises:
            ValueError: size is out of range.
        """

    def normalized(self, normalization: Callable) -> Self:
        """A copy with another normalization of its inputs.

        Args:
            normalization: training inputs -> function of batches; see conf/normalization.
        Raises:
            ValueError: the dataset supports a single normalization only.
        """

    def to(self, device: torch.device) -> Self:
        """A copy with batches on another device."""

    def sharded(self, rank: int, size: int) -> Self:
        """A copy with the parts of batches, and the batches of splits, of one of `size` processes.

        Only of sources that are not in memory.
        """

    def batches(self, batch_size: int, *, crop_padding: int, flip: bool, seed: int) -> Batches:
        """An endless sampler of augmented training batches.

        Args:
            batch_size: examples per batch.
            crop_padding, flip: see resexp.data.preprocess.crop_and_flip.
            seed: of shuffling and augmentation.
        Raises:
            ValueError: batch_size exceeds the number of examples.
        """

    def split(self, name: str, batch_size: int) -> Iterable[tuple[Tensor, Tensor]]:
        """A whole split in its original order, without augmentation; can be iterated repeatedly.

        Args:
            name: train, or one of split_names.
            batch_size: examples per batch.
        """
