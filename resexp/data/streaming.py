"""Batches of images that worker processes load during training."""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from resexp.data.batches import check_batch_size, refuse_other_data
from resexp.data.images import read_rgb

# Statistics of ImageNet's training images, as in torchvision.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class StreamedBatches:
    """An endless sampler whose batches are loaded and augmented by worker processes.

    Standard augmentation: a random crop (8 to 100 % of the area, aspect ratio 3:4 to 4:3) resized to
    `size`, flipped with probability 1/2. Random draws depend only on the seed and on the position in the
    sequence, so a resumed run gets the same batches with any number of workers, and the parts of a batch that
    several processes load are those of the batch that one process loads.

    Args:
        images: an ImageFolders; its training split is used, and of each batch its shard.
        batch_size: examples per batch of all shards, which are of equal size.
        seed: of shuffling and augmentation.
    Raises:
        ValueError: batch_size is not in 1..examples.
    Source: the crops are those of Szegedy et al. 2015, as in fb.resnet.torch and torchvision.
    Departure from He et al. 2015: they resize the shorter side to 256..480 and augment colour.
    """

    generators = ()  # none: draws happen in the loading processes

    def __init__(self, images, *, batch_size: int, seed: int):
        check_batch_size(batch_size, images.examples)
        self.images, self.batch_size, self.seed = images, batch_size, seed
        self.examples = images.examples
        self.position, self.reader = 0, None
        rank, shards = images.shard
        part = batch_size // shards
        self.part = slice(rank * part, (rank + 1) * part)
        self.x = torch.zeros(part, 3, images.size, images.size, device=images.device)
        self.y = torch.zeros(part, dtype=torch.int64, device=images.device)

    def advance(self) -> None:
        """Advance to the next batch: copy it to the device."""
        if self.reader is None:
            order = _Order(len(self.images.train), self.batch_size, self.seed, self.position, self.part)
            self.reader = iter(
                DataLoader(
                    _Augmented(self.images),
                    batch_sampler=order,
                    pin_memory=self.images.device.type == "cuda",
                    **_readers(self.images.workers, self.images.device),
                )
            )
        with _file_named():
            x, y = next(self.reader)
        self.x.copy_(x, non_blocking=True)
        self.y.copy_(y, non_blocking=True)
        self.position += 1

    def batch(self) -> tuple[Tensor, Tensor]:
        """The current batch."""
        return self.x, self.y

    def state_dict(self) -> dict:
        """Sampler state; restoring it continues the same sequence of batches."""
        return {"position": self.position, "data": self.images.fingerprint}

    def load_state_dict(self, state: dict) -> None:
        """Restore a sampler state.

        Raises:
            ValueError: it belongs to other data.
        """
        refuse_other_data(state, self.images.fingerprint)
        self.position, self.reader = state["position"], None


class StreamedSplit:
    """A split in batches, resized and center-cropped; can be iterated repeatedly.

    Args:
        images: an ImageFolders; of n shards, shard k has every nth batch from k on.
        files: (file, class index) pairs of the split.
        batch_size: examples per batch.
    """

    def __init__(self, images, files: Sequence[tuple[Path, int]], batch_size: int):
        self.images, self.files, self.batch_size = images, files, batch_size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        (rank, shards), size = self.images.shard, self.batch_size
        files = range(len(self.files))
        batches = [files[start : start + size] for start in files[rank * size :: shards * size]]
        readers = _readers(self.images.workers, self.images.device)
        with _file_named():
            for x, y in DataLoader(_Centered(self.images, self.files), batch_sampler=batches, **readers):
                yield x.to(self.images.device), y.to(self.images.device)


class _Order:
    """Batch sampler: yields a part of each list of (example, augmentation seed), from batch `start` on."""

    def __init__(self, count: int, batch_size: int, seed: int, start: int, part: slice):
        self.count, self.batch_size, self.seed, self.start, self.part = count, batch_size, seed, start, part

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
            yield batch[self.part]


class _Augmented(Dataset):
    def __init__(self, images):
        from torchvision import transforms  # slow to import

        self.files = images.train
        steps = [transforms.RandomResizedCrop(images.size), transforms.RandomHorizontalFlip()]
        self.transform = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        index, seed = key
        file, label = self.files[index]
        with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
            torch.manual_seed(seed)
            return self.transform(read_rgb(file)), label


class _Centered(Dataset):
    def __init__(self, images, files: Sequence[tuple[Path, int]]):
        from torchvision import transforms

        self.files = files
        steps = [transforms.Resize(images.resize), transforms.CenterCrop(images.size)]
        self.transform = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        file, label = self.files[index]
        return self.transform(read_rgb(file)), label


@contextmanager
def _file_named() -> Iterator[None]:
    """Strip the traceback of the loading process from an error, which torch puts before its message."""
    try:
        yield
    except ValueError as error:
        last = str(error).strip().splitlines()[-1]
        raise ValueError(last.removeprefix("ValueError: ")) from error


def _readers(count: int, device: torch.device) -> dict:
    """Arguments of a DataLoader: its processes, and how they are started.

    Beside a GPU not by a fork of this process, which has CUDA's threads and those of other runs: a lock that
    one of them holds at that moment stays locked in the child. A server without threads, which has torch
    imported, is forked instead.
    """
    options = {"num_workers": count, "worker_init_fn": _outlast_signals}
    if count and device.type == "cuda":
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        options["multiprocessing_context"] = context
    return options


def _outlast_signals(worker: int) -> None:
    """Let a loading process end with its parent only, which may have a checkpoint to write first.

    Signals that a terminal or a scheduler sends to all processes are left to the parent. The parent ends its
    loading processes with SIGTERM, so SIGTERM from other senders is ignored. macOS does not tell the sender.
    """
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)) and number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        threading.Thread(target=_end_with, args=(multiprocessing.parent_process().pid,), daemon=True).start()


def _end_with(parent: int) -> None:
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != parent:
        pass
    os._exit(0)


def _hash(*key: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:7])
