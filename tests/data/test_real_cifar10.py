"""On the real images, where RESEXP_DATA names a folder that holds them."""

import os

import pytest
import torch

from resexp.config.compose import compose, resolve
from resexp.data import cifar
from resexp.data.preprocess import channel_statistics
from resexp.experiments import build

pytestmark = pytest.mark.skipif(
    not os.environ.get("RESEXP_DATA"), reason="RESEXP_DATA names no folder with the real CIFAR-10"
)


def test_channel_statistics_are_the_known_ones():
    data = cifar.load(os.environ["RESEXP_DATA"], num_classes=10, download=False)
    mean, std = channel_statistics(data.inputs)
    assert mean.tolist() == pytest.approx([0.49140, 0.48216, 0.44653], abs=1e-4)
    assert std.tolist() == pytest.approx([0.24703, 0.24349, 0.26159], abs=1e-4)


def test_fifty_steps_of_resnet20_lower_the_loss():
    overrides = ["model=resnet20", "dataset=cifar10", "batch_size=64", "schedule.steps=50"]
    config = resolve(compose("train", overrides))
    trainer = build.trainer(config, torch.device("cpu"))
    losses = []
    for _ in range(50):
        trainer.interval.reset()
        trainer.train_step()
        losses.append(trainer.interval.read()[0])
    assert sum(losses[-10:]) / 10 < 2.303 < sum(losses[:10]) / 10, "ends below ln 10, the loss of a guess"
