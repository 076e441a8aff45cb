"""Segmentation: a class for every pixel or voxel."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


class Segmentation:
    """Cross-entropy per pixel, weighted; pixel error and intersection over union.

    Outputs: logits (batch, classes, *size). Targets: planes (batch, planes, *larger) of which the first is
    the class and the second an additional weight; they are cropped to the output's size about their centre.

    Args:
        class_weights: of each class; none: 1 for all.
        border: whether the targets' additional weights count.
    Source: Ronneberger et al. 2015 (arXiv:1505.04597), eqs. 1 and 2. Departure: the loss is the mean over
    pixels, not the sum, and is not divided by the sum of the weights.
    """

    tallies, kind = 4, "planes"

    def __init__(self, class_weights: Sequence[float] = (), border: bool = True):
        self.class_weights, self.border = list(class_weights), border

    def loss(self, output: Tensor, target: Tensor, *, reduction: Literal["mean", "sum"] = "mean") -> Tensor:
        """Weighted cross-entropy, nats: mean over pixels; over examples mean or sum."""
        target = centre(target, output.shape[2:])
        classes = target[:, 0].long()
        losses = F.cross_entropy(output.float(), classes, reduction="none")
        weights = torch.ones_like(losses)
        if self.class_weights:
            if len(self.class_weights) != output.shape[1]:
                raise ValueError(
                    f"task.class_weights must have {output.shape[1]} numbers, got {len(self.class_weights)}"
                )
            weights = sum(w * (classes == k) for k, w in enumerate(self.class_weights))
        if self.border:
            weights = weights + target[:, 1]
        each = (weights * losses).flatten(1).mean(1)
        return each.mean() if reduction == "mean" else each.sum()

    def tally(self, output: Tensor, target: Tensor) -> Tensor:
        """Wrong pixels, pixels, intersection and union of the foreground; shape (4,)."""
        classes = centre(target, output.shape[2:])[:, 0].long()
        predicted = output.argmax(1)
        found, there = predicted > 0, classes > 0
        right = found & (predicted == classes)
        wrong = (predicted != classes).sum()
        pixels = torch.full_like(wrong, classes.numel())
        return torch.stack([wrong, pixels, right.sum(), (found | there).sum()])

    def columns(self, tally: list[int], examples: int) -> dict[str, float]:
        """`error_percent`: wrong pixels; `iou`: of the foreground (1 if both are empty)."""
        wrong, pixels, both, either = tally
        return {"error_percent": 100 * wrong / pixels, "iou": both / either if either else 1.0}


def centre(x: Tensor, size: Sequence[int]) -> Tensor:
    """The middle of (batch, channels, *larger), of the given size; the first pixel more where it is odd."""
    for axis, wanted in enumerate(size, start=2):
        x = x.narrow(axis, (x.shape[axis] - wanted) // 2, wanted)
    return x
