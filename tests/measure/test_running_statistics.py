"""Averages over training data against closed forms, and beside the running averages of a trained run."""

import pytest
import torch
from helpers import mentions
from torch import nn

from resexp import build_model
from resexp.measure.running_statistics import averaged, trained
from resexp.models.norms import BatchNorm


def test_the_averages_are_the_means_over_the_batches(generator):
    batches = torch.randn(3, 8, 2, 5, generator=generator).double() * 3 + 1
    layer = averaged(BatchNorm(2).double(), batches)
    torch.testing.assert_close(layer.running_mean, batches.mean((0, 1, 3)))
    of_each = torch.stack([batch.transpose(0, 1).flatten(1).var(1) for batch in batches])
    torch.testing.assert_close(layer.running_var, of_each.mean(0))
    assert not layer.training
    assert layer.momentum == BatchNorm(2).momentum


def test_with_the_whole_data_as_one_batch_the_network_answers_as_in_training(generator):
    x = torch.randn(64, 1, 40, generator=generator).double()
    model = build_model("resnet", model__depth=8, model__width=4).double()
    with torch.no_grad():
        expected = model.train()(x)
        found = averaged(model, [x])(x)
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-3)  # the variance is unbiased, N / (N - 1)


def test_dropout_stays_off(generator):
    x = torch.randn(4, 2, 5, generator=generator)
    model = averaged(nn.Sequential(nn.Dropout(0.9), BatchNorm(2)), [x])
    torch.testing.assert_close(model[1].running_mean, x.mean((0, 2)))


def test_networks_without_batch_normalization_are_refused():
    with pytest.raises(ValueError, match=mentions("batch normalization", "none")):
        averaged(build_model("resnet", model__depth=8, norm="group"), [])


def test_without_a_batch_nothing_is_averaged():
    with pytest.raises(ValueError, match=mentions("at least one batch")):
        averaged(BatchNorm(2), [])
    with pytest.raises(ValueError, match=mentions("measure.examples", "at least", "64", "63")):
        trained(None, examples=63, batch_size=64)
