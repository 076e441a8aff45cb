"""Image folders loaded during training: ImageNet, or any dataset with the same layout."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from resexp.data.cache import remembered
from resexp.data.class_folders import class_folders, files_fingerprint, passed_over
from resexp.data.images import check_headers
from resexp.data.streaming import MEAN, STD, StreamedBatches, StreamedSplit

CPU = torch.device("cpu")


@dataclass(frozen=True)
class ImageFolders:
    """The image files of a training and a test split; see resexp.data.source.Source.

    Args:
        train, test: (file, class index) pairs.
        size: side of the network's square input, pixels.
        resize: shorter side of test images before the center crop, pixels.
        workers: loading processes.
        device: of the batches.
        remarks: what a person should know of the files.
        shard: (k, n): of each batch part k of n, and of a split's batches every nth from k on.
    """

    train: tuple[tuple[Path, int], ...]
    test: tuple[tuple[Path, int], ...]
    size: int
    resize: int
    workers: int
    device: torch.device = CPU
    remarks: tuple[str, ...] = ()
    shard: tuple[int, int] = (0, 1)

    in_memory, evaluation_batch, kind, crops = False, None, "class", False
    split_names = ("test",)

    @property
    def examples(self) -> int:
        return len(self.train)

    @property
    def shape(self) -> tuple[int, int, int]:
        return 3, self.size, self.size

    def blank(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A training batch of zeros."""
        return torch.zeros(count, *self.shape), torch.zeros(count, dtype=torch.int64)

    @property
    def classes(self) -> int:
        return 1 + max(label for _, label in self.train)

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the files of both splits; see files_fingerprint."""
        files = [file for file, _ in (*self.train, *self.test)]
        return files_fingerprint(Path(os.path.commonpath(files)), files)

    def to(self, device: torch.device) -> "ImageFolders":
        """A copy with batches on another device."""
        return replace(self, device=device)

    def sharded(self, rank: int, size: int) -> "ImageFolders":
        """A copy with the batches of one of `size` processes that train a network together."""
        return replace(self, shard=(rank, size))

    def holding_out(self, size: int) -> "ImageFolders":
        """Return self; holding out is not supported.

        Raises:
            ValueError: size is not 0.
        """
        if size:
            raise ValueError("dataset=imagefolder has no validation split: leave dataset.val_size at 0")
        return self

    def normalized(self, normalization: Callable) -> "ImageFolders":
        """The same: files are always normalized by ImageNet's statistics.

        Raises:
            ValueError: other statistics were asked for.
        """
        asked = getattr(normalization, "keywords", {})
        if asked and (tuple(asked["mean"]), tuple(asked["std"])) != (MEAN, STD):
            raise ValueError(
                "dataset=imagefolder is normalized by ImageNet's statistics: leave out normalization=..."
            )
        return self

    def batches(self, batch_size: int, *, crop_padding: int, flip: bool, seed: int) -> StreamedBatches:
        """Batches with the standard augmentation, applied while loading, and no other."""
        return StreamedBatches(self, batch_size=batch_size, seed=seed)

    def split(self, name: str, batch_size: int) -> StreamedSplit:
        """A split with its images resized and center-cropped."""
        return StreamedSplit(self, {"train": self.train, "test": self.test}[name], batch_size)


def load(root: str, *, num_classes: int, size: int, resize: int, workers: int) -> ImageFolders:
    """Find `train/<class>/**` and `val/<class>/**` (or `test`); classes in alphabetical order.

    Files are those that torchvision's ImageFolder takes, without hidden ones. The header of each is read
    once; that they are good is remembered until a name or a size changes.

    Raises:
        ValueError: a size below 1; missing folders; number of classes differs from num_classes; a class
            without images; the two splits have different classes; or a file that is no image.
    """
    for key, value, least in (("size", size, 1), ("resize", resize, 1), ("workers", workers, 0)):
        if value < least:
            raise ValueError(f"dataset.load.{key} must be at least {least}, got {value}")
    base = Path(root).expanduser()
    splits = _splits(base)
    second = list(splits)[1]
    odd = sorted(set(splits["train"]) ^ set(splits[second]))
    if odd:
        raise ValueError(f"{base}: train and {second} have different classes: {', '.join(odd[:5])}")
    for split, classes in splits.items():
        if empty := [name for name, files in classes.items() if not files]:
            raise ValueError(
                f"{base / split / empty[0]} contains no images: remove the folder if it is no class"
            )
    if len(splits["train"]) != num_classes:
        found = len(splits["train"])
        raise ValueError(f"{base / 'train'} has {found} classes; set dataset.num_classes={found}")
    train, test = (
        tuple((file, label) for label, files in enumerate(classes.values()) for file in files)
        for classes in splits.values()
    )
    others = sum(passed_over(base / split) for split in splits)
    said = f"{base}: {others:,} files are passed over: no images, hidden, or in no class's folder"
    images = ImageFolders(train, test, size, resize, workers, remarks=(said,) if others else ())
    files = [file for file, _ in (*train, *test)]
    remembered(base, f"headers-{files_fingerprint(base, files)}", lambda: check_headers(files))
    return images


def fingerprint(root: str) -> str:
    """Fingerprint of the image files; see files_fingerprint.

    Raises:
        ValueError: a folder is missing.
    """
    base = Path(root).expanduser()
    classes = [files for split in _splits(base).values() for files in split.values()]
    return files_fingerprint(base, (file for files in classes for file in files))


def _splits(base: Path) -> dict[str, dict[str, list[Path]]]:
    """Split -> class -> image files, for train and val (or test)."""
    second = "val" if (base / "val").is_dir() else "test"
    for split in ("train", second):
        if not (base / split).is_dir():
            raise ValueError(
                f"dataset=imagefolder needs train/<class>/* and val/<class>/* below dataset.root={base};"
                f" {split} is missing"
            )
    return {split: class_folders(base / split) for split in ("train", second)}
