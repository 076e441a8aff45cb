"""Segmented objects against labelled instances: F1, boundary error, pictures (UDL figure 11.10)."""

import numpy as np
import pandas as pd
import torch

from resexp.measure.run import Run
from resexp.measure.whole import whole

LEAST_PIXELS = 10  # smaller regions are noise


def regions(inside: np.ndarray) -> np.ndarray:
    """Connected regions (neighbours along axes) numbered from 1; those of fewer than ten pixels are dropped.

    Raises:
        ValueError: scipy is not installed.
    """
    try:
        from scipy import ndimage
    except ImportError as error:
        raise ValueError("measure=segments needs scipy: pip install 'resexp[segmentation]'") from error
    found, _ = ndimage.label(inside)
    sizes = np.bincount(found.ravel())
    return found * (sizes >= LEAST_PIXELS)[found]


def overlaps(found: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Intersection over union of each found region with each instance, (regions, instances)."""
    a, b = (np.unique(x, return_inverse=True)[1].reshape(-1) for x in (_with_zero(found), _with_zero(there)))
    both = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(both, (a[1:], b[1:]), 1)
    either = both.sum(1, keepdims=True) + both.sum(0, keepdims=True) - both
    return (both / either.clip(1))[1:, 1:]


def matches(found: np.ndarray, there: np.ndarray, threshold: float) -> tuple[int, int, int]:
    """Matched, found and labelled objects; matched: overlap above the threshold, from 0.5 on at most one."""
    overlap = overlaps(found, there)
    return int((overlap > threshold).sum()), *overlap.shape


def boundary_distance(found: np.ndarray, there: np.ndarray) -> float:
    """Mean distance in pixels between the boundaries of two foregrounds, both ways; nan if one has none."""
    from scipy import ndimage

    edges = [inside & ~ndimage.binary_erosion(inside) for inside in (found > 0, there > 0)]
    if not all(edge.any() for edge in edges):
        return float("nan")
    to = [ndimage.distance_transform_edt(~edge) for edge in edges]
    return float((to[1][edges[0]].mean() + to[0][edges[1]].mean()) / 2)


@torch.no_grad()
def trained(
    run: Run, *, threshold: float, pictures: int, side: int, batch_size: int, tile: int | None
) -> dict[str, pd.DataFrame]:
    """Objects of every test image.

    Args:
        run: of a segmentation network.
        threshold: overlap that a match must exceed, from 0.5 on.
        pictures: test images that are kept for a figure, of the run with seed 0: those with most
            instances in the part that is kept.
        side: of that part, the square with most instances, pixels.
        batch_size: images at a time.
        tile: side of the tiles in which an image is predicted, pixels; None: all at once.
    Returns:
        `objects`: split, matched, found, there, precision, recall, f1 (of objects, over all test images),
        boundary_error (pixels, mean over images with both boundaries); `pictures`: picture, kind (image,
        labels, found), row, values (of the row's pixels, separated by blanks), one table per case.
    Raises:
        ValueError: a threshold below 0.5.
    Source: F1 at 0.5 as of Caicedo et al. 2019 (Data Science Bowl 2018). Departures: objects are connected
    regions of the foreground, of at least ten pixels; the boundary error is that of the foreground.
    """
    if threshold < 0.5:
        raise ValueError(f"measure.threshold must be at least 0.5, got {threshold}")
    network, totals, errors, kept = run.network(), np.zeros(3, dtype=int), [], []
    for x, y in run.batches("test", batch_size):
        inside = whole(network, x, tile).argmax(1).cpu().numpy() > 0
        for image, predicted, labels in zip(
            x.cpu().numpy(), inside, y[:, 2].long().cpu().numpy(), strict=True
        ):
            found = regions(predicted)
            totals += matches(found, labels, threshold)
            errors.append(boundary_distance(found, labels))
            if not run.config.get("seed"):
                part = fullest(labels, side)
                kept.append((image[0][part], labels[part], found[part]))
                kept = sorted(kept, key=lambda parts: -len(np.unique(parts[1])))[:pictures]
    matched, found, there = totals.tolist()
    row = {"split": "test", "matched": matched, "found": found, "there": there}
    row |= {
        "precision": matched / max(found, 1),
        "recall": matched / there,
        "f1": 2 * matched / (found + there),
    }
    tables = {"objects": pd.DataFrame([row | {"boundary_error": float(np.nanmean(errors))}])}
    if kept:
        tables["pictures"] = pd.concat(_picture(i, *parts) for i, parts in enumerate(kept))
    return tables


def _picture(index: int, image: np.ndarray, labels: np.ndarray, found: np.ndarray) -> pd.DataFrame:
    """Row by row; grey values from 0 to 255."""
    low, high = np.percentile(image, (1, 99.5))
    grey = (255 * ((image - low) / (high - low)).clip(0, 1)).astype(int)
    rows = [
        {"picture": index, "kind": kind, "row": y, "values": " ".join(map(str, line))}
        for kind, array in (("image", grey), ("labels", labels), ("found", found))
        for y, line in enumerate(array.tolist())
    ]
    return pd.DataFrame(rows)


def fullest(labels: np.ndarray, side: int) -> tuple[slice, slice]:
    """The square of an image that holds most instances; of equal ones the upper left.

    Args:
        labels: instance numbers, 0 for the background, (height, width).
        side: of the square, pixels; a smaller image is taken whole. Squares overlap by half.
    """
    corners = [range(0, max(length - side, 0) + 1, max(side // 2, 1)) for length in labels.shape]
    squares = [(slice(y, y + side), slice(x, x + side)) for y in corners[0] for x in corners[1]]
    return max(squares, key=lambda square: len(np.unique(labels[square])))


def _with_zero(x: np.ndarray) -> np.ndarray:
    """Flat, with a 0 in front, so that the background is there and comes first."""
    return np.concatenate([[0], x.ravel()])
