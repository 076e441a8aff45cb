"""What a dataset's `load` returns, and what every command asks of it."""

from collections.abc import Callable, Iterable
from typing import Protocol, Self

import torch
from torch import Tensor

from resexp.data.batches import Batches


class Source(Protocol):
    """The examples of a training and a test split, in memory or in files, and batches of them.

    A batch is (inputs as the network receives them, targets), on the source's device.
    """

    examples: int  # for training
    split_names: tuple[str, ...]  # that are evaluated: test, and val where examples are held out
    in_memory: bool

    def holding_out(self, size: int) -> Self:
        """The same with so many of the training examples as the split `val`.

        Raises:
            ValueError: it cannot hold so many out.
        """

    def normalized(self, normalization: Callable) -> Self:
        """The same with its inputs normalized in another way.

        Args:
            normalization: training inputs -> function of batches; see conf/normalization.
        Raises:
            ValueError: its inputs are always normalized in one way.
        """

    def to(self, device: torch.device) -> Self:
        """The same with its batches on another device."""

    def batches(self, batch_size: int, *, crop_padding: int, flip: bool, seed: int) -> Batches:
        """Augmented training batches without end.

        Args:
            batch_size: examples per batch.
            crop_padding, flip: see resexp.data.preprocess.crop_and_flip.
            seed: of the order and of the augmentation.
        Raises:
            ValueError: more examples than there are.
        """

    def split(self, name: str, batch_size: int) -> Iterable[tuple[Tensor, Tensor]]:
        """All of a split in its order, without augmentation; may be iterated repeatedly.

        Args:
            name: train, or one of split_names.
            batch_size: examples at a time.
        """
