"""The baseline training loop that resexp's speed is compared with."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class _Images(Dataset):
    """Images augmented one at a time, as PIL images, by torchvision."""

    def __init__(self, inputs: Tensor, targets: Tensor):
        # torchvision is slow to import
        from torchvision import transforms

        self.arrays, self.targets = inputs.movedim(1, -1).numpy(), targets.tolist()
        scale = [transforms.ToTensor(), transforms.Normalize((0.491, 0.482, 0.447), (0.247, 0.243, 0.262))]
        crop = transforms.RandomCrop(inputs.shape[-1], 4)
        self.transform = transforms.Compose([transforms.RandomHorizontalFlip(), crop, *scale])

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.arrays[index])), self.targets[index]


class BaselineTrainer:
    """Eager float32 steps on batches from a DataLoader; loss and error are read after each step.

    Args:
        model: on the training device.
        inputs, targets: of the training split, on the CPU; uint8 images are augmented by torchvision.
        batch_size: examples per batch.
        workers: loading processes for images.
    Source: after the training loops of akamaster/pytorch_resnet_cifar10 (trainer.py) and
    pytorch/examples (imagenet/main.py), reimplemented: DataLoader with workers and pinned
    memory, transforms on PIL images, contiguous tensors, default torch.optim.SGD, `loss.item()` and the
    error at every step.
    """

    def __init__(self, model: nn.Module, inputs: Tensor, targets: Tensor, *, batch_size: int, workers: int):
        images = inputs.dtype == torch.uint8
        self.device = next(model.parameters()).device
        self.model, self.step = model.train(), 0
        self.loader = DataLoader(
            _Images(inputs, targets) if images else TensorDataset(inputs, targets),
            batch_size=batch_size,
            shuffle=True,
            num_workers=workers if images else 0,
            pin_memory=self.device.type == "cuda",
        )
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
        self.batches = self._epochs()
        self.losses, self.errors = [], []

    def _epochs(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from self.loader

    def close(self) -> None:
        """End the loading processes."""
        self.batches = None

    def train_step(self) -> None:
        """One batch, one update. Synchronizes with the device."""
        x, y = next(self.batches)
        x, y = x.to(self.device, non_blocking=True), y.to(self.device, non_blocking=True)
        logits = self.model(x)
        loss = F.cross_entropy(logits, y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())
        self.errors.append(100 * (logits.argmax(1) != y).float().mean().item())
        self.step += 1
