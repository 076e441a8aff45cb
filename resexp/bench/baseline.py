"""The usual way of writing the training loop: what the speed of ours is compared with."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class _Images(Dataset):
    """Images that are augmented one by one, as PIL images, by torchvision."""

    def __init__(self, inputs: Tensor, targets: Tensor):
        # imported here: torchvision takes seconds, and nothing else needs it
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


class UsualTrainer:
    """Eager float32 steps on batches from a DataLoader, the loss and error read after each.

    Args:
        model: on the training device.
        inputs, targets: of the training split, on the CPU; uint8 images go through torchvision.
        batch_size: examples per batch.
        workers: processes that load images.
    Source: after the training loops of akamaster/pytorch_resnet_cifar10 (trainer.py) and
    pytorch/examples (imagenet/main.py), written anew: DataLoader with workers and pinned memory,
    transforms of PIL images, contiguous tensors, torch.optim.SGD as it comes, `loss.item()` and the
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

    def train_step(self) -> None:
        """One batch, one update; waits for the device."""
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
