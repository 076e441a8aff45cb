"""Feature pyramids: objects of every size detected on maps that are all semantically strong."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resexp.models.blocks import BlockKind
from resexp.models.parts import Parts
from resexp.models.resnet import blocks_per_stage

LEVELS = 3
FINEST = 4  # pixels between neighbouring cells of the finest map; each further map doubles it
REACH = 8**0.5  # side of a level's anchor in cells: objects of 2 to 4 cells are nearest to it
RARE = 4.0  # subtracted from class logits: at first a cell takes its classes to be rare


class Merge(nn.Module):
    """Maps of a bottom-up network -> maps of equal width, merged from the coarsest down.

    Each map passes a 1x1 convolution; the merged map above, upsampled to the nearest value, is added; a 3x3
    convolution smooths the sum.

    Args:
        widths: channels of the maps, finest first.
        channels: of each result.
        levels: the maps that are wanted.
        lateral: whether maps below the coarsest one are added at all.
        top_down: whether the map above is.
        parts: their convolutions.
    Source: Lin et al. 2017 (arXiv:1612.03144), section 3. As there, no normalization and no activation.
    Without `top_down` it is their "bottom-up pyramid", without `lateral` "no lateral connections" (table 1).
    """

    def __init__(
        self,
        widths: Sequence[int],
        channels: int,
        *,
        levels: Sequence[int],
        lateral: bool,
        top_down: bool,
        parts: Parts,
    ):
        super().__init__()
        self.levels, self.top_down, self.laterals = levels, top_down, nn.ModuleDict()
        for level, width in enumerate(widths):
            wanted = level in levels or top_down
            if wanted and (lateral or level == len(widths) - 1):
                self.laterals[str(level)] = parts.conv(width, channels, kernel_size=1, bias=True)
        self.smooth = nn.ModuleDict({str(k): parts.conv(channels, channels, bias=True) for k in levels})

    def forward(self, maps: list[Tensor]) -> dict[int, Tensor]:
        """Maps, finest first -> those that are wanted, by level."""
        found, above = {}, None
        for level in reversed(range(len(maps))):
            x = self.laterals[str(level)](maps[level]) if str(level) in self.laterals else None
            if self.top_down and above is not None:
                upsampled = F.interpolate(above, size=maps[level].shape[2:], mode="nearest")
                x = upsampled if x is None else x + upsampled
            above = x
            if level in self.levels:
                found[level] = self.smooth[str(level)](x)
        return found


class Pyramid(nn.Module):
    """Images (batch, c_in, height, width) -> predictions (batch, num_classes + 10, anchors).

    A bottom-up residual network of three stages, whose maps have a cell for every 4, 8 and 16 pixels;
    `Merge`; one head of a 3x3 and a 1x1 convolution, shared by all maps, that predicts at every cell for
    itself. One map has anchors of three sizes in each cell, several have one each: those of Lin et al.

    The channels: class logits; the box (x and y of its centre, width, height); the anchor, likewise; width
    and height of the cell. Lengths are shares of the image's width or height.

    Args:
        depth: weight layers from the input to the coarsest map, 6n + 1 for blocks of two layers.
        width: of the first stage and the stem; each further stage doubles it.
        channels: of the maps that predict.
        lateral, top_down: see Merge.
        levels: the maps that predict, 0 for the finest.
        scales: factors by which the image is resized; each of the images is predicted on.
        c_in, num_classes, block, parts: as in resexp.models.resnet.ResNet.
    Raises:
        ValueError: levels or scales that do not exist, a pyramid without anything in its finer maps, or
            images other than two-dimensional ones.
    Source: Lin et al. 2017, figure 1: (a) scales, (b) one level, (c) levels without top_down, (d) the
    default. Departures: three levels instead of four or five; a stem of one 3x3 convolution of stride 2
    without pooling; the head predicts classes instead of objectness, and is normalized; square anchors only.
    """

    kind = "boxes"

    def __init__(
        self,
        depth: int,
        *,
        width: int,
        channels: int,
        lateral: bool,
        top_down: bool,
        levels: Sequence[int],
        scales: Sequence[float],
        c_in: int,
        num_classes: int,
        block: BlockKind,
        parts: Parts,
    ):
        super().__init__()
        _check(parts, levels, scales, lateral, top_down)
        self.levels, self.scales, self.num_classes = list(levels), list(scales), num_classes
        count = blocks_per_stage(depth, block.depth, besides=1, stages=LEVELS)
        self.stem = nn.Sequential(parts.conv(c_in, width, 2), parts.norm(width), parts.activation(width))
        self.blocks, self.tails, self.per_stage = nn.ModuleList(), nn.ModuleList(), count
        used, before, widths = LEVELS if top_down else max(levels) + 1, width, []
        for level in range(used):
            for index in range(count):
                made = block(parts, before, (width << level) * block.expansion, 1 if index else 2)
                self.blocks.append(made)
                before = made.channels
            self.tails.append(made.tail() if made.tail else nn.Identity())
            widths.append(before)
        choice = {"levels": self.levels, "lateral": lateral, "top_down": top_down}
        self.merge = Merge(widths, channels, **choice, parts=parts)
        per_cell = LEVELS if len(self.levels) * len(self.scales) == 1 else 1
        self.head = nn.Sequential(
            parts.conv(channels, channels),
            parts.norm(channels),
            parts.activation(channels),
            parts.conv(channels, per_cell * (num_classes + 4), kernel_size=1, bias=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for scale in self.scales:
            maps = self.merge(self.bottom_up(resized(x, scale)))
            found += [self.predict(maps[level], level, scale, x.shape[2:]) for level in self.levels]
        return torch.cat(found, 2)

    def bottom_up(self, x: Tensor) -> list[Tensor]:
        """The last map of each stage, finest first."""
        x, maps = self.stem(x), []
        for index, block in enumerate(self.blocks, start=1):
            x = block(x)
            if index % self.per_stage == 0:
                maps.append(self.tails[len(maps)](x))
        return maps

    def predict(self, x: Tensor, level: int, scale: float, size: torch.Size) -> Tensor:
        """Predictions of one map, (batch, num_classes + 10, anchors).

        Args:
            x: the map.
            level, scale: its own.
            size: height and width of the image before it was resized, pixels.
        """
        alone = len(self.levels) * len(self.scales) == 1
        octaves = range(LEVELS) if alone else [level]
        sides = [REACH * (FINEST << octave) / scale for octave in octaves]  # of the anchors, pixels
        predicted = self.head(x).float().flatten(2).unflatten(1, (len(sides), -1))
        found = []
        for own, side in zip(predicted.unbind(1), sides, strict=True):
            where = anchors(x.shape[2:], side, size, x.device)
            places = where[:2] + own[:, -4:-2] * where[4:]
            sizes = where[2:4] * own[:, -2:].clamp(-6, 6).exp()
            logits = own[:, : self.num_classes] - RARE
            found.append(torch.cat([logits, places, sizes, where.expand(len(x), -1, -1)], 1))
        return torch.cat(found, 2)


def anchors(cells: torch.Size, side: float, size: torch.Size, device: torch.device) -> Tensor:
    """One anchor per cell: x and y of its centre, width, height, the cell's width and height; (6, cells).

    Args:
        cells: along the height and the width of the map.
        side: of the anchors, pixels.
        size: height and width of the image, pixels.
        device: of the result; all of it is computed there.
    """
    centres = [(torch.arange(count, device=device) + 0.5) / count for count in cells]
    y, x = torch.meshgrid(*centres, indexing="ij")
    lengths = (side / size[1], side / size[0], 1 / cells[1], 1 / cells[0])
    return torch.stack([x, y, *(torch.full_like(x, length) for length in lengths)]).flatten(1)


def resized(x: Tensor, scale: float) -> Tensor:
    """Images larger or smaller by a factor, bilinearly; smaller ones are not aliased."""
    if scale == 1:
        return x
    return F.interpolate(x, scale_factor=scale, mode="bilinear", antialias=scale < 1, align_corners=False)


def _check(
    parts: Parts, levels: Sequence[int], scales: Sequence[float], lateral: bool, top_down: bool
) -> None:
    if parts.dims != 2:
        raise ValueError(f"model=pyramid is for images, and this dataset has {parts.dims} dimensions")
    if not levels or len(set(levels)) < len(levels) or not set(levels) <= set(range(LEVELS)):
        raise ValueError(f"model.levels must be different numbers from 0 to {LEVELS - 1}, got {list(levels)}")
    if not scales or min(scales) <= 0:
        raise ValueError(f"model.scales must be factors above 0, got {list(scales)}")
    if not lateral and not top_down:
        raise ValueError("finer maps need model.lateral or model.top_down: one of them must be true")
