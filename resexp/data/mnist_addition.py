"""Sums of two digits, each rotated, scaled and moved on its own (Jaderberg et al. 2015)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from resexp.data import font_digits, mnist
from resexp.data.checksums import checksum
from resexp.data.digit_pairs import FixedPairs, Pairs, Placing

SEEDS = {"train": 0, "test": 1}  # of the pairs that are evaluated


@dataclass(frozen=True)
class DigitSums:
    """Training pairs without end and fixed test pairs; see resexp.data.source.Source.

    Args:
        digits, values: of the training pairs, (digits, 1, height, width) uint8 and their values.
        test_digits, test_values: of the test pairs.
        placing: how digits are placed.
        examples: training pairs that count as an epoch.
        test_size: pairs of an evaluated split.
    """

    digits: Tensor
    values: Tensor
    test_digits: Tensor
    test_values: Tensor
    placing: Placing
    examples: int
    test_size: int

    in_memory, crops = True, False
    evaluation_batch = 1000
    kind = "class"
    classes = 19
    split_names = ("test",)
    remarks = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return (2, *self.placing.size)

    def blank(self, count: int) -> tuple[Tensor, Tensor]:
        """Two empty canvases, and the sum 0."""
        device = self.values.device
        return torch.zeros(count, *self.shape, device=device), self.values.new_zeros(count)

    def holding_out(self, size: int) -> "DigitSums":
        """Return self; holding out is not supported.

        Raises:
            ValueError: size is not 0.
        """
        if size:
            raise ValueError(
                "sums of digits have no validation split, as their training pairs have no end: leave"
                f" dataset.val_size at 0, got {size}"
            )
        return self

    def normalized(self, normalization: Callable) -> "DigitSums":
        """The same: values always lie between 0 (background) and 1.

        Raises:
            ValueError: normalization by given statistics was asked for.
        """
        if getattr(normalization, "keywords", {}):
            raise ValueError(
                "sums of digits always lie between 0 (background) and 1: leave out normalization=..."
            )
        return self

    def to(self, device: torch.device) -> "DigitSums":
        """The same on another device."""
        names = ("digits", "values", "test_digits", "test_values")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def batches(self, batch_size: int, *, crop_padding: int, flip: bool, seed: int) -> Pairs:
        """New pairs without end; `seed` seeds their random stream.

        crop_padding and flip are unused: `sums` refuses them.

        Raises:
            ValueError: batch_size is not in 1..examples.
        """
        generator = torch.Generator(self.digits.device).manual_seed(seed)
        return Pairs(self.digits, self.values, self.placing, batch_size, self.examples, generator)

    def split(self, name: str, batch_size: int) -> FixedPairs:
        """Fixed pairs: of test digits, or as many of training digits (`train`)."""
        own = (self.digits, self.values) if name == "train" else (self.test_digits, self.test_values)
        return FixedPairs(*own, self.placing, self.test_size, SEEDS[name], batch_size)


def load(root: str, *, download: bool, **options) -> DigitSums:
    """Sums of MNIST's digits, from the files that resexp.data.mnist reads.

    Args:
        root, download: see resexp.data.mnist.load.
        options: see sums.
    Raises:
        ValueError: see resexp.data.mnist.load and sums.
    """
    read = mnist.load(root, variant="MNIST", download=download)
    return sums((read.inputs, read.targets), (read.test_inputs, read.test_targets), **options)


def embedded(**options) -> DigitSums:
    """Sums of a font's digits, without files: twelve faces, three of them in the test pairs only.

    Args:
        options: see sums.
    Raises:
        ValueError: see sums.
    """
    return sums(font_digits.digits("train"), font_digits.digits("test"), **options)


def fingerprint() -> str:
    """Of the font's digits, which other versions of matplotlib may draw otherwise."""
    return checksum(*font_digits.digits("train"), *font_digits.digits("test"))


def sums(
    training: tuple[Tensor, Tensor],
    test: tuple[Tensor, Tensor],
    *,
    size: Sequence[int],
    rotation: float,
    scale: Sequence[float],
    examples: int,
    test_size: int,
    crop_padding: int,
    flip: bool,
) -> DigitSums:
    """Sums of given digits.

    Args:
        training, test: uint8 images (digits, 1, side, side) and values.
        size, rotation, scale: see Placing.
        examples: training pairs that count as an epoch.
        test_size: pairs of an evaluated split.
        crop_padding, flip: the dataset's settings, 0 and false.
    Raises:
        ValueError: see Placing; examples or test_size below 1; or cropping or flipping was asked for.
    Source: Jaderberg et al. 2015 (arXiv:1506.02025), appendix A.1: two digits of 42x42 in two channels,
    each with its own rotation, scale and translation, 19 classes. Departures: the ranges are those that we
    recall of the paper's distorted MNIST (45 degrees, 0.7 to 1.2); pairs are drawn without end.
    """
    for name, value in (("examples", examples), ("test_size", test_size)):
        if value < 1:
            raise ValueError(f"dataset.load.{name} must be at least 1, got {value}")
    if crop_padding or flip:
        raise ValueError(
            "digits are placed at random already, and mirrored ones are none: leave dataset.crop_padding at 0"
            f" and dataset.flip at false, got {crop_padding} and {str(flip).lower()}"
        )
    placing = Placing(tuple(size), rotation, tuple(scale))
    return DigitSums(*training, *test, placing, examples, test_size)
