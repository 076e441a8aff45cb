"""Images in class folders."""

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from resexp.data.cache import remembered
from resexp.data.dataset import Dataset
from resexp.data.images import images_below, is_hidden, read_rgb, refuse_irregular

LARGE = 2**30  # bytes whose reading is announced


def find(root: Path, num_classes: int, size: tuple[int, int]) -> tuple[list[Path], Callable[[], Dataset]]:
    """Find `train/<class>/*` and `test/<class>/*`; classes are numbered in alphabetical order.

    Args:
        root: folder that contains train and test.
        num_classes: required number of class folders per split.
        size: required (height, width) of each image, pixels.
    Returns:
        All image files, and a function that decodes them to a Dataset of uint8 images (3, height,
        width).
    Raises:
        ValueError: wrong number of classes, or the classes of train and test differ. The returned
            function raises it for an image that is damaged or has another size.
    """
    train, test = (class_folders(root / split) for split in ("train", "test"))
    for split, classes in (("train", train), ("test", test)):
        if len(classes) != num_classes:
            raise ValueError(f"{root / split} has {len(classes)} class folders instead of {num_classes}")
    if list(train) != list(test):
        odd = sorted(set(train) ^ set(test))
        raise ValueError(f"{root}: train and test have different classes: {', '.join(odd)}")

    def read() -> Dataset:
        return Dataset(*_decode(train, size), *_decode(test, size))

    files = [f for classes in (train, test) for images in classes.values() for f in images]
    return files, read


def class_folders(folder: Path) -> dict[str, list[Path]]:
    """Class name -> image files, in subfolders as well, both sorted."""
    return {name: images_below(folder / name)[0] for name in _class_names(folder)}


def passed_over(folder: Path) -> int:
    """Number of files that class_folders leaves out: those beside the classes, and no images within them."""
    beside = sum(entry.is_file() for entry in os.scandir(folder))
    return beside + sum(images_below(folder / name)[1] for name in _class_names(folder))


def _class_names(folder: Path) -> list[str]:
    return sorted(e.name for e in os.scandir(folder) if e.is_dir() and not is_hidden(e.name))


def files_fingerprint(root: Path, files: Iterable[Path]) -> str:
    """Fingerprint of files: paths relative to `root` and contents; 32 hexadecimal digits.

    It is invariant to moving or copying the whole folder. Contents are read once: the fingerprint is
    remembered until a path, a size or a modification time changes.

    Raises:
        ValueError: one is no regular file.
    """
    found = sorted((file.relative_to(root).as_posix(), file, file.stat()) for file in files)
    for _, file, stat in found:
        refuse_irregular(file, stat.st_mode)
    as_seen = _hash(f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, _, stat in found)

    def read() -> str:
        size = sum(stat.st_size for _, _, stat in found)
        if size >= LARGE:
            print(f"{root}: reading {size / 1e9:.0f} GB once, to tell these files from others", flush=True)
        with ThreadPoolExecutor() as pool:
            digests = pool.map(_digest, (file for _, file, _ in found))
            digests = tqdm(digests, "fingerprint", len(found), leave=False, disable=None)
            return _hash(f"{path} {digest}" for (path, _, _), digest in zip(found, digests, strict=True))

    return remembered(root, f"contents-{as_seen}", read)


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "blake2b").hexdigest()


def _hash(lines: Iterable[str]) -> str:
    text = "\n".join(lines).encode(errors="surrogateescape")  # a file's name may be any bytes
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _decode(classes: dict[str, list[Path]], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    def pixels(path: Path) -> np.ndarray:
        array = np.asarray(read_rgb(path))
        if array.shape[:2] != size:
            raise ValueError(f"{path} is {array.shape[1]}x{array.shape[0]}, not {size[1]}x{size[0]}")
        return array

    files = [f for images in classes.values() for f in images]
    with ThreadPoolExecutor() as pool:
        images = torch.from_numpy(np.stack(list(pool.map(pixels, files, chunksize=256))))
    labels = torch.tensor([i for i, images in enumerate(classes.values()) for _ in images])
    return images.permute(0, 3, 1, 2).contiguous(), labels
