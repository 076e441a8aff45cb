"""Sums of two digits, each rotated, scaled and moved on its own (Jaderberg et al. 2015)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from resexp.data import font_digits, mnist
from resexp.data.batches import check_batch_size, refuse_other_data
from resexp.data.checksums import checksum

SEEDS = {"train": 0, "test": 1}  # of the pairs that are evaluated


@dataclass(frozen=True)
class Placing:
    """How a digit is placed on its canvas; all three are drawn uniformly.

    Args:
        size: (height, width) of the canvas, pixels.
        rotation: at most so many degrees in either direction.
        scale: least and largest factor; a digit's image is never larger than the canvas.
    Raises:
        ValueError: a rotation outside of 0..180, or scales that are not in order, above 0.
    """

    size: tuple[int, int]
    rotation: float
    scale: tuple[float, float]

    def __post_init__(self):
        if not 0 <= self.rotation <= 180:
            raise ValueError(f"dataset.load.rotation must lie in 0..180 degrees, got {self.rotation}")
        if len(self.scale) != 2 or not 0 < self.scale[0] <= self.scale[1]:
            raise ValueError(
                f"dataset.load.scale must be two factors above 0, the least first, got {list(self.scale)}"
            )

    def draw(self, pairs: int, side: int, generator: torch.Generator) -> Tensor:
        """Affine maps of canvas coordinates to those of a digit's image, (pairs, 2, 2, 3).

        Coordinates run from -1 to 1, from edge to edge. The image, not yet rotated, lies within the canvas.

        Args:
            pairs: how many.
            side: of a digit's image, pixels.
            generator: of the draws; the maps are on its device.
        """
        drawn = torch.rand((pairs, 2, 4), generator=generator, device=generator.device)
        angle = (2 * drawn[..., 0] - 1) * torch.pi * self.rotation / 180
        scale = self.scale[0] + (self.scale[1] - self.scale[0]) * drawn[..., 1]
        height, width = (extent / side / scale for extent in self.size)  # canvas in sides of the image
        x, y = (
            (2 * drawn[..., at] - 1) * (extent - 1).clamp(min=0) for at, extent in ((2, width), (3, height))
        )
        cos, sin = angle.cos(), angle.sin()
        rows = [
            torch.stack([cos * width, sin * height, -cos * x - sin * y], -1),
            torch.stack([-sin * width, cos * height, sin * x - cos * y], -1),
        ]
        return torch.stack(rows, -2)

    def render(self, digits: Tensor, maps: Tensor) -> Tensor:
        """The placed digits.

        Args:
            digits: (pairs, 2, height, width), uint8.
            maps: (pairs, 2, 2, 3).
        Returns:
            (pairs, 2, *size), float32 from 0 (background) to 1.
        """
        images = digits.flatten(0, 1).unsqueeze(1).float() / 255
        grid = F.affine_grid(maps.flatten(0, 1), [len(images), 1, *self.size], align_corners=False)
        return F.grid_sample(images, grid, align_corners=False).view(*digits.shape[:2], *self.size)


class Pairs:
    """An endless sampler of pairs; both digits, their places and their order come from one random stream.

    Args:
        digits: (digits, 1, height, width), uint8, on the training device.
        values: of the digits.
        placing: how they are placed.
        batch_size: pairs per batch.
        examples: pairs that count as an epoch.
        generator: the random stream, on the same device.
    Raises:
        ValueError: batch_size is not in 1..examples.
    """

    def __init__(
        self,
        digits: Tensor,
        values: Tensor,
        placing: Placing,
        batch_size: int,
        examples: int,
        generator: torch.Generator,
    ):
        check_batch_size(batch_size, examples)
        self.digits, self.values, self.placing = digits, values, placing
        self.batch_size, self.examples = batch_size, examples
        self.generator, self.generators = generator, (generator,)

    def next(self) -> tuple[Tensor, Tensor]:
        """Advance and return the next batch."""
        self.advance()
        return self.batch()

    def advance(self) -> None:
        """Nothing to do: each batch is drawn anew."""

    def batch(self) -> tuple[Tensor, Tensor]:
        """(batch, 2, height, width) images and (batch,) sums."""
        device = self.values.device
        chosen = torch.randint(
            len(self.values), (self.batch_size, 2), generator=self.generator, device=device
        )
        maps = self.placing.draw(self.batch_size, self.digits.shape[-1], self.generator)
        return self.placing.render(self.digits[chosen, 0], maps), self.values[chosen].sum(1)

    def state_dict(self) -> dict:
        """Sampler state; restoring it continues the same sequence of batches."""
        return {"generator": self.generator.get_state(), "data": self.checksum}

    @cached_property
    def checksum(self) -> str:
        """Checksum of the digits, in order."""
        return checksum(self.digits, self.values)

    def load_state_dict(self, state: dict) -> None:
        """Restore the sampler state `state`.

        Raises:
            ValueError: it belongs to other digits.
        """
        refuse_other_data(state, self.checksum)
        self.generator.set_state(state["generator"].cpu())


@dataclass(frozen=True)
class FixedPairs:
    """Pairs that are evaluated: the same on every device; placed when they are asked for.

    Args:
        digits, values, placing: as for Pairs.
        count: of pairs.
        seed: of all that is drawn.
        batch_size: pairs per batch; the last batch may be smaller.
    """

    digits: Tensor
    values: Tensor
    placing: Placing
    count: int
    seed: int
    batch_size: int

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(self.seed)  # of the CPU
        device = self.values.device
        chosen = torch.randint(len(self.values), (self.count, 2), generator=generator).to(device)
        maps = self.placing.draw(self.count, self.digits.shape[-1], generator).to(device)
        for some, where in zip(chosen.split(self.batch_size), maps.split(self.batch_size), strict=True):
            yield self.placing.render(self.digits[some, 0], where), self.values[some].sum(1)


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

    in_memory = True
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
