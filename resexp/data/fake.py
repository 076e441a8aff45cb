"""Random images with random labels, for benchmarks and tests."""

from collections.abc import Sequence

import torch

from resexp.data.dataset import Dataset


def load(shape: Sequence[int], *, num_classes: int, train_size: int, test_size: int, seed: int) -> Dataset:
    """Draw uint8 images of `shape` and labels, reproducibly from the seed.

    Raises:
        ValueError: a split without examples.
    """
    for key, size in (("train_size", train_size), ("test_size", test_size)):
        if size < 1:
            raise ValueError(f"dataset.load.{key} must be at least 1, got {size}")
    generator = torch.Generator().manual_seed(seed)
    count = train_size + test_size
    x = torch.randint(0, 256, (count, *shape), generator=generator, dtype=torch.uint8)
    y = torch.randint(0, num_classes, (count,), generator=generator)
    return Dataset(x[:train_size], y[:train_size], x[train_size:], y[train_size:])
