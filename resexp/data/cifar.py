"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), from any of their common file formats."""

import hashlib
import os
import pickle
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from resexp.data.cache import cached
from resexp.data.checksums import contents_checksum
from resexp.data.class_folders import files_fingerprint, find
from resexp.data.dataset import Dataset, check_classes, existing
from resexp.data.fetch import fetch

TRAIN, TEST = 50_000, 10_000
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
# Checksums of the official images and labels (train, test), invariant to order: see contents_checksum.
CONTENTS = {
    10: (
        "870c6fc77df2f21f7727852778cb5aad28f72837a7210f04bcc3e826de5cf63d",
        "7bb57daaae1f43b8733692a201fd516a6d1c89233ba8b198a9c0c6906a2281aa",
    ),
}
NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")


def load(root: str, *, num_classes: int, download: bool) -> Dataset:
    """Read CIFAR from `root` in any supported format; download the official archive if there is none.

    Formats, in order of preference, in root and in root/cifar10 (cifar100): the extracted batches, the
    archive (tar.gz), class folders `train/<class>/*.png|webp|jpg` and `test/<class>/*`, an .npz file
    with arrays x_train, y_train, x_test, y_test (root itself may be this file).

    Args:
        root: folder or .npz file.
        num_classes: 10 or 100 (the fine labels).
        download: download the archive if nothing is found; its md5 sum is verified.
    Returns:
        50,000 + 10,000 uint8 images of shape (3, 32, 32).
    Raises:
        ValueError: root does not exist, no data was found or downloaded, or the data is damaged,
            incomplete or another dataset; the message names the file and the reason.
    """
    if num_classes not in ARCHIVES:
        raise ValueError(f"CIFAR has 10 or 100 classes, got dataset.num_classes={num_classes}")
    name, base = f"cifar{num_classes}", existing(root)
    found = _find(base, num_classes)
    if found is None and download:
        _download(base, num_classes)
        found = _find(base, num_classes)
    if found is None:
        raise ValueError(_no_data(base, num_classes))
    files, read = found

    def decode() -> Dataset:
        dataset = read()
        _check(dataset, files[0].parent, num_classes)
        return dataset

    return cached(
        base if base.is_dir() else base.parent, name, files, decode, checked=str(CONTENTS.get(num_classes))
    )


def fingerprint(root: str, *, num_classes: int) -> str | None:
    """Fingerprint of data that cannot be verified: class folders or an .npz file of CIFAR-100.

    Returns:
        None for data that is verified against the official archive on reading, and if there is no data.
    Raises:
        ValueError: see load.
    """
    base = existing(root)
    found = _find(base, num_classes)
    if num_classes in CONTENTS or found is None:
        return None
    files = found[0]
    if files[0].suffix == ".npz":
        with files[0].open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
    if len(files) > len(BATCHES[num_classes]):
        return files_fingerprint(Path(os.path.commonpath(files)), files)
    return None


def _check(dataset: Dataset, where: Path, num_classes: int) -> None:
    """Raise ValueError if the number of examples or the examples themselves are not the official ones."""
    for place, (what, inputs, targets, count) in enumerate(
        (
            ("train", dataset.inputs, dataset.targets, TRAIN),
            ("test", dataset.test_inputs, dataset.test_targets, TEST),
        )
    ):
        split = f"{where}: the {what} split of CIFAR-{num_classes}"
        if len(inputs) != len(targets):
            raise ValueError(f"{split} has {len(inputs):,} images and {len(targets):,} labels")
        check_classes(split, targets, [count // num_classes] * num_classes)
        official = CONTENTS.get(num_classes)
        if official and contents_checksum(inputs, targets) != official[place]:
            raise ValueError(
                f"{split} does not contain the official images: some were altered, e.g. by lossy compression,"
                " or have other labels; use the official archive, or dataset=imagefolder for other data"
            )


Found = tuple[list[Path], Callable[[], Dataset]]


def _find(root: Path, num_classes: int) -> Found | None:
    if root.suffix == ".npz" and root.is_file():
        return [root], partial(_read_npz, root)
    for folder in (root, root / f"cifar{num_classes}"):
        for unpacked in (folder, folder / UNPACKED[num_classes]):
            files = [unpacked / name for name in BATCHES[num_classes]]
            if any(file.is_file() for file in files):
                return _found_batches(files, num_classes)
        archive = folder / ARCHIVES[num_classes][0]
        if archive.is_file():
            return [archive], partial(_read_archive, archive, num_classes)
        if (folder / "train").is_dir() and (folder / "test").is_dir():
            return find(folder, num_classes, (32, 32))
        arrays = folder / f"cifar{num_classes}.npz"
        if arrays.is_file():
            return [arrays], partial(_read_npz, arrays)
    return None


def _found_batches(files: list[Path], num_classes: int) -> Found:
    for file in files:
        if not file.is_file():
            raise ValueError(f"{file.name} is missing in {file.parent}; extract the archive again")

    def read() -> Dataset:
        return _from_batches({f.name: f.read_bytes() for f in files}, files[0].parent, num_classes)

    return files, read


def _read_archive(archive: Path, num_classes: int) -> Dataset:
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
    return _from_batches(raw, archive, num_classes)


def _from_batches(raw: dict[str, bytes], where: Path, num_classes: int) -> Dataset:
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


def _read_npz(path: Path) -> Dataset:
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            x_train, y_train, x_test, y_test = (arrays[key] for key in NPZ_KEYS)
    except Exception as error:  # numpy raises various errors for a damaged or foreign file
        raise ValueError(
            f"cannot read {path} ({error}); it must contain the arrays {', '.join(NPZ_KEYS)}"
        ) from error
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


def _download(root: Path, num_classes: int) -> None:
    try:
        fetch(root, f"CIFAR{num_classes}", lambda: _find(root, num_classes) is not None)
    except (OSError, RuntimeError) as error:
        raise ValueError(
            _no_data(root, num_classes, f" (download failed: {' '.join(str(error).split())})")
        ) from error


def _no_data(root: Path, num_classes: int, reason: str = "") -> str:
    return (
        f"no CIFAR-{num_classes} in {root.resolve()}{reason}: set dataset.root or RESEXP_DATA to a folder"
        f" that contains it ({ARCHIVES[num_classes][0]}, its batches, train/<class>/*.png and test/, or"
        f" cifar{num_classes}.npz), download it with dataset.download=true (requires internet"
        " access), or use dataset=mnist1d, which needs no files"
    )
