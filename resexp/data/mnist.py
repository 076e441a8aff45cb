"""MNIST (LeCun et al. 1998) and Fashion-MNIST (Xiao et al. 2017)."""

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from resexp.data.dataset import Dataset, check_classes, existing
from resexp.data.fetch import fetch

# Examples per class (train, test); MNIST is not balanced.
COUNTS = {
    "MNIST": (
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
    ),
    "FashionMNIST": ([6000] * 10, [1000] * 10),
}
# md5 sums of the official files: MNIST decompressed, Fashion-MNIST compressed.
UNPACKED = {
    "MNIST": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
}
PACKED = {
    "FashionMNIST": {
        "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
    },
}
SPLITS = ("train", "t10k")


def load(root: str, *, variant: str, download: bool) -> Dataset:
    """Read the idx files, compressed (.gz) or not, from root or root/<variant>, or their subfolder raw.

    Args:
        root: folder.
        variant: MNIST or FashionMNIST.
        download: download the files if they are missing; their md5 sums are verified.
    Returns:
        60,000 + 10,000 uint8 images of shape (1, 28, 28).
    Raises:
        ValueError: root does not exist, no data was found or downloaded, or a file is damaged or
            belongs to another dataset.
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
    for name, right in UNPACKED.get(variant, {}).items():
        if (found := hashlib.md5(_decompress(folder, name)).hexdigest()) != right:
            raise ValueError(
                f"{folder / name} is not the official {variant}: the md5 of its content, decompressed, is"
                f" {found} instead of {right}; download it again, or select the dataset it belongs to"
            )
    return Dataset(*tensors)


def fingerprint(root: str, *, variant: str) -> str | None:
    """Fingerprint of files that cannot be verified: Fashion-MNIST, unless compressed as published.

    Returns:
        None for data that is verified on reading, and if there is no data.
    Raises:
        ValueError: see load.
    """
    folder = _find(existing(root), variant)
    if folder is None or variant in UNPACKED:
        return None
    official = PACKED.get(variant, {})
    packed = [(folder / f"{name}.gz", right) for name, right in official.items()]
    if official and all(
        path.is_file() and hashlib.md5(path.read_bytes()).hexdigest() == right for path, right in packed
    ):
        return None
    found = hashlib.blake2b(digest_size=16)
    for split in SPLITS:
        for name in (f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"):
            found.update(_decompress(folder, name))
    return found.hexdigest()


def _find(root: Path, variant: str) -> Path | None:
    for folder in (root, root / "raw", root / variant, root / variant / "raw"):
        if list(folder.glob("train-images-idx3-ubyte*")):
            return folder
    return None


def _read(folder: Path, name: str, dims: int) -> Tensor:
    """An idx file: two zero bytes, type 8 (uint8), the number of dimensions, sizes, values."""
    raw = _decompress(folder, name)
    header = 4 + 4 * dims
    sizes = np.frombuffer(raw[4:header].ljust(4 * dims, b"\0"), dtype=">u4").astype(int)
    if raw[:4] != bytes([0, 0, 8, dims]) or len(raw) - header != sizes.prod():
        raise ValueError(f"{folder / name} is truncated or not an idx file with {dims} dimensions")
    array = np.frombuffer(raw, dtype=np.uint8, offset=header).reshape(sizes)
    return torch.from_numpy(array.copy())


def _decompress(folder: Path, name: str) -> bytes:
    path, packed = folder / name, folder / f"{name}.gz"
    try:
        return path.read_bytes() if path.is_file() else gzip.decompress(packed.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"cannot read {folder / name}: {error}") from error


def _download(root: Path, variant: str) -> None:
    try:
        fetch(root, variant, lambda: _find(root, variant) is not None)
    except (OSError, RuntimeError) as error:
        raise ValueError(
            _no_data(root, variant, f" (download failed: {' '.join(str(error).split())})")
        ) from error


def _no_data(root: Path, variant: str, reason: str = "") -> str:
    return (
        f"no {variant} in {root.resolve()}{reason}: set dataset.root or RESEXP_DATA to a folder that"
        " contains its idx files, download it with dataset.download=true (requires internet access),"
        " or use dataset=mnist1d, which needs no files"
    )
