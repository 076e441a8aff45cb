"""The baseline of the benchmark is correct."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resexp.bench.baseline import BaselineTrainer


def test_steps_are_those_of_sgd():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(12, 1, 8, generator=generator), torch.arange(12) % 3
    model = nn.Sequential(nn.Flatten(), nn.Linear(8, 3))
    slow = copy.deepcopy(model)
    trainer = BaselineTrainer(model, x, y, batch_size=12, workers=0)  # one batch: the order is no matter
    velocity = [torch.zeros_like(p) for p in slow.parameters()]
    for _ in range(3):
        loss = F.cross_entropy(slow(x), y)
        gradients = torch.autograd.grad(loss, list(slow.parameters()))
        with torch.no_grad():
            for p, v, g in zip(slow.parameters(), velocity, gradients, strict=True):
                v.mul_(0.9).add_(g + 1e-4 * p)
                p.sub_(0.1 * v)
        trainer.train_step()
        assert trainer.losses[-1] == pytest.approx(loss.item(), rel=1e-5)
    for p, q in zip(model.parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_images_are_augmented_one_by_one_and_scaled():
    x = torch.full((8, 3, 32, 32), 125, dtype=torch.uint8)
    seen = []

    class Look(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 10)

        def forward(self, images):
            seen.append(images)
            return self.layer(images.mean((2, 3)))

    BaselineTrainer(Look(), x, torch.arange(8), batch_size=4, workers=0).train_step()
    (images,) = seen
    assert images.shape == (4, 3, 32, 32)
    middle = images[:, :, 4:-4, 4:-4]  # the padding reaches no farther in
    expected = (125 / 255 - torch.tensor([0.491, 0.482, 0.447])) / torch.tensor([0.247, 0.243, 0.262])
    torch.testing.assert_close(middle, expected.view(1, 3, 1, 1).expand_as(middle))
    assert (images.flatten(1).std(1) > 0).any(), "the padding shows in some corners"
