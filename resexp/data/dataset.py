"""What every dataset is, and what is checked of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from resexp.data.batches import Batches, Split
from resexp.data.preprocess import crop_and_flip, normalizer

Normalization = Callable[[Tensor], Callable[[Tensor], Tensor]]  # training inputs -> what batches go through


@dataclass(frozen=True)
class Dataset:
    """Inputs and targets of two splits, in memory; see resexp.data.source.Source.

    inputs: (examples, c_in, height, width) uint8 images or (examples, c_in, length) float32
    sequences; targets: (examples,) int64 class numbers. Likewise the test split, and what is held out.
    """

    inputs: Tensor
    targets: Tensor
    test_inputs: Tensor
    test_targets: Tensor
    val_inputs: Tensor | None = None
    val_targets: Tensor | None = None
    normalization: Normalization = normalizer

    in_memory = True

    @property
    def examples(self) -> int:
        return len(self.targets)

    @property
    def split_names(self) -> tuple[str, ...]:
        return ("test",) if self.val_targets is None else ("test", "val")

    @cached_property
    def normalize(self) -> Callable[[Tensor], Tensor]:
        """What inputs go through before the network receives them."""
        return self.normalization(self.inputs)

    def normalized(self, normalization: Normalization) -> "Dataset":
        """The same with its inputs normalized in another way."""
        return replace(self, normalization=normalization)

    def to(self, device: torch.device) -> "Dataset":
        """The same on another device."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{k: v.to(device) for k, v in values.items() if isinstance(v, Tensor)})

    def holding_out(self, size: int) -> "Dataset":
        """Take a fixed validation split out of the training examples.

        Args:
            size: examples to hold out, the same ones whatever the run's seed.
        Raises:
            ValueError: size leaves no training example.
        Source: He et al. 2015, section 4.2, hold out 5,000; which ones, the paper does not say.
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
        """Shuffled batches, normalized, then cropped and mirrored; the seed is of a generator's own."""

        def prepare(x: Tensor, generator: torch.Generator) -> Tensor:
            x = self.normalize(x)
            if not crop_padding and not flip:
                return x
            return crop_and_flip(x, padding=crop_padding, flip=flip, generator=generator)

        generator = torch.Generator(self.inputs.device).manual_seed(seed)
        return Batches(self.inputs, self.targets, batch_size, prepare, generator)

    def split(self, name: str, batch_size: int) -> Split:
        """A split, normalized as the training examples are."""
        prefix = "" if name == "train" else f"{name}_"
        inputs, targets = getattr(self, f"{prefix}inputs"), getattr(self, f"{prefix}targets")
        return Split(inputs, targets, self.normalize, batch_size)


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
