"""Initializations against closed forms of what they are to keep."""

from functools import partial

import pytest
import torch
from helpers import mentions
from torch import nn

from resexp.config.compose import compose, resolve
from resexp.experiments import build
from resexp.models import inits
from resexp.models.activations import CReLU
from resexp.models.blocks import Block
from resexp.models.layers import Basic
from resexp.models.looks_linear import looks_linear as looks_linear_weights
from resexp.models.norms import BatchNorm
from resexp.models.orders import full_preactivation, post_activation, relu_before_addition
from resexp.models.parts import Parts
from resexp.models.resnet import resnet
from resexp.models.shortcuts import Gated, ZeroPad

NONE = nn.Identity


def network(order=post_activation, norm=BatchNorm, activation=nn.ReLU, shortcut=ZeroPad, depth=8, **layers):
    parts = Parts(2, norm if norm is BatchNorm else lambda channels: NONE(), activation, shortcut)
    block = Block(order, Basic(**layers))
    return resnet(depth, width=8, c_in=3, num_classes=5, block=block, parts=parts)


def weights(model):
    return [m.weight for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def test_glorot(generator):
    model = nn.Sequential(nn.Conv2d(64, 32, 3), nn.Linear(400, 100))
    inits.glorot(model, generator)
    for layer, fans in zip(model, (64 * 9 + 32 * 9, 500), strict=True):
        bound = (6 / fans) ** 0.5
        assert layer.weight.abs().max() <= bound
        # the variance of U(-b, b); its estimate has a relative standard deviation of sqrt(0.8 / n)
        n = layer.weight.numel()
        assert layer.weight.var().item() == pytest.approx(bound**2 / 3, rel=5 * (0.8 / n) ** 0.5)
        assert not layer.bias.any()


def test_orthogonal(generator):
    model = nn.Sequential(nn.Conv2d(4, 16, 3), nn.Linear(40, 16), nn.Linear(40, 10))
    inits.orthogonal(model, generator, gain=2**0.5)
    for layer, expected in zip(model, (2 * torch.eye(16), 2 * torch.eye(16), torch.eye(10)), strict=True):
        matrix = layer.weight.flatten(1)
        torch.testing.assert_close(matrix @ matrix.T, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("activation", "square"), [("relu", 2.0), ("linear", 1.0), ("crelu", 1.0), ("prelu", 2 / (1 + 0.25**2))]
)
def test_orthogonal_has_the_gain_of_the_activation(activation, square):
    """He et al. 2015b, eq. 14, with the slope a of eq. 15 below zero."""
    overrides = [f"activation={activation}", "init=orthogonal", "model=plain", "model.depth=8"]
    stem, *_, classifier = weights(build.build_model(resolve(compose("train", overrides))))
    matrix = stem.flatten(1)  # more rows than columns: its columns are orthogonal
    torch.testing.assert_close(matrix.T @ matrix, square * torch.eye(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(classifier @ classifier.T, torch.eye(10), atol=1e-4, rtol=0)


def test_zero_gamma_starts_every_block_as_the_identity(generator):
    model = network()
    inits.zero_gamma(model, generator)
    x = torch.randn(4, 8, 6, 6, generator=generator).relu()
    torch.testing.assert_close(model.blocks[0](x), x)
    assert all(block.transform[1].weight.eq(1).all() for block in model.blocks)


def test_looks_linear_pairs_its_weights(generator):
    model = network(order=full_preactivation, norm=NONE, activation=CReLU)
    looks_linear_weights(model, generator)
    stem, *others = weights(model)
    matrix = stem.flatten(1)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(8), atol=1e-5, rtol=0)
    for weight in others:
        half = weight.shape[1] // 2
        assert torch.equal(weight[:, :half], -weight[:, half:])
        assert weight.any()


LINEAR = [
    "model=plain",
    "model=resnet block=full_preactivation",
    "model=resnet block=relu_only_preactivation shortcut=rescaled",
    "model=resnet shortcut=projection",
    "model=resnet shortcut=projection_everywhere",
    "model=preact model.depth=11",
    "model=wide model.depth=10 model.widen=1",
    "model=densenet model.depth=13",
    "model=densenet_bc model.depth=16",
    "model=fleuret model.depth=6 block=full_preactivation",
    "model=mlp",
    "model=multi model.depth=8",
    "model=recurrent block=full_preactivation",
    "model=residual_mlp block=full_preactivation",
    "model=ror model.depth=8",
    "model=ror model.depth=8 model.width=9 block=full_preactivation",
    "model=stochastic model.depth=8 block=full_preactivation",
]
NOT_LINEAR = [
    "model=vgg model.width=8",
    "model=fractal",
    "model=highway block=full_preactivation",
    "model=resnext model.depth=11 model.width=8",
    "model=resnet model.depth=14 block=two_way shortcut=projection",
    "model=resnet block=wide shortcut=projection",
    "model=residual_mlp block=full_preactivation shortcut=dropout",
    "model=imagenet_resnet18 shortcut=projection",
]


def looks_linear(overrides):
    fixed = ["norm=none", "activation=crelu", "init=looks_linear", "dataset=mnist1d"]
    return build.build_model(resolve(compose("train", [*fixed, *overrides.split()]))).double().eval()


@pytest.mark.parametrize("overrides", LINEAR)
def test_looks_linear_networks_are_linear(overrides, generator):
    model = looks_linear(overrides)
    x, y = torch.randn(2, 4, 1, 40, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(model(2 * x - 3 * y), 2 * model(x) - 3 * model(y))
    assert model(x).std() > 1e-3
    inits.he(model, generator)
    assert not torch.allclose(model(2 * x), -2 * model(-x)), "it is the pairs that make it linear"


@pytest.mark.parametrize("overrides", NOT_LINEAR)
def test_what_pairs_cannot_make_linear_is_refused(overrides):
    with pytest.raises(
        ValueError, match=mentions("init=looks_linear", "model=plain", "block=full_preactivation")
    ):
        looks_linear(overrides)


def test_fixup_starts_at_nothing_and_scales_its_branches(generator):
    model = network(norm=NONE, count=3, depth=3 * 3 * 2 + 2)
    inits.fixup(model, generator)
    x = torch.randn(4, 8, 6, 6, generator=generator).relu()
    torch.testing.assert_close(model.blocks[0](x), x)
    assert not model(torch.randn(2, 3, 8, 8, generator=generator)).any()
    first = model.blocks[1].transform[0].weight
    n, expected = first.numel(), 2 / (8 * 9) * 6 ** (-2 / (2 * 3 - 2))  # K^(-1/(2m-2)), squared
    assert first.var().item() == pytest.approx(expected, rel=5 * (2 / n) ** 0.5)


def test_gates_start_at_their_bias(generator):
    gate = partial(Gated, gate_bias=-4.0, exclusive=True)
    for init in (inits.he, inits.glorot, inits.orthogonal, inits.he_everywhere):
        model = network(shortcut=gate)
        init(model, generator)
        assert all((block.shortcut.gate.bias == -4).all() for block in model.blocks)


@pytest.mark.parametrize(
    ("init", "model", "named"),
    [
        (inits.zero_gamma, lambda: network(norm=NONE), ["init=zero_gamma", "block=post_activation"]),
        (
            inits.zero_gamma,
            lambda: network(order=full_preactivation),
            ["init=zero_gamma", "block=post_activation"],
        ),
        (
            inits.zero_gamma,
            lambda: network(order=relu_before_addition, activation=nn.PReLU),
            ["init=zero_gamma", "block=post_activation"],
        ),
        (inits.zero_gamma, lambda: nn.Linear(2, 2), ["model=resnet"]),
        (looks_linear_weights, network, ["init=looks_linear", "activation=crelu"]),
        (inits.fixup, network, ["init=fixup", "norm=none"]),
        (inits.fixup, lambda: nn.Linear(2, 2), ["model=resnet"]),
    ],
)
def test_models_that_do_not_fit_are_refused(init, model, named):
    with pytest.raises(ValueError, match=mentions(*named)):
        init(model(), torch.Generator())


def test_initializations_can_be_checked_on_the_meta_device():
    with torch.device("meta"):
        model = network()
    for init in (inits.he, inits.he_everywhere, inits.glorot, inits.orthogonal, inits.zero_gamma):
        init(model, None)


def assert_variance(weight, variance):
    # the sample variance of n normal numbers has a relative standard deviation of sqrt(2 / n)
    count = weight.numel()
    assert weight.var().item() == pytest.approx(variance, rel=5 * (2 / count) ** 0.5)
    assert abs(weight.mean().item()) < 5 * (variance / count) ** 0.5


@pytest.mark.parametrize(
    ("layer", "fan_out"),
    [(nn.Conv2d(32, 64, 3), 576), (nn.Conv1d(64, 128, 3), 384), (nn.Linear(256, 128), 128)],
)
def test_he_variance_is_two_over_fan_out(layer, fan_out, generator):
    inits.he(nn.Sequential(layer, nn.Linear(4, 2)), generator)
    assert_variance(layer.weight, 2 / fan_out)
    assert not layer.bias.any()


def test_he_draws_the_classifier_as_torch7_did(generator):
    layer = nn.Linear(256, 128)
    inits.he(layer, generator)
    assert layer.weight.abs().max() <= 256**-0.5
    assert_variance(layer.weight, 1 / (3 * 256))
    assert not layer.bias.any()


@pytest.mark.parametrize("layer", [nn.Conv2d(32, 64, 3), nn.Conv1d(64, 128, 3), nn.Linear(256, 128)])
def test_he_everywhere_is_two_over_fan_in(layer, generator):
    inits.he_everywhere(nn.Sequential(layer), generator)
    assert_variance(layer.weight, 2 / layer.weight[0].numel())
    assert not layer.bias.any()


@pytest.mark.parametrize("layer", [nn.Conv2d(32, 64, 3), nn.Linear(256, 128)])
def test_he_fan_in_is_two_over_fan_in_and_torch7s_classifier(layer, generator):
    classifier = nn.Linear(300, 200)
    inits.he_fan_in(nn.Sequential(layer, classifier), generator)
    assert_variance(layer.weight, 2 / layer.weight[0].numel())
    assert_variance(classifier.weight, 1 / (3 * 300))
    assert not layer.bias.any()
    assert not classifier.bias.any()


def test_he_leaves_the_global_generator_alone(generator):
    layer = nn.Linear(3, 3)
    before = torch.get_rng_state()
    inits.he(layer, generator)
    assert torch.equal(torch.get_rng_state(), before)
