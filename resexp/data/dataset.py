"""In-memory datasets and their validation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from resexp.data.batches import Batches, Split
from resexp.data.preprocess import crop_and_flip, normalizer

Normalization = Callable[[Tensor], Callable[[Tensor], Tensor]]  # training inputs -> function of batches


@dataclass(frozen=True)
class Dataset:
    """A training and a test split in memory, optionally a validation split; see resexp.data.source.Source.

    inputs: (examples, c_in, height, width) uint8 images or (examples, c_in, length) float32
    sequences; targets: (examples,) int64 class indices. Likewise for the test and validation splits.
    """

    inputs: Tensor
    targets: Tensor
    test_inputs: Tensor
    test_targets: Tensor
    val_inputs: Tensor | None = None
    val_targets: Tensor | None = None
    normalization: Normalization = normalizer

    in_memory, evaluation_batch, kind, crops = True, 1000, "class", True
    remarks = ()

    @property
    def examples(self) -> int:
        return len(self.targets)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.inputs.shape[1:])

    def blank(self, count: int) -> tuple[Tensor, Tensor]:
        """A training batch of zeros."""
        return torch.zeros(count, *self.shape), self.targets.new_zeros(count, *self.targets.shape[1:])

    @property
    def classes(self) -> int:
        return 1 + int(max(self.targets.max(), self.test_targets.max()))

    @property
    def split_names(self) -> tuple[str, ...]:
        return ("test",) if self.val_targets is None else ("test", "val")

    @cached_property
    def normalize(self) -> Callable[[Tensor], Tensor]:
        """Function that normalizes the inputs of a batch."""
        return self.normalization(self.inputs)

    def normalized(self, normalization: Normalization) -> "Dataset":
        """A copy with another normalization of its inputs."""
        return replace(self, normalization=normalization)

    def to(self, device: torch.device) -> "Dataset":
        """A copy on another device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{k: v.to(device) for k, v in values.items() if isinstance(v, Tensor)})

    def holding_out(self, size: int) -> "Dataset":
        """Hold out a fixed validation split from the training examples.

        Args:
            size: number of examples to hold out; the selection does not depend on the run's seed.
        Raises:
            ValueError: size leaves no training examples.
        Source: He et al. 2015, section 4.2: 5,000 examples; the paper does not specify which.
        """
        if not 0 <= size < self.examples:
            raise ValueError(f"dataset.val_size must lie in 0..{self.examples - 1}, got {size}")
        if size == 0:
            return self
        order = torch.randperm(self.examples, generator=torch.Generator().manual_seed(0))
        order = order.to(self.inputs.device)
        held, kept = order[:size], order[size:].sort().values
        return replace(
            self,
            inputs=self.inputs[kept],
            targets=self.targets[kept],
            val_inputs=self.inputs[held],
            val_targets=self.targets[held],
        )

    def batches(self, batch_size: int, *, crop_padding: int, flip: bool, seed: int) -> Batches:
        """Shuffled batches, normalized, then cropped and flipped; `seed` seeds their random stream."""

        def prepare(x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
            x = self.normalize(x)
            if not crop_padding and not flip:
                return x, y
            return crop_and_flip(x, padding=crop_padding, flip=flip, generator=generator), y

        generator = torch.Generator(self.inputs.device).manual_seed(seed)
        return Batches(self.inputs, self.targets, batch_size, prepare, generator)

    def split(self, name: str, batch_size: int) -> Split:
        """A split, normalized with the statistics of the training examples."""
        prefix = "" if name == "train" else f"{name}_"
        inputs, targets = getattr(self, f"{prefix}inputs"), getattr(self, f"{prefix}targets")
        return Split(inputs, targets, self.normalize, batch_size)


def existing(root: str, default: str = "data") -> Path:
    """The data folder or file given by the user; only the default folder may be missing.

    Raises:
        ValueError: the path does not exist; nothing is downloaded to a path that may be mistyped.
    """
    path = Path(root).expanduser()
    if root != default and not path.exists():
        raise ValueError(
            f"dataset.root={root} does not exist; set it to the folder that contains the data, or create"
            " this folder to download the data into it"
        )
    return path


def check_classes(what: str, targets: Tensor, expected: Sequence[int]) -> None:
    """Check that the number of examples per class is as published.

    Raises:
        ValueError: a count is wrong; the message names the split, the count and the expected one.
    """
    if len(targets) and targets.min() < 0:
        raise ValueError(f"{what} has the label {targets.min()}; labels start at 0")
    counts = torch.bincount(targets, minlength=len(expected)).tolist()
    if sum(counts) != sum(expected):
        raise ValueError(f"{what} has {sum(counts):,} examples instead of {sum(expected):,}")
    for label, (count, right) in enumerate(zip(counts, expected, strict=False)):
        if count != right:
            raise ValueError(f"{what}: class {label} has {count:,} examples instead of {right:,}")
