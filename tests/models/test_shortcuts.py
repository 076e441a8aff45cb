from functools import partial

import pytest
import torch
from helpers import mentions
from torch import nn

from resexp.models.norms import BatchNorm
from resexp.models.parts import conv
from resexp.models.shortcuts import (
    DropoutShortcut,
    Gated,
    NoShortcut,
    Projection,
    Scaled,
    ZeroPad,
    ZeroPadBoth,
)
from resexp.models.stochastic import Dropout, StochasticDepth

MAKE = {"conv": partial(conv, 2, bias=False), "norm": BatchNorm}
CHANGE = (4, 6, 2)


def gate_conv(c_in, c_out, stride, *, kernel_size, bias):
    return nn.Conv2d(c_in, c_out, kernel_size, stride, bias=bias)


@pytest.fixture
def tensors(generator):
    return torch.randn(3, 4, 8, 8, generator=generator), torch.randn(3, 6, 4, 4, generator=generator)


def test_projection_where_shapes_change(tensors):
    x, branch = tensors
    shortcut = Projection(*CHANGE, everywhere=False, **MAKE)
    convolution, norm = shortcut.projection
    assert (convolution.kernel_size, convolution.stride) == ((1, 1), (2, 2))
    torch.testing.assert_close(shortcut(x, branch), norm(convolution(x)) + branch)
    same = Projection(4, 4, 1, everywhere=False, **MAKE)
    assert not list(same.parameters())
    assert torch.equal(same(x, x), 2 * x)
    assert list(Projection(4, 4, 1, everywhere=True, **MAKE).parameters())


def test_scaled_weights_shortcut_and_branch(tensors):
    x, branch = tensors
    shortcut = Scaled(*CHANGE, shortcut_scale=0.5, branch_scale=0.25)
    identity = ZeroPad(*CHANGE)(x, torch.zeros_like(branch))
    torch.testing.assert_close(shortcut(x, branch), 0.5 * identity + 0.25 * branch)


@pytest.mark.parametrize("exclusive", [True, False])
def test_gates_weigh_the_sum(tensors, exclusive):
    x, branch = tensors
    shortcut = Gated(*CHANGE, gate_bias=-3.0, exclusive=exclusive, conv=gate_conv)
    shortcut.reset_bias()
    weight, bias = shortcut.gate.weight[:, :, 0, 0], shortcut.gate.bias
    assert torch.equal(bias, torch.full((6,), -3.0))
    g = torch.sigmoid(torch.einsum("oc,bchw->bohw", weight, x[:, :, ::2, ::2]) + bias.view(-1, 1, 1))
    identity = ZeroPad(*CHANGE)(x, torch.zeros_like(branch))
    expected = (1 - g) * identity + (g if exclusive else 1) * branch
    torch.testing.assert_close(shortcut(x, branch), expected)


def test_an_open_gate_is_the_identity(tensors):
    x, branch = tensors
    shortcut = Gated(*CHANGE, gate_bias=-50.0, exclusive=True, conv=gate_conv)
    shortcut.reset_bias()
    identity = ZeroPad(*CHANGE)(x, torch.zeros_like(branch))
    torch.testing.assert_close(shortcut(x, branch), identity)


def test_dropout_is_applied_to_the_shortcut_only(tensors, generator):
    x, branch = tensors
    shortcut = DropoutShortcut(*CHANGE, probability=0.5)
    shortcut.dropout.generator = generator
    identity = ZeroPad(*CHANGE)(x, torch.zeros_like(branch))
    kept = shortcut(x, branch) - branch
    lies = torch.isclose(kept, 2 * identity, atol=1e-5) | torch.isclose(kept, torch.zeros(()), atol=1e-5)
    assert lies.all()
    assert torch.equal(shortcut.eval()(x, branch), identity + branch)
    with pytest.raises(ValueError, match=mentions("shortcut.probability", "[0, 1)", "1.0")):
        DropoutShortcut(*CHANGE, probability=1.0)


def test_dropout_keeps_the_mean(generator):
    layer = Dropout(0.3)
    layer.generator = generator
    y = layer(torch.ones(200, 500))
    assert y.unique().tolist() == pytest.approx([0, 1 / 0.7])
    # the mean of n numbers 1/0.7 or 0 has the standard deviation sqrt(0.3 / 0.7 / n)
    assert y.mean().item() == pytest.approx(1, abs=5 * (0.3 / 0.7 / 100_000) ** 0.5)
    again = Dropout(0.3)
    again.generator = torch.Generator().manual_seed(0)
    assert torch.equal(again(torch.ones(200, 500)), y), "its own generator, not the global one"


def test_survival_probability_decreases_linearly(generator):
    x = torch.ones(4, 3)
    for position, probability in ((0.5, 0.75), (1.0, 0.5), (0.1, 0.95)):
        layer = StochasticDepth(position, survival=0.5)
        layer.generator = generator
        draws = torch.stack([layer(x) for _ in range(2000)])
        assert (draws.flatten(1).std(1) == 0).all(), "the whole batch, or none of it"
        survived = draws[:, 0, 0]
        assert set(survived.tolist()) == {0.0, 1.0}
        assert survived.mean().item() == pytest.approx(probability, abs=5 * (0.25 / 2000) ** 0.5)
        assert torch.equal(layer.eval()(x), torch.full_like(x, probability))


@pytest.mark.parametrize("survival", [0.0, 1.5])
def test_stochastic_depth_refuses_invalid_probabilities(survival):
    with pytest.raises(ValueError, match=mentions("branch.survival", "(0, 1]", str(survival))):
        StochasticDepth(0.5, survival=survival)


def test_zero_pad_adds_the_strided_input():
    x = torch.arange(2 * 3 * 4 * 4.0).view(2, 3, 4, 4)
    y = ZeroPad(3, 5, 2)(x, torch.zeros(2, 5, 2, 2))
    assert torch.equal(y[:, :3], x[:, :, ::2, ::2])
    assert not y[:, 3:].any()


def test_zero_pad_of_equal_shapes_is_a_sum():
    x, branch = torch.randn(2, 2, 3, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ZeroPad(2, 2, 1)(x, branch), x + branch)


@pytest.mark.parametrize("shape", [(2, 4, 6, 5), (2, 4, 1, 7), (2, 4, 7), (2, 4)])
def test_zero_pad_is_the_plain_composition_and_its_gradient_keeps_the_layout(shape, generator):
    x = torch.randn(shape, generator=generator)
    x = x.movedim(1, -1).contiguous().movedim(-1, 1).requires_grad_()  # channels last
    y = ZeroPadBoth(4, 7, 2).identity(x)
    strided = x[(..., *[slice(None, None, 2)] * (len(shape) - 2))]
    expected = torch.cat([torch.zeros_like(strided[:, :1]), strided, torch.zeros_like(strided[:, :2])], 1)
    direction = torch.randn(y.shape, generator=generator)
    ours, theirs = (torch.autograd.grad(out, x, direction)[0] for out in (y, expected))
    assert torch.equal(y, expected)
    assert torch.equal(ours, theirs)
    if len(shape) == 4 and shape[2] > 1:  # images
        assert ours.stride() == x.stride(), "else ReLU and sums are several times slower"
        assert y.is_contiguous(memory_format=torch.channels_last)


def test_zero_pad_refuses_to_drop_channels():
    with pytest.raises(ValueError, match=mentions("c_in=8", "c_out=4")):
        ZeroPad(8, 4, 1)


def test_no_shortcut_is_the_branch():
    branch = torch.ones(1, 2, 3)
    assert NoShortcut(4, 2, 2)(torch.zeros(1, 4, 6), branch) is branch


def test_zero_pad_both_adds_half_of_the_new_channels_on_each_side(generator):
    x = torch.randn(2, 4, 6, 6, generator=generator)
    padded = ZeroPadBoth(4, 8, 2)(x, torch.zeros(2, 8, 3, 3))
    assert torch.equal(padded[:, 2:6], x[:, :, ::2, ::2])
    assert not padded[:, [0, 1, 6, 7]].any()
