"""Pairs of digits, each rotated, scaled and moved on its own: how they are placed, drawn and evaluated."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from resexp.data.batches import check_batch_size, refuse_other_data
from resexp.data.checksums import checksum


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
