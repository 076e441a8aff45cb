"""MNIST (LeCun et al. 1998) and Fashion-MNIST (Xiao et al. 2017)."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from resexp.data.dataset import Dataset, check_classes, existing
from resexp.data.fetch import fetch

# Examples per class; MNIST is not balanced.
COUNTS = {
    "MNIST": (
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
    ),
    "FashionMNIST": ([6000] * 10, [1000] * 10),
}
SPLITS = ("train", "t10k")


def load(root: str, *, variant: str, download: bool) -> Dataset:
    """Read the idx files, packed (.gz) or not, in root, root/<variant> or a folder raw in these.

    Args:
        root: folder.
        variant: MNIST or FashionMNIST.
        download: fetch the files, checked by their md5 sums, when they are not there.
    Returns:
        60,000 + 10,000 uint8 images of shape (1, 28, 28).
    Raises:
        ValueError: root does not exist, nothing found and nothing fetched, or a file is damaged
            or another dataset's.
    """
    if variant not in COUNTS:
        raise ValueError(f"dataset.load.variant must be one of {', '.join(COUNTS)}, got {variant}")
    base = existing(root)
    folder = _find(base, variant)
    if folder is None and download:
        _download(base, variant)
        folder = _find(base, variant)
    if folder is None:
        raise ValueError(_no_data(base, variant))
    tensors = []
    for split, counts in zip(SPLITS, COUNTS[variant], strict=True):
        images = _read(folder, f"{split}-images-idx3-ubyte", 3).unsqueeze(1)
        targets = _read(folder, f"{split}-labels-idx1-ubyte", 1).long()
        check_classes(f"{folder}: the {split} split of {variant}", targets, counts)
        if len(images) != len(targets):
            raise ValueError(f"{folder}: {split} has {len(images)} images, {len(targets)} labels")
        tensors += [images, targets]
    return Dataset(*tensors)


def _find(root: Path, variant: str) -> Path | None:
    for folder in (root, root / "raw", root / variant, root / variant / "raw"):
        if list(folder.glob("train-images-idx3-ubyte*")):
            return folder
    return None


def _read(folder: Path, name: str, dims: int) -> Tensor:
    """An idx file: two zero bytes, type 8 (uint8), the number of dimensions, sizes, values."""
    path, packed = folder / name, folder / f"{name}.gz"
    try:
        raw = path.read_bytes() if path.is_file() else gzip.decompress(packed.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"cannot read {folder / name}: {error}") from error
    header = 4 + 4 * dims
    sizes = np.frombuffer(raw[4:header].ljust(4 * dims, b"\0"), dtype=">u4").astype(int)
    if raw[:4] != bytes([0, 0, 8, dims]) or len(raw) - header != sizes.prod():
        raise ValueError(f"{folder / name} is truncated or no idx file of {dims} dimensions")
    array = np.frombuffer(raw, dtype=np.uint8, offset=header).reshape(sizes)
    return torch.from_numpy(array.copy())


def _download(root: Path, variant: str) -> None:
    try:
        fetch(root, variant, lambda: _find(root, variant) is not None)
    except (OSError, RuntimeError) as error:
        raise ValueError(
            _no_data(root, variant, f" (fetching it failed: {' '.join(str(error).split())})")
        ) from error


def _no_data(root: Path, variant: str, reason: str = "") -> str:
    return (
        f"no {variant} in {root.resolve()}{reason}: set dataset.root or RESEXP_DATA to a folder that"
        " holds its idx files, allow the download with dataset.download=true on a machine with"
        " internet, or use dataset=mnist1d, which needs no files"
    )
