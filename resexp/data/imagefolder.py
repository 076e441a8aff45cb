"""Large images in folders, read while training: ImageNet, or anything laid out like it."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from resexp.data.batches import check_batch_size, refuse_other_data
from resexp.data.class_folders import class_folders, files_fingerprint

# Of ImageNet's training images, as torchvision has them.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ImageFolders:
    """Image files of two splits.

    Args:
        train, test: (file, class number) pairs.
        size: side of the square that the network receives, pixels.
        resize: shorter side that test images are scaled to before their centre is cut out.
        workers: processes that read.
    """

    train: tuple[tuple[Path, int], ...]
    test: tuple[tuple[Path, int], ...]
    size: int
    resize: int
    workers: int

    @cached_property
    def fingerprint(self) -> str:
        """Of both splits' files; see files_fingerprint."""
        files = [file for file, _ in (*self.train, *self.test)]
        return files_fingerprint(Path(os.path.commonpath(files)), files)


def load(root: str, *, num_classes: int, size: int, resize: int, workers: int) -> ImageFolders:
    """Find `train/<class>/*` and `val/<class>/*` (or `test`); classes in alphabetical order.

    Raises:
        ValueError: no such folders; another number of classes than num_classes; a class without
            images, or classes that only one split has.
    """
    base = Path(root).expanduser()
    splits = _splits(base)
    second = list(splits)[1]
    if len(splits["train"]) != num_classes:
        found = len(splits["train"])
        raise ValueError(f"{base / 'train'} has {found} classes; set dataset.num_classes={found}")
    odd = sorted(set(splits["train"]) ^ set(splits[second]))
    if odd:
        raise ValueError(f"{base}: train and {second} differ in their classes: {', '.join(odd[:5])}")
    for split, classes in splits.items():
        if empty := [name for name, files in classes.items() if not files]:
            raise ValueError(f"{base / split / empty[0]} holds no images")
    train, test = (
        tuple((file, label) for label, files in enumerate(classes.values()) for file in files)
        for classes in splits.values()
    )
    return ImageFolders(train, test, size, resize, workers)


def fingerprint(root: str) -> str:
    """Of the image files: what they are called below `root`, and their sizes. See files_fingerprint.

    Raises:
        ValueError: as load.
    """
    base = Path(root).expanduser()
    classes = [files for split in _splits(base).values() for files in split.values()]
    return files_fingerprint(base, (file for files in classes for file in files))


def _splits(base: Path) -> dict[str, dict[str, list[Path]]]:
    """Split -> class -> image files: the training split and the one to test on."""
    second = "val" if (base / "val").is_dir() else "test"
    for split in ("train", second):
        if not (base / split).is_dir():
            raise ValueError(
                f"dataset=imagefolder needs train/<class>/* and val/<class>/* below dataset.root={base};"
                f" {split} is missing"
            )
    return {split: class_folders(base / split) for split in ("train", second)}


class StreamedBatches:
    """Shuffled batches without end, read and augmented by worker processes.

    Standard augmentation: a random part of the image (8 to 100 % of its area, sides 3:4 to 4:3)
    scaled to the size, mirrored with probability 1/2. What is drawn depends on the seed and on the
    place in the row alone, so a run goes on with the same batches whatever the workers.

    Args:
        images: the training split is read.
        batch_size: examples per batch.
        seed: of the order and of the augmentation.
        device: where batches go.
    Raises:
        ValueError: batch_size is not in 1..examples.
    Source: the crops are those of Szegedy et al. 2015, as in fb.resnet.torch and torchvision.
    Departure from He et al. 2015: they scale the shorter side to 256..480 and add colour.
    """

    def __init__(self, images: ImageFolders, *, batch_size: int, seed: int, device: torch.device):
        check_batch_size(batch_size, len(images.train))
        self.images, self.batch_size, self.seed, self.device = images, batch_size, seed, device
        self.targets = torch.tensor([label for _, label in images.train])
        self.generator = torch.Generator(device)  # draws nothing; a captured step asks for one
        self.position, self.rows = 0, None
        self.x = torch.zeros(batch_size, 3, images.size, images.size, device=device)
        self.y = torch.zeros(batch_size, dtype=torch.int64, device=device)

    def advance(self) -> None:
        """Go to the next batch: copy it to the device."""
        if self.rows is None:
            self.rows = iter(
                DataLoader(
                    _Augmented(self.images),
                    batch_sampler=_Order(len(self.images.train), self.batch_size, self.seed, self.position),
                    num_workers=self.images.workers,
                    pin_memory=self.device.type == "cuda",
                )
            )
        x, y = next(self.rows)
        self.x.copy_(x, non_blocking=True)
        self.y.copy_(y, non_blocking=True)
        self.position += 1

    def batch(self) -> tuple[Tensor, Tensor]:
        """The batch that was gone to."""
        return self.x, self.y

    def state_dict(self) -> dict:
        """Where the row stands; with it the same batches follow again."""
        return {"position": self.position, "data": self.images.fingerprint}

    def load_state_dict(self, state: dict) -> None:
        """Go on from where `state` was taken."""
        refuse_other_data(state, self.images.fingerprint)
        self.position, self.rows = state["position"], None


class TestImages:
    """The test split in batches: shorter side scaled, centre cut out. Can be gone through again."""

    __test__ = False  # pytest: this is no test

    def __init__(self, images: ImageFolders, *, batch_size: int, device: torch.device):
        self.images, self.batch_size, self.device = images, batch_size, device

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        loader = DataLoader(_Centered(self.images), self.batch_size, num_workers=self.images.workers)
        for x, y in loader:
            yield x.to(self.device), y.to(self.device)


class _Order:
    """Batches of (example, seed of its augmentation), epoch after epoch, from a given batch on."""

    def __init__(self, count: int, batch_size: int, seed: int, start: int):
        self.count, self.batch_size, self.seed, self.start = count, batch_size, seed, start

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        place, epoch = self.start * self.batch_size, None
        while True:
            batch = []
            for _ in range(self.batch_size):
                if place // self.count != epoch:
                    epoch = place // self.count
                    generator = torch.Generator().manual_seed(_hash(self.seed, "order", epoch))
                    order = torch.randperm(self.count, generator=generator).tolist()
                batch.append((order[place % self.count], _hash(self.seed, "crop", place)))
                place += 1
            yield batch


class _Augmented(Dataset):
    def __init__(self, images: ImageFolders):
        from torchvision import transforms  # takes seconds; nothing else needs it

        self.files = images.train
        steps = [transforms.RandomResizedCrop(images.size), transforms.RandomHorizontalFlip()]
        self.transform = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        index, seed = key
        file, label = self.files[index]
        with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
            torch.manual_seed(seed)
            return self.transform(_opened(file)), label


class _Centered(Dataset):
    def __init__(self, images: ImageFolders):
        from torchvision import transforms

        self.files = images.test
        steps = [transforms.Resize(images.resize), transforms.CenterCrop(images.size)]
        self.transform = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        file, label = self.files[index]
        return self.transform(_opened(file)), label


def _opened(file: Path):
    from PIL import Image

    try:
        with Image.open(file) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError) as error:  # SyntaxError: what Pillow raises for a broken PNG
        raise ValueError(f"{file} is damaged: {error}") from error


def _hash(*key: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:7])
