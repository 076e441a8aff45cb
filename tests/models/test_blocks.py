"""The orders of operations, written out from the figures."""

import pytest
import torch
from helpers import mentions
from torch import nn

from resexp import build_model
from resexp.models import orders
from resexp.models.blocks import Block
from resexp.models.fixup import fixup
from resexp.models.inception import Inception, InceptionBlock
from resexp.models.layers import Basic, Bottleneck
from resexp.models.norms import BatchNorm
from resexp.models.parts import Parts
from resexp.models.shortcuts import ZeroPad

PARTS = Parts(dims=2, norm=BatchNorm, activation=nn.ReLU, shortcut=ZeroPad)
ORDERS = {
    "post_activation": (lambda w1, n1, w2, n2, x: torch.relu(x + n2(w2(torch.relu(n1(w1(x))))))),
    "bn_after_addition": (lambda w1, n1, w2, n2, x: torch.relu(n2(x + w2(torch.relu(n1(w1(x))))))),
    "relu_before_addition": (lambda w1, n1, w2, n2, x: x + torch.relu(n2(w2(torch.relu(n1(w1(x))))))),
    "relu_only_preactivation": (lambda w1, n1, w2, n2, x: x + n2(w2(torch.relu(n1(w1(torch.relu(x))))))),
    "full_preactivation": (lambda w1, n1, w2, n2, x: x + w2(torch.relu(n2(w1(torch.relu(n1(x))))))),
}


def of_type(block, kind):
    return [m for m in block.modules() if isinstance(m, kind)]


@pytest.mark.parametrize(("name", "figure"), ORDERS.items())
def test_orders_are_those_of_the_figure(name, figure, generator):
    block = Block(getattr(orders, name), Basic())(PARTS, 5, 5, 1)
    (w1, w2), (n1, n2) = of_type(block, nn.Conv2d), of_type(block, BatchNorm)
    x = torch.randn(4, 5, 6, 6, generator=generator)
    kept = x.clone()
    torch.testing.assert_close(block(x), figure(w1, n1, w2, n2, x))
    assert torch.equal(x, kept), "the shortcut's input is not written over"


@pytest.mark.parametrize("sizes", [(5, 5, 1), (5, 8, 2)])
def test_fixup_has_a_scalar_before_each_convolution_and_activation(sizes, generator):
    parts = Parts(dims=2, norm=lambda channels: nn.Identity(), activation=nn.ReLU, shortcut=ZeroPad)
    block = Block(fixup, Basic())(parts, *sizes)
    w1, w2 = of_type(block, nn.Conv2d)
    scalars = [p for p in block.parameters() if p.dim() == 0]
    assert [p.item() for p in scalars] == [0, 0, 0, 1, 0]
    with torch.no_grad():
        for scalar in scalars:
            scalar.copy_(torch.randn((), generator=generator))
    b1a, b1b, b2a, factor, b2b = scalars
    x = torch.randn(4, 5, 6, 6, generator=generator)
    branch = factor * w2(torch.relu(w1(x + b1a) + b1b) + b2a) + b2b
    kept = x if sizes == (5, 5, 1) else ZeroPad(*sizes)(x + b1a, torch.zeros_like(branch))
    torch.testing.assert_close(block(x), torch.relu(kept + branch))


def test_fixup_takes_the_place_of_normalization():
    with pytest.raises(ValueError, match=mentions("block=fixup", "norm=none")):
        Block(fixup, Basic())(PARTS, 5, 5, 1)


@pytest.mark.parametrize("name", ["relu_only_preactivation", "full_preactivation"])
@pytest.mark.parametrize("sizes", [(5, 5, 1, "both"), (5, 8, 2, "branch")])
def test_shortcut_and_branch_share_the_first_activation(name, sizes, generator):
    *shape, entry = sizes
    block = Block(getattr(orders, name), Basic())(PARTS, *shape, entry=entry)
    x = torch.randn(4, 5, 6, 6, generator=generator)
    activated = block.before(x)
    assert (activated >= 0).all()
    expected = ZeroPad(*shape)(activated, block.transform(activated))
    torch.testing.assert_close(block(x), expected)


def test_preactivation_leaves_an_inplace_relu_off_the_input(generator):
    parts = Parts(2, lambda channels: nn.Identity(), lambda: nn.ReLU(inplace=True), ZeroPad)
    x = torch.randn(4, 5, 6, 6, generator=generator)
    kept = x.clone()
    Block(orders.full_preactivation, Basic())(parts, 5, 5, 1)(x)
    assert torch.equal(x, kept)


def test_bottleneck_is_narrow_in_the_middle():
    block = Block(orders.post_activation, Bottleneck(groups=4, width_factor=2.0))(PARTS, 16, 64, 2)
    sizes = [
        (w.in_channels, w.out_channels, w.kernel_size[0], w.stride[0], w.groups)
        for w in of_type(block, nn.Conv2d)
    ]
    assert sizes == [(16, 32, 1, 1, 1), (32, 32, 3, 2, 4), (32, 64, 1, 1, 1)]
    as_published = Block(orders.post_activation, Bottleneck(stride_first=True))(PARTS, 16, 64, 2)
    assert [w.stride[0] for w in of_type(as_published, nn.Conv2d)] == [2, 1, 1]


def test_several_branches_are_added_up(generator):
    block = Block(orders.full_preactivation, Basic(), branches=3)(PARTS, 5, 5, 1)
    x = torch.randn(4, 5, 6, 6, generator=generator)
    expected = x + sum(transform(x) for transform in block.transform.transforms)
    torch.testing.assert_close(block(x), expected)
    assert len(block.transform.transforms) == 3


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kind", ["one", "two_way", "poly_2", "mpoly_2"])
def test_inception_blocks(kind, stride, generator):
    block = InceptionBlock(kind)(PARTS, 8, 8, stride)
    x = torch.randn(3, 8, 6, 6, generator=generator)
    modules = of_type(block, Inception)
    f, g = modules[0], modules[-1]
    shortcut = ZeroPad(8, 8, stride)
    sums = {
        "one": lambda: f(x),
        "two_way": lambda: f(x) + g(x),
        "poly_2": lambda: f(x) + f(torch.relu(f(x))) if stride == 1 else f(x),
        "mpoly_2": lambda: f(x) + g(torch.relu(f(x))),
    }
    torch.testing.assert_close(block(x), torch.relu(shortcut(x, sums[kind]())))
    assert len(modules) == {"one": 1, "poly_2": 1, "two_way": 2, "mpoly_2": 2}[kind]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Basic(count=0), ["block.layers.count", "1", "0"]),
        (lambda: Basic(dropout=1.0), ["block.layers.dropout", "[0, 1)", "1.0"]),
        (lambda: Block(orders.post_activation, Basic(), branches=0), ["block.branches", "1", "0"]),
        (
            lambda: InceptionBlock("three"),
            ["block.kind", "one, two_way, poly_2, mpoly_2", "three"],
        ),
    ],
)
def test_settings_out_of_range_are_refused(make, named):
    with pytest.raises(ValueError, match=mentions(*named)):
        make()


@pytest.mark.parametrize("stride", [1, 2])
def test_relu_last_only_adds(stride, generator):
    """UDL figure 11.5a: no block can decrease what it receives."""
    parts = Parts(2, lambda channels: nn.Identity(), nn.ReLU, ZeroPad)
    x = torch.randn(4, 5, 6, 6, generator=generator)
    y = Block(orders.relu_before_addition, Basic(count=1))(parts, 5, 5, stride)(x)
    h = x[..., ::stride, ::stride]
    assert (y >= h).all()
    assert (y > h).any()


def test_relu_first_does_nothing_to_what_is_negative(generator):
    """UDL figure 11.5b: so a network of such blocks starts with a linear layer."""
    parts = Parts(2, lambda channels: nn.Identity(), nn.ReLU, ZeroPad)
    block = Block(orders.full_preactivation, Basic(count=1))(parts, 5, 5, 1)
    x = torch.randn(4, 5, 6, 6, generator=generator)
    assert torch.equal(block(-x.abs()), -x.abs())
    assert (block(x) < x).any()
    model = build_model("resnet", block="relu_first", norm="none", model__depth=8)
    assert not any(isinstance(module, nn.ReLU) for module in model.stem.modules()), "the stem is linear"
