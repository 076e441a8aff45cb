"""Batches that measurements are made on."""

from collections.abc import Sequence

import torch
from torch import Tensor

from resexp.data import mnist1d as generated


def gaussian(shape: Sequence[int], *, seed: int) -> Tensor:
    """Independent standard normal numbers."""
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed))


def mnist1d(count: int) -> Tensor:
    """The first test sequences of MNIST-1D as vectors, (count, 40)."""
    return generated.load(seed=42).test_inputs[:count, 0]
