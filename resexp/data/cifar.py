"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): found in any common file format, verified, or fetched."""

import hashlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from resexp.data.cache import cached
from resexp.data.checksums import contents_checksum
from resexp.data.cifar_files import ARCHIVES, BATCHES, UNPACKED, from_batches, read_archive, read_npz
from resexp.data.class_folders import files_fingerprint, find
from resexp.data.dataset import Dataset, check_classes, existing
from resexp.data.fetch import fetch

TRAIN, TEST = 50_000, 10_000
# Checksums of the official images and labels (train, test), invariant to order: see contents_checksum.
CONTENTS = {
    10: (
        "870c6fc77df2f21f7727852778cb5aad28f72837a7210f04bcc3e826de5cf63d",
        "7bb57daaae1f43b8733692a201fd516a6d1c89233ba8b198a9c0c6906a2281aa",
    ),
}


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
        return [root], partial(read_npz, root)
    for folder in (root, root / f"cifar{num_classes}"):
        for unpacked in (folder, folder / UNPACKED[num_classes]):
            files = [unpacked / name for name in BATCHES[num_classes]]
            if any(file.is_file() for file in files):
                return _found_batches(files, num_classes)
        archive = folder / ARCHIVES[num_classes][0]
        if archive.is_file():
            return [archive], partial(read_archive, archive, num_classes)
        if (folder / "train").is_dir() and (folder / "test").is_dir():
            return find(folder, num_classes, (32, 32))
        arrays = folder / f"cifar{num_classes}.npz"
        if arrays.is_file():
            return [arrays], partial(read_npz, arrays)
    return None


def _found_batches(files: list[Path], num_classes: int) -> Found:
    for file in files:
        if not file.is_file():
            raise ValueError(f"{file.name} is missing in {file.parent}; extract the archive again")

    def read() -> Dataset:
        return from_batches({f.name: f.read_bytes() for f in files}, files[0].parent, num_classes)

    return files, read


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
