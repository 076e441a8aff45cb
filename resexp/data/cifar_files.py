"""Readers of CIFAR's files: the official archive, its batches, and an .npz file."""

import hashlib
import pickle
import tarfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from resexp.data import npz
from resexp.data.dataset import Dataset

# The official archives and their md5 sums (cs.toronto.edu/~kriz/cifar.html).
ARCHIVES = {
    10: ("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
    100: ("cifar-100-python.tar.gz", "eb9058c3a382ffc7106e4002c42a8d85"),
}
BATCHES = {
    10: {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    100: {
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    },
}
UNPACKED = {10: "cifar-10-batches-py", 100: "cifar-100-python"}
NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")


def read_archive(archive: Path, num_classes: int) -> Dataset:
    """Read the official archive; ValueError unless its md5 sum is right."""
    expected = ARCHIVES[num_classes][1]
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != expected:
        raise ValueError(
            f"{archive} is truncated or altered: its md5 is {found} instead of {expected};"
            " delete it to download it again"
        )
    with tarfile.open(archive) as tar:
        raw = {n: tar.extractfile(f"{UNPACKED[num_classes]}/{n}").read() for n in BATCHES[num_classes]}
    return from_batches(raw, archive, num_classes)


def from_batches(raw: dict[str, bytes], where: Path, num_classes: int) -> Dataset:
    """Read the official batches.

    Args:
        raw: file name -> content, in order.
        where: they come from, for messages.
        num_classes: 10 or 100.
    Raises:
        ValueError: the md5 sum of one is wrong.
    """
    labels = "labels" if num_classes == 10 else "fine_labels"
    images, targets = {}, {}
    for name, content in raw.items():
        # Verify before unpickling: a pickle can execute code.
        found = hashlib.md5(content).hexdigest()
        if found != BATCHES[num_classes][name]:
            raise ValueError(
                f"{where}: {name} is truncated or altered: its md5 is {found} instead of"
                f" {BATCHES[num_classes][name]}; extract the archive again"
            )
        batch = pickle.loads(content, encoding="latin1")
        images[name] = torch.from_numpy(batch["data"]).view(-1, 3, 32, 32)
        targets[name] = torch.tensor(batch[labels])
    train = [name for name in raw if not name.startswith("test")]
    test = [name for name in raw if name.startswith("test")]
    return Dataset(
        *(torch.cat([split[n] for n in names]) for names in (train, test) for split in (images, targets))
    )


def read_npz(path: Path) -> Dataset:
    """Read the arrays of an .npz file; ValueError where they are not there, or not images."""
    x_train, y_train, x_test, y_test = npz.read(path, NPZ_KEYS)
    return Dataset(
        _images(path, x_train), torch.from_numpy(y_train.reshape(-1).astype(np.int64)),
        _images(path, x_test), torch.from_numpy(y_test.reshape(-1).astype(np.int64)),
    )  # fmt: skip


def _images(path: Path, array: np.ndarray) -> Tensor:
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1:] not in {(32, 32, 3), (3, 32, 32)}:
        raise ValueError(
            f"{path}: images must be uint8 of shape (n, 32, 32, 3) or (n, 3, 32, 32),"
            f" got {array.dtype} {array.shape}"
        )
    if array.shape[1] != 3:
        array = array.transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(array))
