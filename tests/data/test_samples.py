"""Samples that measurements are made on."""

import torch

from resexp.data import cifar, samples
from resexp.data.dataset import Dataset


def test_images_come_from_all_classes(monkeypatch):
    """Class folders are read class by class, so the first images are all of one class."""
    classes = torch.arange(10).repeat_interleave(100)
    x = (20 * classes).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 4, 4)
    noisy = (x + torch.arange(1000).view(-1, 1, 1, 1) % 5).to(torch.uint8)
    monkeypatch.setattr(cifar, "load", lambda *_, **__: Dataset(noisy, classes, noisy, classes))
    found = samples.cifar10("anywhere", download=False, count=20)
    levels = found.mean(dim=(1, 2, 3))
    gaps = levels.sort().values.diff() > (levels.max() - levels.min()) / 20
    assert len(found) == 20
    assert gaps.sum() == 9, "ten groups"
