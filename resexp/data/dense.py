"""Datasets whose targets are as large as their inputs: a value, or several, at every pixel or voxel."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from resexp.data.batches import Batches
from resexp.data.dataset import Dataset

# (inputs, targets, generator) -> both, moved alike
Augment = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]


def as_they_are(x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """No augmentation."""
    return x, y


@dataclass(frozen=True)
class Dense(Dataset):
    """A training and a test split in memory with dense targets; see resexp.data.source.Source.

    inputs: uint8, (examples, c_in, *size). targets: float32 planes (examples, planes, *size): the class,
    the additional weight of the loss, and the number of the instance (0: none), see resexp.data.instances.

    Args:
        augment: of training batches.
    """

    augment: Augment = as_they_are

    kind, crops = "planes", False

    @property
    def evaluation_batch(self) -> int:
        """At most eight, and no more than a million pixels or voxels, at a time."""
        return max(1, min(8, 2**20 // max(self.inputs[0, 0].numel(), self.test_inputs[0, 0].numel())))

    @property
    def classes(self) -> int:
        return 1 + int(max(self.targets[:, 0].max(), self.test_targets[:, 0].max()))

    def blank(self, count: int) -> tuple[Tensor, Tensor]:
        """A training batch of zeros, as large as augmentation leaves it."""
        return self.augment(*super().blank(count), torch.Generator())

    @property
    def normalize(self) -> Callable[[Tensor], Tensor]:
        """What inputs go through before the network receives them."""
        return standardized

    def normalized(self, normalization: Callable) -> "Dense":
        """The same: each example is always standardized by itself.

        Raises:
            ValueError: other statistics were asked for.
        """
        if getattr(normalization, "keywords", {}):
            raise ValueError("images with dense targets are standardized one by one: omit normalization=...")
        return self

    def batches(self, batch_size: int, *, crop_padding: int, flip: bool, seed: int) -> Batches:
        """Shuffled batches, standardized and augmented by `augment` alone."""

        def prepare(x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
            return self.augment(self.normalize(x), y, generator)

        generator = torch.Generator(self.inputs.device).manual_seed(seed)
        return Batches(self.inputs, self.targets, batch_size, prepare, generator)


def standardized(x: Tensor) -> Tensor:
    """Each example with mean 0 and standard deviation 1: microscopes differ in exposure."""
    x = x.float()
    dims = tuple(range(1, x.dim()))
    mean, std = x.mean(dims, keepdim=True), x.std(dims, keepdim=True)
    return (x - mean) / (std + 1e-6)
