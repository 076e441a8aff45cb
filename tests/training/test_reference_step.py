"""The training step against a slow, obvious one, for every part that can be chosen."""

from functools import cache

import pytest
import torch
import torch.nn.functional as F
from helpers import with_parts

from resexp.config.catalog import options
from resexp.config.compose import compose, resolve
from resexp.config.instantiate import make
from resexp.experiments import build
from resexp.experiments.data import load_dataset
from resexp.experiments.seeds import generator
from resexp.models.stochastic import RandomLayer

BATCH, SIDE = 32, 16
GROUPS = ("block", "norm", "shortcut", "activation", "branch")
CASES = [
    (group, option, dataset)
    for group in GROUPS
    for option in options(group)
    # bottlenecks in images of the one order are enough: the others have the same convolutions
    for dataset in (
        ("fake", "mnist1d")
        if group in ("block", "norm") and not option.startswith("bottleneck_")
        else ("mnist1d",)
    )
]


@cache
def composed(model, dataset, steps):
    size = {"fake": [f"dataset.load.shape=[3,{SIDE},{SIDE}]", "dataset.load.train_size=96"], "mnist1d": []}
    # divided by 10 behind two thirds of the steps that are taken
    protocol = [f"dataset={dataset}", f"batch_size={BATCH}", f"schedule.steps={4 * steps // 3}"]
    return resolve(compose("train", [f"model={model}", "model.width=8", *protocol, *size[dataset]]))


def config(group, option, dataset, rate, steps):
    plain = (group, option) == ("shortcut", "none")
    needed = {"crelu": {"block": "full_preactivation"}, "fixup": {"norm": "none"}}.get(option, {})
    found = with_parts(composed("plain" if plain else "resnet", dataset, steps), {group: option} | needed)
    found["schedule"]["learning_rate"] = found["optimizer"]["lr"] = rate
    found["model"]["depth"] = 3 * make(found["block"], "block").depth + 2
    return found


def slow_batches(settings, dataset):
    """Batches image by image: shuffle, normalize, pad, crop, flip, with the draws in their order."""
    draws = generator(settings["seed"], "batches")
    x, y = dataset.inputs, dataset.targets
    if settings["dataset"]["dims"] == 2:
        pixels = x.double()
        std = pixels.movedim(1, 0).flatten(1).std(1, correction=0)
        x = ((pixels - pixels.mean(0)) / std[:, None, None]).float()
    order = []
    while True:
        while len(order) < BATCH:
            order += torch.randperm(len(y), generator=draws).tolist()
        chosen, order = order[:BATCH], order[BATCH:]
        images = x[chosen]
        if settings["dataset"]["dims"] == 2:
            rows, columns = torch.randint(0, 9, (2, BATCH, 1), generator=draws)[:, :, 0].tolist()
            mirrored = (torch.rand((BATCH, 1), generator=draws) < 0.5)[:, 0].tolist()
            padded = F.pad(images, [4] * 4)
            images = torch.stack(
                [
                    image[:, r : r + SIDE, c : c + SIDE].flip(2)
                    if flip
                    else image[:, r : r + SIDE, c : c + SIDE]
                    for image, r, c, flip in zip(padded, rows, columns, mirrored, strict=True)
                ]
            )
        yield images, y[chosen]


def reference_losses(settings, steps):
    """Eager float32 in torch's usual memory order, the update written out."""
    model = build.build_model(settings)
    start = settings["schedule"]["learning_rate"]
    draws = generator(settings["seed"], "layers")
    for module in model.modules():
        if isinstance(module, RandomLayer):
            module.generator = draws
    momentum = [torch.zeros_like(p) for p in model.parameters()]
    losses = []
    for step, (x, y) in zip(range(steps), slow_batches(settings, load_dataset(settings)), strict=False):
        rate = start if step < 2 * steps // 3 else start / 10
        logits = model(x.contiguous())
        loss = -logits.log_softmax(1)[torch.arange(len(y)), y].mean()
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for p, v, g in zip(model.parameters(), momentum, gradients, strict=True):
                v.mul_(0.9).add_(g + 1e-4 * p)
                p.sub_(rate * v)
        losses.append(loss.item())
    return losses


def fast_losses(trainer, steps):
    losses, before = [], 0.0
    for _ in range(steps):
        trainer.train_step()
        total = trainer.interval.loss.item() / BATCH
        losses.append(total - before)
        before = total
    return losses


@pytest.mark.parametrize("steps", [6, pytest.param(18, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("group", "option", "dataset"), CASES)
def test_the_same_losses_as_a_slow_obvious_step(group, option, dataset, steps):
    # With a higher rate float32's rounding grows past 1e-5 by itself; mpoly_2 is 38 layers deep.
    settings = config(group, option, dataset, 1e-5 if option == "mpoly_2" else 1e-4, steps)
    trainer = build.trainer(settings, torch.device("cpu"))
    assert fast_losses(trainer, steps) == pytest.approx(reference_losses(settings, steps), rel=1e-5)


def test_the_updates_can_be_seen_at_this_rate():
    trained, still = (
        reference_losses(config("norm", "batch", "mnist1d", rate, 6), 6) for rate in (1e-4, 1e-12)
    )
    assert trained != pytest.approx(still, rel=1e-4)
