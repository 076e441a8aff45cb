"""Pre-activation networks against slow ones, written out from what the authors' programs build.

KaimingHe/resnet-1k-layers, resnet-pre-act.lua; szagoruyko/wide-residual-networks, models/wide-resnet.lua;
facebookarchive/fb.resnet.torch, models/preresnet.lua.
"""

import pytest
import torch
from helpers import mentions
from torch import nn

from resexp.config.compose import compose, resolve
from resexp.config.instantiate import make
from resexp.models.weights import load_by_position


class Slow(nn.Module):
    """Norm, ReLU, convolution, for each (kernel size, channels, stride) of a branch, then the sum."""

    def __init__(self, c_in, layers, *, shared, bare=False):
        super().__init__()
        self.shared, self.norms, self.convs = shared, [], []
        widths = [c_in, *(channels for _, channels, _ in layers)]
        for index, (size, channels, stride) in enumerate(layers):
            norm = nn.Identity() if bare and not index else nn.BatchNorm2d(widths[index])
            conv = nn.Conv2d(widths[index], channels, size, stride, size // 2, bias=False)
            self.norms.append(norm)
            self.convs.append(conv)
            self.add_module(f"norm{index}", norm)
            self.add_module(f"conv{index}", conv)
        total = max(stride for _, _, stride in layers)
        changes = widths[-1] != c_in
        self.projection = nn.Conv2d(c_in, widths[-1], 1, total, bias=False) if changes else None

    def forward(self, x):
        y = torch.relu(self.norms[0](x))  # a bare block receives what a ReLU gave
        shortcut = y if self.shared else x
        y = self.convs[0](y)
        for norm, conv in zip(self.norms[1:], self.convs[1:], strict=True):
            y = conv(torch.relu(norm(y)))
        return y + (self.projection(shortcut) if self.projection else shortcut)


class SlowNetwork(nn.Module):
    def __init__(self, stem, blocks, channels, classes=10):
        super().__init__()
        self.stem, self.blocks = stem, nn.Sequential(*blocks)
        self.norm, self.head = nn.BatchNorm2d(channels), nn.Linear(channels, classes)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.blocks(self.stem(x)))).mean((2, 3)))


def wide_resnet(depth, widen):
    """Shares the first norm and ReLU of a block if its number of channels changes."""
    c_in, blocks = 16, []
    for stage, channels in enumerate([16 * widen, 32 * widen, 64 * widen]):
        for index in range((depth - 4) // 6):
            stride = 2 if stage and not index else 1
            blocks.append(Slow(c_in, [(3, channels, stride), (3, channels, 1)], shared=c_in != channels))
            c_in = channels
    return SlowNetwork(nn.Conv2d(3, 16, 3, padding=1, bias=False), blocks, c_in)


def resnet_1k(depth):
    """The same with bottlenecks, whose first convolution has the stride."""
    c_in, blocks = 16, []
    for stage, channels in enumerate([64, 128, 256]):
        for index in range((depth - 2) // 9):
            stride, narrow = 2 if stage and not index else 1, channels // 4
            layers = [(1, narrow, stride), (3, narrow, 1), (1, channels, 1)]
            blocks.append(Slow(c_in, layers, shared=c_in != channels))
            c_in = channels
    return SlowNetwork(nn.Conv2d(3, 16, 3, padding=1, bias=False), blocks, c_in)


def preresnet(counts, kernels, expansion):
    """For ImageNet: an activated stem, a first block without norm and ReLU of its own.

    The first block of the other stages shares them; 3x3 convolutions have the stride.
    """
    stem = nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
    )
    c_in, blocks = 64, []
    for stage, count in enumerate(counts):
        narrow = 64 << stage
        for index in range(count):
            strides = [1] * len(kernels)
            strides[kernels.index(3)] = 2 if stage and not index else 1
            widths = [*[narrow] * (len(kernels) - 1), narrow * expansion]
            layers = list(zip(kernels, widths, strides, strict=True))
            blocks.append(Slow(c_in, layers, shared=not index and stage > 0, bare=not stage and not index))
            c_in = widths[-1]
    return SlowNetwork(stem, blocks, c_in, classes=1000)


def configured(*overrides):
    return resolve(compose("train", ["dataset=fake", *overrides]))


def assert_the_same(ours, slow, x):
    for module in slow.modules():
        if isinstance(module, nn.BatchNorm2d):  # so that a norm in the wrong place shows
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
    load_by_position(ours, slow.state_dict())
    expected = slow(x)
    torch.testing.assert_close(ours(x), expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


@pytest.mark.parametrize(
    ("overrides", "slow"),
    [
        ("model=wide model.depth=16 model.widen=1", lambda: wide_resnet(16, 1)),
        ("model=wide model.depth=16 model.widen=2", lambda: wide_resnet(16, 2)),
        ("model=preact model.depth=20", lambda: resnet_1k(20)),
        ("model=imagenet_preact", lambda: preresnet((3, 4, 6, 3), (1, 3, 1), 4)),
        (
            "model=imagenet_preact block=full_preactivation model.depth=18",
            lambda: preresnet((2, 2, 2, 2), (3, 3), 1),
        ),
    ],
)
def test_logits_are_those_of_the_authors_network(overrides, slow):
    torch.manual_seed(0)
    classes = 1000 if "imagenet" in overrides else 10
    config = configured(f"dataset.num_classes={classes}", *overrides.split())
    size = 64 if "imagenet" in overrides else 32
    assert_the_same(make(config["model"], "model"), slow(), torch.randn(4, 3, size, size))


def test_resnet200_is_a_preactivation_network():
    """UDL figures 11.7b and 11.8; He et al. 2016, table 5: 3, 24, 36, 3 blocks."""
    config = configured("model=imagenet_resnet200", "dataset.num_classes=1000")
    with torch.device("meta"):
        ours, slow = make(config["model"], "model"), preresnet((3, 24, 36, 3), (1, 3, 1), 4)
    shapes = [[tuple(p.shape) for p in model.parameters()] for model in (ours, slow)]
    assert shapes[0] == shapes[1]
    order = [type(module).__name__ for module in ours.stem]
    assert order == ["Conv2d", "BatchNorm", "ReLU", "MaxPool2d"]


def test_the_imagenet_networks_of_2015_refuse_preactivation():
    config = configured("model=imagenet_resnet18", "block=full_preactivation")
    with pytest.raises(ValueError, match=mentions("model=imagenet_resnet", "model=imagenet_preact")):
        make(config["model"], "model")


def test_wide_networks_start_as_the_authors():
    """utils.lua: convolutions N(0, 2 / fan_in), the classifier as torch draws it, biases 0."""
    config = configured("model=wide28_10")
    assert config["init"]["name"] == "he_fan_in"
    assert configured("model=wide28_10", "init=he")["init"]["name"] == "he", "what is typed comes first"


@pytest.mark.parametrize("name", ["preact", "preact164", "preact1001"])
def test_preactivation_networks_warm_up_for_400_steps(name):
    """He et al. 2016, section 3."""
    schedule = configured(f"model={name}")["schedule"]
    assert (schedule["name"], schedule["warm_up_window"]) == ("he2016", 400)
