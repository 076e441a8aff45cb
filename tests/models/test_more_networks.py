"""Inception-v4, ResNet in ResNet, and DenseNets that keep their input, written out."""

import pytest
import torch
from helpers import mentions
from torch import nn

from resexp.config.compose import compose, resolve
from resexp.config.instantiate import make
from resexp.models.inception_v4 import REDUCTION_B, A, C, Paths
from resexp.models.norms import BatchNorm
from resexp.models.parts import Parts
from resexp.models.rir import GeneralizedBlock
from resexp.models.shortcuts import NoShortcut, ZeroPad

PARTS = Parts(dims=2, norm=BatchNorm, activation=nn.ReLU, shortcut=ZeroPad)


def network(*overrides):
    config = resolve(compose("train", ["dataset=fake", *overrides]))
    return make(config["model"], "model")


def of_type(module, kind):
    return [m for m in module.modules() if isinstance(m, kind)]


def chained(module):
    """Functions conv-norm-relu, in the order of the forward pass."""
    pairs = zip(of_type(module, nn.Conv2d), of_type(module, BatchNorm), strict=True)
    return [lambda x, c=c, n=n: torch.relu(n(c(x))) for c, n in pairs]


def test_inception_a(generator):
    """Szegedy et al. 2017, figure 4."""
    module = Paths(PARTS, 8, A)
    a, b1, b2, c1, c2, c3, d = chained(module)
    x = torch.randn(2, 8, 7, 7, generator=generator)
    pooled = nn.functional.avg_pool2d(nn.functional.pad(x, [1] * 4), 3, 1) * 9
    pooled = pooled / nn.functional.conv2d(torch.ones(1, 1, 7, 7), torch.ones(1, 1, 3, 3), padding=1)
    expected = torch.cat([a(x), b2(b1(x)), c3(c2(c1(x))), d(pooled)], dim=1)
    torch.testing.assert_close(module(x), expected)
    assert expected.shape == (2, 384, 7, 7)


def test_inception_c_splits_its_paths(generator):
    """Figure 6: 1x3 and 3x1 convolutions side by side."""
    module = Paths(PARTS, 8, C)
    a, b1, b2, b3, c1, c2, c3, c4, c5, _ = chained(module)
    x = torch.randn(2, 8, 5, 5, generator=generator)
    y, z = b1(x), c3(c2(c1(x)))
    expected = torch.cat([a(x), b2(y), b3(y), c4(z), c5(z)], dim=1)
    torch.testing.assert_close(module(x)[:, :1280], expected)
    sizes = [conv.kernel_size for conv in of_type(module, nn.Conv2d)]
    assert sizes == [(1, 1), (1, 1), (1, 3), (3, 1), (1, 1), (3, 1), (1, 3), (1, 3), (3, 1), (1, 1)]


def test_reduction_b_is_not_padded(generator):
    """Figure 8: 17x17 to 8x8."""
    module = Paths(PARTS, 8, REDUCTION_B)
    x = torch.randn(1, 8, 17, 17, generator=generator)
    assert module(x).shape == (1, 192 + 320 + 8, 8, 8)
    assert torch.equal(module(x)[:, 512:], nn.functional.max_pool2d(x, 3, 2))


def test_inception_v4_has_the_papers_sizes():
    """Figure 9: 384 channels of 35x35, 1024 of 17x17, 1536 of 8x8."""
    with torch.device("meta"):
        model, x = network("model=inception_v4"), torch.zeros(1, 3, 299, 299)
        shapes = [(x := model.stem(x)).shape[1:]]
        shapes += [(x := block(x)).shape[1:] for block in model.blocks]
    assert shapes == [(384, 35, 35)] * 5 + [(1024, 17, 17)] * 8 + [(1536, 8, 8)] * 4


def test_a_generalized_block_is_four_convolutions(generator):
    """Targ et al. 2016, figure 1a: W_rr, W_tr to the residual stream, W_rt, W_tt to the transient one."""
    block = GeneralizedBlock(PARTS, 3, 5, 2)
    rr, tr = block.to_residual.weight.split(3, dim=1)
    rt, tt = block.to_transient.weight.split(3, dim=1)

    def conv(x, weight):
        return nn.functional.conv2d(x, weight, stride=2, padding=1)

    r, t = torch.randn(2, 4, 3, 6, 6, generator=generator)
    identity = ZeroPad(3, 5, 2)(r, torch.zeros(4, 5, 3, 3))
    ends = [end[0] for end in block.ends]
    expected = [ends[0](conv(r, rr) + conv(t, tr) + identity), ends[1](conv(r, rt) + conv(t, tt))]
    torch.testing.assert_close(block(torch.cat([r, t], 1)), torch.cat(expected, 1).relu())


def test_rir_takes_images_and_sequences():
    assert network("model=rir", "model.width=2")(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    assert network("model=rir", "model.width=2", "dataset=mnist1d")(torch.zeros(2, 1, 40)).shape == (2, 10)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["model=rir", "model.depth=20"], ["model.depth", "18", "20"]),
        (["model=rir", "shortcut=none"], ["model=rir", "shortcut=none"]),
        (["model=rir", "activation=crelu"], ["model=rir", "crelu"]),
        (["model=rir", "branch=stochastic_depth"], ["model=rir", "branch=..."]),
        (["model=inception_v4", "model.depth=20"], ["model.depth", "76", "20"]),
        (["model=inception_v4", "dataset=mnist1d"], ["model=inception_v4", "dataset=cifar10"]),
        (["model=inception_v4", "shortcut=zero_pad"], ["model=inception_v4", "shortcut=..."]),
    ],
)
def test_what_does_not_fit_is_refused(overrides, named):
    with pytest.raises(ValueError, match=mentions(*named)):
        network(*overrides)


def test_a_densenet_that_keeps_its_input_grows_from_3_to_35_to_67(generator):
    """UDL figure 11.9."""
    model = network("model=densenet_input", "model.depth=10").eval()
    x = torch.randn(1, 3, 8, 8, generator=generator)
    first = model.stem(x)
    second = model.blocks[0][0](first)
    assert [first.shape[1], second.shape[1]] == [35, 67]
    assert torch.equal(first[:, :3], x)
    assert torch.equal(second[:, :35], first)
    assert network("model=densenet", "model.depth=10").blocks[0][0].channels == 16 + 12


@pytest.mark.parametrize("scale", [0.1, 0.2, 0.3])
def test_inception_resnet_scales_its_branches(scale, generator):
    model = network("model=inception_resnet", f"shortcut.branch_scale={scale}")
    block = model.blocks[1]
    x = torch.randn(2, 16, 8, 8, generator=generator).relu()
    torch.testing.assert_close(block(x), torch.relu(x + scale * block.transform(x)))
    assert NoShortcut not in {type(m) for m in model.modules()}
