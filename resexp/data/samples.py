"""Input batches for measurements."""

from collections.abc import Sequence

import torch
from torch import Tensor

from resexp.data import cifar
from resexp.data import mnist1d as generated
from resexp.data.preprocess import normalizer


def gaussian(shape: Sequence[int], *, seed: int) -> Tensor:
    """Independent standard normal values."""
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed))


def mnist1d(count: int) -> Tensor:
    """The first test sequences of MNIST-1D as vectors, (count, 40)."""
    return generated.load(seed=42).test_inputs[:count, 0]


def cifar10(root: str, *, download: bool, count: int) -> Tensor:
    """Normalized test images of CIFAR-10, (count, 3, 32, 32).

    They are evenly spaced in the test split, so that all classes are represented.

    Raises:
        ValueError: see resexp.data.cifar.load.
    """
    dataset = cifar.load(root, num_classes=10, download=download)
    chosen = dataset.test_inputs[:: len(dataset.test_inputs) // count][:count]
    return normalizer(dataset.inputs)(chosen)
