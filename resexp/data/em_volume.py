"""An electron-microscope volume with labelled bodies, cut into cubes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from resexp.data import npz
from resexp.data.dense import Augment, Dense
from resexp.data.instances import planes

FILE = "volume.npz"
Side = int | Sequence[int]  # of a cube, or along z, y and x; voxels
ADVICE = "set dataset.root to an npz with image and labels (dataset=tissue needs no files)"


def load(
    root: str, *, side: Side, test_share: float, augment: Augment, test_side: Side | None = None
) -> Dense:
    """Read `image` (uint8) and `labels` (integers), both (z, y, x), of an npz.

    The last slices are the test volume: no voxel of it is seen in training. Both parts are cut into blocks
    without overlap; what is left at the edges is not used.

    Args:
        root: the npz, or the folder with volume.npz.
        side: of the blocks, voxels: of cubes, or along z, y and x.
        test_share: of the slices, above 0 and below 1.
        augment: of training batches.
        test_side: of the test blocks; None: as in training.
    Raises:
        ValueError: a missing or damaged file, other arrays, or a part smaller than a block.
    """
    path = npz.find(root, FILE, ADVICE)
    image, labels = npz.read(path, ("image", "labels"))
    _check(path, image, labels)
    first = round(len(image) * (1 - test_share))
    train = cubes(image[:first], labels[:first], side)
    test = cubes(image[first:], labels[first:], test_side or side)
    return Dense(*train, *test, augment=augment)


def fingerprint(root: str) -> str:
    """Fingerprint of the file; see files_fingerprint."""
    return npz.fingerprint(npz.find(root, FILE, ADVICE))


def _check(path: Path, image: np.ndarray, labels: np.ndarray) -> None:
    fits = image.ndim == 3 and image.shape == labels.shape and labels.dtype.kind in "iu"
    if not fits or image.dtype != np.uint8:
        raise ValueError(
            f"{path}: image must be uint8 (z, y, x) and labels integers of the same shape, got"
            f" {image.dtype} {image.shape} and {labels.dtype} {labels.shape}"
        )


def cubes(image: np.ndarray, labels: np.ndarray, side: Side) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (blocks, 1, *sides) and their planes.

    Raises:
        ValueError: the volume is smaller than a block.
    """
    sides = [side] * image.ndim if isinstance(side, int) else list(side)
    fits = len(sides) == image.ndim and all(1 <= s <= n for s, n in zip(sides, image.shape, strict=True))
    if not fits:
        raise ValueError(
            f"dataset.load.side and test_side must be a number in 1..{min(image.shape)} for this volume, or"
            f" three within {image.shape}, got {side}"
        )
    counts = [length // s for length, s in zip(image.shape, sides, strict=True)]
    whole = planes(np.unique(labels, return_inverse=True)[1].reshape(labels.shape) + (labels.min() > 0),
                   border_weight=0, border_width=0)  # fmt: skip
    places = [
        tuple(slice(s * at, s * (at + 1)) for s, at in zip(sides, place, strict=True))
        for place in np.ndindex(*counts)
    ]
    x = torch.from_numpy(np.stack([image[place] for place in places])).unsqueeze(1)
    return x, torch.stack([whole[(slice(None), *place)] for place in places])
