"""The training step against a slow, obvious one, for every part that can be chosen."""

import pytest
import torch
import torch.nn.functional as F

from resexp.experiments import build
from resexp.experiments.compose import composed, resolved
from resexp.experiments.listing import options

STEPS = 20
RATE = 0.02  # with more, float32 rounding grows past 1e-5 within twenty steps by itself
GROUPS = ("block", "norm", "shortcut", "activation")
CASES = [(g, option, dataset) for g in GROUPS for option in options(g) for dataset in ("fake", "mnist1d")]


def config(group, option, dataset):
    size = {"fake": ["dataset.load.shape=[3,8,8]", "dataset.load.train_size=96"], "mnist1d": []}[dataset]
    network = ["model=resnet", "model.depth=8", "model.width=8", f"{group}={option}"]
    protocol = ["batch_size=20", "schedule.steps=30", f"schedule.learning_rate={RATE}"]
    return resolved(composed("train", [*network, f"dataset={dataset}", *protocol, *size]))


def slow_batches(settings, dataset):
    """Batches image by image: shuffle, normalize, pad, crop, flip, with the draws in their order."""
    generator = build.generator(settings["seed"], "batches")
    x, y = dataset.inputs, dataset.targets
    if settings["dataset"]["dims"] == 2:
        pixels = x.double()
        std = pixels.movedim(1, 0).flatten(1).std(1, correction=0)
        x = ((pixels - pixels.mean(0)) / std[:, None, None]).float()
    order = []
    while True:
        while len(order) < 20:
            order += torch.randperm(len(y), generator=generator).tolist()
        chosen, order = order[:20], order[20:]
        images = x[chosen]
        if settings["dataset"]["dims"] == 2:
            rows, columns = torch.randint(0, 9, (2, 20, 1), generator=generator)[:, :, 0].tolist()
            mirrored = (torch.rand((20, 1), generator=generator) < 0.5)[:, 0].tolist()
            padded = F.pad(images, [4] * 4)
            images = torch.stack(
                [
                    image[:, r : r + 8, c : c + 8].flip(2) if flip else image[:, r : r + 8, c : c + 8]
                    for image, r, c, flip in zip(padded, rows, columns, mirrored, strict=True)
                ]
            )
        yield images, y[chosen]


def reference_losses(settings):
    """Eager float32 in torch's usual memory order, the update written out."""
    model = build.build_model(settings)
    momentum = [torch.zeros_like(p) for p in model.parameters()]
    losses = []
    for step, (x, y) in zip(range(STEPS), slow_batches(settings, build.load_dataset(settings)), strict=False):
        rate = RATE if step < 15 else RATE / 10
        logits = model(x.contiguous())
        loss = -logits.log_softmax(1)[torch.arange(len(y)), y].mean()
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for p, v, g in zip(model.parameters(), momentum, gradients, strict=True):
                v.mul_(0.9).add_(g + 1e-4 * p)
                p.sub_(rate * v)
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize(("group", "option", "dataset"), CASES)
def test_the_same_losses_as_a_slow_obvious_step(group, option, dataset):
    settings = config(group, option, dataset)
    trainer = build.trainer(settings, torch.device("cpu"))
    losses, before = [], 0.0
    for _ in range(STEPS):
        trainer.train_step()
        total = trainer.interval.loss.item() / 20
        losses.append(total - before)
        before = total
    assert losses == pytest.approx(reference_losses(settings), rel=1e-5)
    assert losses[-1] != losses[0]
