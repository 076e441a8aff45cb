"""What every dataset is, and what is checked of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor


@dataclass(frozen=True)
class Dataset:
    """Inputs and targets of two splits, in memory.

    inputs: (examples, c_in, height, width) uint8 images or (examples, c_in, length) float32
    sequences; targets: (examples,) int64 class numbers. Likewise the test split.
    """

    inputs: Tensor
    targets: Tensor
    test_inputs: Tensor
    test_targets: Tensor

    def to(self, device: torch.device) -> "Dataset":
        """The same on another device."""
        return Dataset(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def existing(root: str, default: str = "data") -> Path:
    """The folder or file that a person named; the default one may still have to be made.

    Raises:
        ValueError: it does not exist; nothing is fetched to a place that may be mistyped.
    """
    path = Path(root).expanduser()
    if root != default and not path.exists():
        raise ValueError(
            f"dataset.root={root} does not exist; name the folder that holds the data, or make this"
            " one to have the data fetched into it"
        )
    return path


def check_classes(what: str, targets: Tensor, expected: Sequence[int]) -> None:
    """Refuse a split whose examples per class are not the published ones.

    Raises:
        ValueError: names the split, the count that is wrong and the one that it should be.
    """
    if len(targets) and targets.min() < 0:
        raise ValueError(f"{what} has the label {targets.min()}; labels begin at 0")
    counts = torch.bincount(targets, minlength=len(expected)).tolist()
    if sum(counts) != sum(expected):
        raise ValueError(f"{what} holds {sum(counts):,} examples instead of {sum(expected):,}")
    for label, (count, right) in enumerate(zip(counts, expected, strict=False)):
        if count != right:
            raise ValueError(f"{what}: class {label} has {count:,} examples instead of {right:,}")


def checksum(*tensors: Tensor) -> str:
    """Of numbers, their order and their shapes; 32 hexadecimal digits."""
    found = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        found.update(str(tuple(tensor.shape)).encode())
        found.update(tensor.cpu().contiguous().numpy())
    return found.hexdigest()


def contents_checksum(inputs: Tensor, targets: Tensor) -> str:
    """Of a split's examples, whatever their order.

    Args:
        inputs: uint8.
        targets: class numbers below 256.
    """
    examples = zip(inputs.numpy(), targets.tolist(), strict=True)
    own = sorted(hashlib.blake2b(x.tobytes() + bytes([y]), digest_size=16).digest() for x, y in examples)
    return hashlib.sha256(b"".join(own)).hexdigest()


def hold_out(dataset: Dataset, size: int) -> tuple[Dataset, Tensor, Tensor]:
    """Take a fixed validation split out of the training examples.

    Args:
        size: examples to hold out, the same ones whatever the run's seed.
    Returns:
        The dataset without them, their inputs and their targets.
    Raises:
        ValueError: size leaves no training example.
    Source: He et al. 2015, section 4.2, hold out 5,000; which ones, the paper does not say.
    """
    count = len(dataset.targets)
    if not 0 <= size < count:
        raise ValueError(f"dataset.val_size must lie in 0..{count - 1}, got {size}")
    if size == 0:
        return dataset, dataset.inputs[:0], dataset.targets[:0]
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    order = order.to(dataset.inputs.device)
    held, kept = order[:size], order[size:].sort().values
    rest = replace(dataset, inputs=dataset.inputs[kept], targets=dataset.targets[kept])
    return rest, dataset.inputs[held], dataset.targets[held]
