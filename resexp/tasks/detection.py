"""Detection: classes and boxes of objects, predicted at many places."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

CANDIDATES = 10  # times as many are looked at as are kept


class Detection:
    """Focal loss of the classes at all anchors, relative error of the boxes at an object's anchors; recall.

    Outputs: (batch, classes + 10, anchors), see resexp.models.pyramid.Pyramid. Targets: (batch, objects, 5):
    class, x and y of the centre, width and height, as shares of the image; without an area: no object.

    An object's anchors are those of the size nearest to its own (the square root of the area, in octaves)
    whose cell lies within one cell of its centre along both axes: up to four. Where two objects want the
    same anchor it gets the smaller one's box, and both classes. Classes of all other anchors are absent.

    Args:
        sizes: bounds between small, medium and large: the root of an object's share of the image's area.
        detections: that an image may have, of which recall is counted.
        overlap: intersection over union from which an object is found, and above which the better of two
            detections of the same class drops the other.
        box_weight: of the boxes' loss.
    Raises:
        ValueError: bounds that are not two increasing numbers, or another number out of range.
    Source: Lin et al. 2017 (arXiv:1612.03144), section 4: an anchor size for each level. Departures: classes
    instead of objectness, and the focal loss (Lin et al. 2017b, arXiv:1708.02002, eq. 5, gamma 2, alpha 0.25)
    instead of sampled anchors, as in that paper; anchors are assigned by place instead of overlap.
    """

    tallies, kind = 7, "boxes"

    def __init__(self, sizes: Sequence[float], detections: int, overlap: float, box_weight: float):
        if len(sizes) != 2 or not 0 < sizes[0] < sizes[1]:
            raise ValueError(f"task.sizes must be two increasing shares of a side, got {list(sizes)}")
        if detections < 1 or not 0 < overlap < 1 or not box_weight >= 0:
            raise ValueError(
                "task.detections must be at least 1, task.overlap between 0 and 1, task.box_weight at"
                f" least 0, got {detections}, {overlap} and {box_weight}"
            )
        self.sizes, self.detections, self.overlap = list(sizes), detections, overlap
        self.box_weight = box_weight

    def loss(self, output: Tensor, target: Tensor, *, reduction: Literal["mean", "sum"] = "mean") -> Tensor:
        """Of an image: sums over anchors, divided by the number of its objects' anchors (at least 1)."""
        output = output.float()
        logits, boxes = output[:, :-10], output[:, -10:-6]
        mine = assigned(output[:, -6:], target)  # (batch, objects, anchors)
        kinds = F.one_hot(target[..., 0].long(), logits.shape[1]).float()
        there = torch.einsum("bnk,bna->bka", kinds, mine.float()).clamp(max=1)
        positive = mine.any(1)
        smallest = torch.where(mine, area(target[..., 1:]).unsqueeze(2), torch.inf).argmin(1)
        wanted = target[..., 1:].gather(1, smallest.unsqueeze(2).expand(-1, -1, 4)).transpose(1, 2)
        wanted = torch.where(positive.unsqueeze(1), wanted, 1.0)  # any: they do not count
        errors = (relative_error(boxes, wanted) * positive).sum(1)
        each = focal(logits, there).sum((1, 2)) + self.box_weight * errors
        each = each / positive.sum(1).clamp(min=1)
        return each.mean() if reduction == "mean" else each.sum()

    def tally(self, output: Tensor, target: Tensor) -> Tensor:
        """Objects and found ones, of small, medium and large ones; and images; shape (7,).

        Detections are the best predictions that none better overlaps; here a dropped one drops others, too,
        so that all are dropped at once (as in Bolya et al. 2019, section 3.3).
        """
        kinds, boxes = self.best(output.float())
        hit = overlaps(target[..., 1:], boxes) >= self.overlap
        hit &= target[..., :1] == kinds.unsqueeze(1)
        found = hit.any(2)
        size = area(target[..., 1:]).sqrt()
        which = sum((size >= bound).long() for bound in self.sizes)
        counts = []
        for index in range(3):
            mine = (which == index) & (size > 0)
            counts += [mine.sum(), (mine & found).sum()]
        return torch.stack([*counts, torch.full_like(counts[0], len(target))])

    def best(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """Classes (batch, detections), -1 where there are fewer, and boxes (batch, detections, 4)."""
        logits, boxes = output[:, :-10], output[:, -10:-6]
        count = min(CANDIDATES * self.detections, logits[0].numel())
        scores, index = logits.flatten(1).topk(count)
        kinds, places = index // logits.shape[2], index % logits.shape[2]
        boxes = boxes.transpose(1, 2).gather(1, places.unsqueeze(2).expand(-1, -1, 4))
        alike = (overlaps(boxes, boxes) > self.overlap) & (kinds.unsqueeze(1) == kinds.unsqueeze(2))
        dropped = alike.triu(1).any(1)
        kept = scores.masked_fill(dropped, -torch.inf).topk(min(self.detections, count))
        kinds = kinds.gather(1, kept.indices).masked_fill(kept.values.isinf(), -1)
        return kinds, boxes.gather(1, kept.indices.unsqueeze(2).expand(-1, -1, 4))

    def columns(self, tally: list[int], examples: int) -> dict[str, float]:
        """`error_percent`: objects not found; `recall`, `recall_small`, `_medium`, `_large` (nan: none)."""
        there, found = sum(tally[0:6:2]), sum(tally[1:6:2])
        recall = found / there if there else 1.0
        named = {"error_percent": 100 * (1 - recall), "recall": recall}
        for index, size in enumerate(("small", "medium", "large")):
            n, hits = tally[2 * index : 2 * index + 2]
            named[f"recall_{size}"] = hits / n if n else float("nan")
        return named


def assigned(places: Tensor, target: Tensor) -> Tensor:
    """Which anchors belong to which object, (batch, objects, anchors); none to what has no area.

    Args:
        places: (batch, 6, anchors): the anchor's centre, its size, the cell's size.
        target: (batch, objects, 5).
    """
    centre, anchor, cell = (part.unsqueeze(1) for part in places.split(2, 1))
    near = ((target[..., 1:3].unsqueeze(3) - centre).abs() < cell).all(2)
    size = area(target[..., 1:]).clamp(min=1e-12).log2().unsqueeze(2)
    away = (anchor[:, :, 0] * anchor[:, :, 1]).log2().sub(size).abs()
    fits = away <= away.amin(2, keepdim=True) + 1e-4
    return near & fits & (area(target[..., 1:]) > 0).unsqueeze(2)


def area(boxes: Tensor) -> Tensor:
    """(..., 4) -> (...)."""
    return boxes[..., 2] * boxes[..., 3]


def relative_error(boxes: Tensor, wanted: Tensor) -> Tensor:
    """Smooth L1 of displacement over size and of log size: (batch, 4, anchors) -> (batch, anchors)."""
    moved = (boxes[:, :2] - wanted[:, :2]) / wanted[:, 2:]
    scaled = (boxes[:, 2:] / wanted[:, 2:]).log()
    parts = torch.cat([moved, scaled], 1)
    return F.smooth_l1_loss(parts, torch.zeros_like(parts), beta=0.1, reduction="none").sum(1)


def focal(logits: Tensor, there: Tensor) -> Tensor:
    """Focal loss, gamma 2, alpha 0.25, of each logit."""
    p = logits.sigmoid()
    right = torch.where(there > 0, p, 1 - p)
    alpha = torch.where(there > 0, 0.25, 0.75)
    return alpha * (1 - right) ** 2 * F.binary_cross_entropy_with_logits(logits, there, reduction="none")


def overlaps(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union: (batch, n, 4) and (batch, m, 4) -> (batch, n, m)."""
    low, high = (
        [(boxes[..., :2] + sign * boxes[..., 2:] / 2).unsqueeze(axis) for boxes, axis in ((a, 2), (b, 1))]
        for sign in (-1, 1)
    )
    sides = (torch.minimum(*high) - torch.maximum(*low)).clamp(min=0)
    both = sides[..., 0] * sides[..., 1]
    either = area(a).unsqueeze(2) + area(b).unsqueeze(1) - both
    return both / either.clamp(min=1e-12)
