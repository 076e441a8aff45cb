"""Heat maps: where in an image each joint is."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

VISIBLE, OCCLUDED = 2, 1  # COCO's flags; 0: not annotated


class Heatmaps:
    """Squared error to a Gaussian about each joint, summed over predictions; PCK of the last prediction.

    Outputs: heat maps (batch, predictions, joints, height, width), all of which are learned, as stacked
    hourglasses give them (intermediate supervision). Targets: (batch, joints, 4): x and y in pixels of the
    image, whose first pixel has its centre at 0; visibility (2: visible, 1: occluded, 0: not annotated);
    reference length in pixels.

    Args:
        size: height and width of the images, pixels.
        fraction: of the reference length: how far from a joint its keypoint may be.
        sigma: standard deviation of the Gaussians, pixels of a heat map.
    Raises:
        ValueError: fraction or sigma not above 0.
    Source: Newell et al. 2016 (arXiv:1603.06937), section 3.2 and princeton-vl/pose-hg-train,
    src/util/{pose,eval}.lua. Departure: Gaussians lie about the joint itself, not the nearest pixel, and are
    not cut off.
    """

    tallies, kind = 5, "joints"

    def __init__(self, size: Sequence[int], fraction: float = 0.2, sigma: float = 1.0):
        if not (fraction > 0 and sigma > 0):
            raise ValueError(f"task.fraction and task.sigma must be above 0, got {fraction} and {sigma}")
        self.size, self.fraction, self.sigma = tuple(size), fraction, sigma

    def loss(self, output: Tensor, target: Tensor, *, reduction: Literal["mean", "sum"] = "mean") -> Tensor:
        """Mean over joints and pixels, summed over predictions; over examples mean or sum.

        The maps of joints that are not annotated are to be empty.
        """
        maps = gaussians(self.on_map(target, output.shape[-1]), output.shape[-2:], self.sigma)
        maps = maps * (target[:, :, 2] > 0)[:, :, None, None]
        each = (output.float() - maps.unsqueeze(1)).square().mean((2, 3, 4)).sum(1)
        return each.mean() if reduction == "mean" else each.sum()

    def tally(self, output: Tensor, target: Tensor) -> Tensor:
        """Visible joints: found, found within half the distance, all; occluded ones: found, all."""
        scale = self.size[1] / output.shape[-1]
        found = (peaks(output[:, -1]) + 0.5) * scale - 0.5
        distance = (found - target[:, :, :2]).norm(dim=2)
        allowed = self.fraction * target[:, :, 3]
        near, nearer = distance <= allowed, distance <= allowed / 2
        visible, occluded = target[:, :, 2] == VISIBLE, target[:, :, 2] == OCCLUDED
        counted = (near & visible, nearer & visible, visible, near & occluded, occluded)
        return torch.stack([where.sum() for where in counted])

    def columns(self, tally: list[int], examples: int) -> dict[str, float]:
        """`error_percent`: 100 - PCK of visible joints; `strict_error_percent`: at half the fraction;
        `occluded_error_percent`: of occluded joints (0 if there are none)."""
        near, nearer, visible, guessed, occluded = tally
        return {
            "error_percent": 100 * (visible - near) / max(visible, 1),
            "strict_error_percent": 100 * (visible - nearer) / max(visible, 1),
            "occluded_error_percent": 100 * (occluded - guessed) / max(occluded, 1),
        }

    def on_map(self, target: Tensor, width: int) -> Tensor:
        """Joints in pixels of a heat map of this width, (batch, joints, 2)."""
        return (target[:, :, :2] + 0.5) * (width / self.size[1]) - 0.5


def gaussians(joints: Tensor, size: Sequence[int], sigma: float) -> Tensor:
    """exp(-d^2 / (2 sigma^2)) at distance d from each joint.

    Args:
        joints: (batch, joints, 2), x and y in pixels.
        size: height and width of the maps.
    Returns:
        (batch, joints, *size).
    """
    columns, rows = (torch.arange(side, device=joints.device) for side in reversed(size))
    x = (columns - joints[:, :, :1]) / sigma
    y = (rows - joints[:, :, 1:]) / sigma
    return (-y.square() / 2).exp().unsqueeze(3) * (-x.square() / 2).exp().unsqueeze(2)


def peaks(maps: Tensor) -> Tensor:
    """The pixel of the largest value, a quarter of a pixel towards its larger neighbour along each axis.

    Args:
        maps: (batch, joints, height, width).
    Returns:
        x and y in pixels, (batch, joints, 2), float32; pixels at a map's edge stay where they are.
    Source: princeton-vl/pose-hg-train, src/util/pose.lua, postprocess.
    """
    height, width = maps.shape[-2:]
    flat = maps.float().flatten(2)
    best = flat.argmax(2)
    y, x = best // width, best % width
    inner = (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)

    def slope(step: int) -> Tensor:
        beside = [(best + sign * step).clamp(0, height * width - 1).unsqueeze(2) for sign in (1, -1)]
        after, before = (flat.gather(2, index).squeeze(2) for index in beside)
        return 0.25 * (after - before).sign() * inner

    return torch.stack([x + slope(1), y + slope(width)], 2)
