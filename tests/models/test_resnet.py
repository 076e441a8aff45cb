from dataclasses import replace
from functools import partial

import pytest
import torch
from helpers import mentions
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from resexp.models.blocks import Block
from resexp.models.fleuret import fleuret
from resexp.models.layers import Basic
from resexp.models.norms import BatchNorm
from resexp.models.orders import post_activation
from resexp.models.parts import Parts
from resexp.models.resnet import blocks_per_stage, plain, pooled, resnet
from resexp.models.shortcuts import NoShortcut, ZeroPad

BLOCK = Block(post_activation, Basic())
PARTS = Parts(dims=2, norm=BatchNorm, activation=nn.ReLU, shortcut=ZeroPad)


def network(depth, *, dims=2, c_in=3, width=16, num_classes=10, shortcut=ZeroPad):
    make = plain if shortcut is NoShortcut else resnet
    parts = replace(PARTS, dims=dims, shortcut=shortcut)
    return make(depth, width=width, c_in=c_in, num_classes=num_classes, block=BLOCK, parts=parts)


def count(model):
    return sum(p.numel() for p in model.parameters())


# He et al. 2015, table 6, to the unit (as computed from the architecture's definition).
PUBLISHED = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}


@pytest.mark.parametrize(("depth", "parameters"), PUBLISHED.items())
def test_parameters_of_the_published_networks(depth, parameters):
    assert count(network(depth)) == parameters
    assert count(network(depth, shortcut=NoShortcut)) == parameters, "shortcuts have no parameters"


def test_parameters_of_resnet_1202():
    with torch.device("meta"):
        assert round(count(network(1202)) / 1e6, 1) == 19.4


def test_parameters_of_fleuret():
    model = fleuret(52, width=16, kernel_size=3, c_in=1, num_classes=10, block=BLOCK, parts=PARTS)
    assert count(model) == 117_802
    assert len(model.blocks) == 25
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize("depth", [3, 53, 2])
def test_fleuret_refuses_other_depths(depth):
    with pytest.raises(ValueError, match=mentions("model.depth", "2n+2", str(depth))):
        fleuret(depth, width=16, kernel_size=3, c_in=1, num_classes=10, block=BLOCK, parts=PARTS)


@pytest.mark.parametrize("depth", [-4, 0, 2, 9, 21, 57])
def test_other_depths_are_refused(depth):
    with pytest.raises(ValueError, match=mentions("model.depth", "6n+2", str(depth))):
        blocks_per_stage(depth)


@pytest.mark.parametrize(("depth", "n"), [(8, 1), (20, 3), (56, 9), (110, 18), (1202, 200)])
def test_depth_is_6n_plus_2(depth, n):
    assert blocks_per_stage(depth) == n
    if depth < 200:
        layers = [m for m in network(depth).modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        assert len(layers) == depth


def test_plain_refuses_a_shortcut():
    parts = replace(PARTS, shortcut=partial(ZeroPad))
    with pytest.raises(ValueError, match=mentions("model=plain", "shortcut=...")):
        plain(20, width=16, c_in=3, num_classes=10, block=BLOCK, parts=parts)


class PaperResNet(nn.Module):
    """A slow, obvious ResNet-20 for CIFAR, written out from the paper's text, not from our code."""

    def __init__(self, depth, residual):
        super().__init__()
        self.residual = residual
        self.layers = nn.ModuleList()
        sizes = [(3, 16, 1)]
        for stage, channels in enumerate([16, 32, 64]):
            for index in range((depth - 2) // 6):
                first = sizes[-1][1]
                sizes += [(first, channels, 2 if stage and not index else 1), (channels, channels, 1)]
        for c_in, c_out, stride in sizes:
            conv = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False)
            self.layers.append(nn.Sequential(conv, nn.BatchNorm2d(c_out)))
        self.classifier = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.layers[0](x))
        for first, second in zip(self.layers[1::2], self.layers[2::2], strict=True):
            y = second(torch.relu(first(x)))
            if self.residual:
                if y.shape != x.shape:
                    pixels = x[:, :, ::2, ::2]
                    x = torch.cat([pixels, torch.zeros_like(pixels)], dim=1)
                y = y + x
            x = torch.relu(y)
        return self.classifier(x.flatten(2).mean(2))


@pytest.mark.parametrize("shortcut", [ZeroPad, NoShortcut])
def test_equals_the_network_written_out_from_the_paper(shortcut):
    from resexp.models.weights import load_by_position

    torch.manual_seed(0)
    slow = PaperResNet(20, residual=shortcut is ZeroPad)
    ours = network(20, shortcut=shortcut)
    load_by_position(ours, slow.state_dict())
    x, y = torch.randn(8, 3, 32, 32), torch.arange(8)
    gradients = []
    for model in (slow, ours):
        logits = model(x)
        nn.functional.cross_entropy(logits, y).backward()
        gradients.append((logits, [p.grad for p in model.parameters()]))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-5)


def test_sequences_go_through_the_same_network():
    model = network(20, dims=1, c_in=1, width=8)
    assert model(torch.zeros(2, 1, 40)).shape == (2, 10)
    assert model(torch.zeros(2, 1, 57)).shape == (2, 10), "other lengths too"


def test_images_of_other_sizes():
    assert network(8)(torch.zeros(2, 3, 45, 31)).shape == (2, 10)


class Layouts(TorchDispatchMode):
    """Strides of the gradient and of the output, at each backward pass of ReLU."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        if function is torch.ops.aten.threshold_backward.default:
            self.seen.append(tuple(tensor.stride() for tensor in arguments[:2]))
        return function(*arguments, **(keywords or {}))


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_gradients_are_laid_out_as_activations_are(layout, generator):
    model = network(8, width=4).to(memory_format=layout)
    x = torch.randn(3, 3, 8, 8, generator=generator).contiguous(memory_format=layout)
    with Layouts() as layouts:
        model(x).square().sum().backward()
    assert len(layouts.seen) == 7
    assert all(gradient == output for gradient, output in layouts.seen), "else four times slower"


def test_pooling_is_a_mean_over_positions_in_every_layout(generator):
    for shape in ((2, 3), (2, 3, 5), (2, 3, 5, 4), (2, 3, 2, 5, 4)):
        x = torch.randn(shape, generator=generator, dtype=torch.float64)
        for y in (x, x.movedim(1, -1).contiguous().movedim(-1, 1)):
            torch.testing.assert_close(pooled(y), x.flatten(2).mean(2) if x.dim() > 2 else x)
