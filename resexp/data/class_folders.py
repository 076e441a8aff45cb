"""Images in class folders."""

import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from resexp.data.dataset import Dataset
from resexp.data.images import images_below, is_hidden, read_rgb


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
    """Number of files that class_folders leaves out: in its classes, those that are no images."""
    return sum(images_below(folder / name)[1] for name in _class_names(folder))


def _class_names(folder: Path) -> list[str]:
    return sorted(e.name for e in os.scandir(folder) if e.is_dir() and not is_hidden(e.name))


def files_fingerprint(root: Path, files: Iterable[Path]) -> str:
    """Fingerprint of files: paths relative to `root` and sizes; 32 hexadecimal digits.

    It is invariant to moving the whole folder. Changes that keep a file's size are not detected: reading
    all of a large dataset at the start of every run would take too long.
    """
    names = sorted(f"{file.relative_to(root).as_posix()} {file.stat().st_size}" for file in files)
    return hashlib.blake2b("\n".join(names).encode(), digest_size=16).hexdigest()


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
