"""Heat maps of joints over the images in which they are found (Newell et al. 2016; UDL figure 11.12)."""

from collections.abc import Iterator

import pandas as pd
import torch
from torch import Tensor

from resexp.measure.run import Run


@torch.no_grad()
def trained(run: Run, *, pictures: int) -> dict[str, pd.DataFrame]:
    """The first test images with their joints and the last prediction's heat maps.

    Args:
        run: its network gives heat maps (batch, predictions, joints, height, width).
        pictures: test images.
    Returns:
        `joints`: picture, joint, x, y (pixels of the image, the first pixel's centre at 0), visibility
        (2: visible, 1: occluded, 0: not annotated); `pictures`: picture, kind (image, or joint-<number>),
        row, values (of that row's pixels, separated by blanks): grey values from 0 to 255, or percent of a
        Gaussian's peak, from 0 to 100.
    Raises:
        ValueError: the network gives no heat maps.
    Source: Newell et al. 2016 (arXiv:1603.06937), figure 1's examples; UDL, figure 11.12.
    """
    network = run.network()
    if getattr(network, "kind", "class") != "joints":
        raise ValueError("measure=pose needs a network that gives heat maps: train one with model=hourglass")
    x, y = run.examples("test", pictures)
    maps = (100 * network(x)[:, -1].float()).round().clamp(0, 100)
    joints = [
        (picture, joint, *(round(value, 2) for value in row[:2]), int(row[2]))
        for picture, rows in enumerate(y.tolist())
        for joint, row in enumerate(rows)
    ]
    rows = [line for picture in range(len(x)) for line in _lines(picture, x[picture], maps[picture])]
    return {
        "joints": pd.DataFrame(joints, columns=["picture", "joint", "x", "y", "visibility"]),
        "pictures": pd.DataFrame(rows, columns=["picture", "kind", "row", "values"]),
    }


def _lines(picture: int, image: Tensor, maps: Tensor) -> Iterator[tuple]:
    """A row per line of pixels; images of several channels as their mean."""
    grey = image.float().mean(0)
    low, high = grey.min(), grey.max()
    scaled = (255 * (grey - low) / (high - low + 1e-6)).round()
    kinds = {"image": scaled} | {f"joint-{number}": values for number, values in enumerate(maps)}
    for kind, values in kinds.items():
        for row, line in enumerate(values.int().tolist()):
            yield picture, kind, row, " ".join(map(str, line))
