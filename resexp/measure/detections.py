"""Detected objects against labelled boxes: recall and average precision by size, time per image."""

import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from resexp.measure.run import Run

THRESHOLDS = tuple(np.arange(10, 20) / 20)  # of overlap, 0.5 to 0.95: those of COCO
CANDIDATES = 10  # times as many are looked at as are kept
SIZES = ("small", "medium", "large")


@torch.no_grad()
def trained(
    run: Run, *, detections: int, overlap: float, bounds: Sequence[float], images: int, shown: float
) -> dict[str, pd.DataFrame]:
    """Detections in every test image.

    Args:
        run: of a network that predicts boxes, see resexp.models.pyramid.Pyramid.
        detections: of an image, at most.
        overlap: above which the better of two detections of one class drops the other (non-maximum
            suppression).
        bounds: between small, medium and large: the root of an object's share of the image's area.
        images: test images that are kept for a figure, the first ones, of the run with seed 0.
        shown: least score of the detections that are kept for it.
    Returns:
        `scores`: size (all, small, medium, large), objects, recall (at an overlap of 0.5), average_recall
        (mean over overlaps of 0.5, 0.55, ..., 0.95), average_precision (at 0.5, mean over classes),
        milliseconds_per_image (one at a time, median; of the network alone); `pictures`: picture, kind
        (image, labelled, found), row, values: of an image the grey values of a row, else class, x, y, width,
        height in pixels (and the score), separated by blanks.
    Raises:
        ValueError: the network does not predict boxes.
    Source: Lin et al. 2017 (arXiv:1612.03144), section 5.1, and COCO's measures. Departures: recall counts
    objects of the right class, the paper's any proposal; 10 detections an image, not 1,000.
    """
    network = run.network()
    if getattr(network, "kind", None) != "boxes":
        raise ValueError(
            "measure=detections needs a network that predicts boxes: train one with model=pyramid"
        )
    found, there, kept = [], [], []
    for x, y in run.batches("test", 8):
        for image, predicted, target in zip(x, network(x).float().cpu(), y.cpu(), strict=True):
            found.append(best(predicted, detections, overlap))
            there.append(target[target[:, 3] > 0])
            if len(kept) < images and not run.config.get("seed"):
                kept.append(_picture(len(kept), image, found[-1], there[-1], shown))
    took = milliseconds(network, run.examples("test", 20)[0])
    rows = [
        {"size": name, **scores(found, there, limits), "milliseconds_per_image": took}
        for name, limits in by_size(bounds).items()
    ]
    return {"scores": pd.DataFrame(rows)} | ({"pictures": pd.concat(kept)} if kept else {})


def by_size(bounds: Sequence[float]) -> dict[str, tuple[float, float]]:
    """Name -> least size, and the size that is too large."""
    edges = (0.0, *bounds, float("inf"))
    return {"all": (0.0, float("inf"))} | dict(zip(SIZES, pairwise(edges), strict=True))


def best(predicted: Tensor, detections: int, overlap: float) -> Tensor:
    """The best detections of an image, in order: (detections, 6): class, score, x, y, width, height."""
    from torchvision.ops import batched_nms, box_convert

    scores = predicted[:-10].sigmoid()
    values, index = scores.flatten().topk(min(CANDIDATES * detections, scores.numel()))
    kinds, boxes = index // scores.shape[1], predicted[-10:-6].T[index % scores.shape[1]]
    kept = batched_nms(box_convert(boxes, "cxcywh", "xyxy"), values, kinds, overlap)[:detections]
    return torch.cat([kinds[kept, None], values[kept, None], boxes[kept]], 1)


def scores(found: list[Tensor], there: list[Tensor], bounds: tuple[float, float]) -> dict[str, float]:
    """Over all images, of the objects within the bounds of size."""
    sizes = [(y[:, 3] * y[:, 4]).sqrt() for y in there]
    counted = [((s >= bounds[0]) & (s < bounds[1])).numpy() for s in sizes]
    objects = int(sum(c.sum() for c in counted))
    recalls, ranked = [], []
    for threshold in THRESHOLDS:
        matched = [match(x, y, threshold) for x, y in zip(found, there, strict=True)]
        hits = sum(int(c[m[m >= 0]].sum()) for m, c in zip(matched, counted, strict=True))
        recalls.append(hits / objects if objects else float("nan"))
        ranked = ranked or matched  # of the first threshold, 0.5
    precisions = []
    for kind in sorted({int(k) for y in there for k in y[:, 0]}):
        marks, total = [], 0
        for x, y, m, c in zip(found, there, ranked, counted, strict=True):
            marks += _marks(x, m, c, kind, bounds)
            total += int(c[(y[:, 0] == kind).numpy()].sum())
        if total:
            precisions.append(average_precision(marks, total))
    return {
        "objects": objects,
        "recall": recalls[0],
        "average_recall": float(np.mean(recalls)),
        "average_precision": float(np.mean(precisions)) if precisions else float("nan"),
    }


def match(found: Tensor, there: Tensor, threshold: float) -> np.ndarray:
    """The object of each detection, -1: none.

    The best detection first takes the object of its class that it overlaps most among those left, if by the
    threshold or more.
    """
    from torchvision.ops import box_convert, box_iou

    boxes, objects = (box_convert(b, "cxcywh", "xyxy") for b in (found[:, 2:], there[:, 1:]))
    overlap = box_iou(boxes, objects).numpy()
    overlap = np.where((found[:, :1] == there[:, 0]).numpy(), overlap, -1.0)
    taken = np.full(len(found), -1)
    for index, row in enumerate(overlap):
        if len(row) and row.max() >= threshold:
            taken[index] = row.argmax()
            overlap[:, taken[index]] = -1
    return taken


def _marks(
    found: Tensor, matched: np.ndarray, counted: np.ndarray, kind: int, bounds: tuple[float, float]
) -> list[tuple[float, bool]]:
    """Score and success of each detection of a class that counts.

    Of the detections, as in COCO, those count that found an object within the bounds, and those that found
    none and are themselves within them.
    """
    sizes = (found[:, 4] * found[:, 5]).sqrt().numpy()
    marks = []
    for row, size, taken in zip(found, sizes, matched, strict=True):
        inside = counted[taken] if taken >= 0 else bounds[0] <= size < bounds[1]
        if int(row[0]) == kind and inside:
            marks.append((float(row[1]), bool(taken >= 0)))
    return marks


def average_precision(marks: list[tuple[float, bool]], objects: int) -> float:
    """Area under precision over recall, precision made to fall (Pascal VOC 2010 and later).

    Args:
        marks: score, and whether an object was found, of each detection.
        objects: that are there.
    """
    hits = np.array([hit for _, hit in sorted(marks, key=lambda mark: -mark[0])], dtype=float)
    right = hits.cumsum()
    precision = right / np.arange(1, len(hits) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float((falling * hits).sum() / objects)


def milliseconds(network: nn.Module, x: Tensor) -> float:
    """Median time of one image; the first one warms up."""
    took = []
    for image in x.split(1):
        started = time.perf_counter()
        network(image).cpu()  # waits for the device
        took.append(1000 * (time.perf_counter() - started))
    return float(np.median(took[1:] or took))


def _picture(index: int, image: Tensor, found: Tensor, there: Tensor, shown: float) -> pd.DataFrame:
    """An image, what is labelled in it and what was found, row by row; grey values from 0 to 255."""
    grey = image.float().mean(0).cpu().numpy()
    low, high = np.percentile(grey, (0.5, 99.5))
    lines = (255 * ((grey - low) / (high - low)).clip(0, 1)).astype(int).tolist()
    rows = [("image", y, " ".join(map(str, line))) for y, line in enumerate(lines)]
    height, width = grey.shape
    scale = np.array([width, height, width, height])
    for y, (kind, *box) in enumerate(there.tolist()):
        rows.append(("labelled", y, _text(kind, scale * box)))
    for y, (kind, score, *box) in enumerate(found[found[:, 1] >= shown].tolist()):
        rows.append(("found", y, f"{_text(kind, scale * box)} {score:.3f}"))
    return pd.DataFrame([(index, *row) for row in rows], columns=["picture", "kind", "row", "values"])


def _text(kind: float, box: np.ndarray) -> str:
    return f"{int(kind)} " + " ".join(f"{value:.1f}" for value in box)
