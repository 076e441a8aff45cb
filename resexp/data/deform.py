"""Augmentation of images or volumes and their dense targets: crops, flips, elastic deformation."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

COARSE = 3  # displacements on each axis


@dataclass(frozen=True)
class Deform:
    """A random crop, mirrored along each axis with probability 1/2, elastically deformed.

    All draws come from the generator that is given; nothing is drawn on another device.

    Args:
        crop: side of the crop in pixels, at most that of the input.
        flips: mirror along every axis with probability 1/2.
        elastic: standard deviation in pixels of the displacements on a 3 x 3 (x 3) grid; 0: none.
    Raises:
        ValueError: a crop below 1, or a negative deviation.
    Source: Ronneberger et al. 2015 (arXiv:1505.04597), section 3.1: 10 pixels on a 3 x 3 grid, bicubic.
    Departures: trilinear in volumes, for which torch has no bicubic interpolation; flips.
    """

    crop: int
    flips: bool
    elastic: float

    def __post_init__(self):
        if self.crop < 1 or not self.elastic >= 0:
            raise ValueError(
                "augment.crop must be at least 1 and augment.elastic at least 0, got"
                f" {self.crop} and {self.elastic}"
            )

    def __call__(self, x: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Both at the same places: inputs interpolated linearly, targets by the nearest value.

        Args:
            x: (batch, channels, *size), float.
            targets: (batch, planes, *size), float.
            generator: on x's device.
        Raises:
            ValueError: a crop larger than the input.
        """
        size = x.shape[2:]
        if self.crop > min(size):
            raise ValueError(f"augment.crop must be at most {min(size)}, the input's side, got {self.crop}")
        places = self.places(len(x), size, generator)
        last = torch.tensor(size, device=x.device) - 1
        grid = (2 * places / last - 1).flip(-1)  # grid_sample wants x before y
        settings = {"padding_mode": "reflection", "align_corners": True}
        moved = F.grid_sample(x, grid, mode="bilinear", **settings)
        return moved, F.grid_sample(targets, grid, mode="nearest", **settings)

    def places(self, batch: int, size: torch.Size, generator: torch.Generator) -> Tensor:
        """Where each pixel of the crops comes from, (batch, *crop, dims), in pixels."""
        dims, device = len(size), generator.device
        ones = [1] * dims
        axes = torch.arange(self.crop, device=device, dtype=torch.float32)
        base = torch.stack(torch.meshgrid(*[axes] * dims, indexing="ij"), dim=-1)
        room = torch.tensor(size, device=device) - self.crop + 1
        offset = (torch.rand(batch, *ones, dims, generator=generator, device=device) * room).floor()
        if self.flips:
            mirrored = torch.rand(batch, *ones, dims, generator=generator, device=device) < 0.5
            base = torch.where(mirrored, self.crop - 1 - base, base)
        places = base + offset
        if self.elastic:
            coarse = torch.randn(batch, dims, *[COARSE] * dims, generator=generator, device=device)
            mode = {2: "bicubic", 3: "trilinear"}[dims]
            fine = F.interpolate(coarse, size=[self.crop] * dims, mode=mode, align_corners=True)
            places = places + self.elastic * fine.movedim(1, -1)
        return places
