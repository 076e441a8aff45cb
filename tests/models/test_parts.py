"""Convolutions and pooling in 0 to 2 dimensions against torch's own layers for so many."""

import pytest
import torch
from helpers import mentions
from torch import nn

from resexp.models.parts import Parts, as_images, conv, pool_if_it_fits
from resexp.models.shortcuts import NoShortcut, ZeroPad
from resexp.models.stochastic import StochasticDepth


def parts(dims=2, **more):
    return Parts(dims, nn.BatchNorm2d, nn.ReLU, **({"shortcut": NoShortcut} | more))


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (3, 2), (5, 2), (1, 1), (1, 2)])
def test_a_sequence_is_convolved_as_torchs_conv1d_does(generator, kernel_size, stride):
    ours = conv(1, 4, 6, stride, kernel_size=kernel_size, bias=True)
    theirs = nn.Conv1d(4, 6, kernel_size, stride, kernel_size // 2)
    theirs.weight.data, theirs.bias.data = ours.weight.data.squeeze(2), ours.bias.data
    x = torch.randn(2, 4, 11, generator=generator)
    torch.testing.assert_close(ours(as_images(x)).squeeze(2), theirs(x))


def test_a_vector_goes_through_a_linear_layer():
    assert isinstance(conv(0, 4, 6, bias=False), nn.Linear)
    with pytest.raises(ValueError, match=mentions("block=grouped")):
        conv(0, 4, 6, groups=2, bias=False)


@pytest.mark.parametrize("stride", [1, 2])
def test_images_keep_their_size_at_stride_1(stride):
    assert parts().conv(3, 5, stride)(torch.zeros(2, 3, 8, 8)).shape == (2, 5, 8 // stride, 8 // stride)


def test_images_stay_as_they_are():
    x = torch.zeros(2, 3, 4, 5)
    assert as_images(x) is x


@pytest.mark.parametrize(("kind", "theirs"), [("Max", nn.MaxPool1d), ("Avg", nn.AvgPool1d)])
def test_a_sequence_is_pooled_as_torchs_layers_do(generator, kind, theirs):
    x = torch.randn(2, 4, 11, generator=generator)
    ours = parts(1).pool(kind, 3, 2, 1)(as_images(x)).squeeze(2)
    torch.testing.assert_close(ours, theirs(3, 2, 1)(x))


def test_what_is_smaller_than_the_pool_is_not_pooled():
    pool = parts().pool("Max", 2, 2)
    assert pool_if_it_fits(pool, torch.zeros(1, 3, 2, 2)).shape == (1, 3, 1, 1)
    assert pool_if_it_fits(pool, torch.zeros(1, 3, 1, 2)).shape == (1, 3, 1, 2)


def test_networks_without_blocks_refuse_shortcuts_and_branches():
    parts().refuse_shortcuts("vgg")
    with pytest.raises(ValueError, match=mentions("model=vgg", "shortcut=...")):
        parts(shortcut=ZeroPad).refuse_shortcuts("vgg")
    with pytest.raises(ValueError, match=mentions("model=vgg", "branch=...")):
        parts(branch=StochasticDepth).refuse_shortcuts("vgg")
