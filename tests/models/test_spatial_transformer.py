"""Spatial transformers against the equations written out, and the networks of the experiment."""

from itertools import pairwise

import pytest
import torch
from helpers import mentions
from torch import nn

from resexp.config.compose import compose, resolve
from resexp.config.instantiate import make
from resexp.experiments.build import build_model
from resexp.experiments.checks import check
from resexp.models.spatial_transformer import SpatialTransformer, look
from resexp.training.sgd import parameter_groups


def network(*overrides):
    config = resolve(
        compose("train", ["dataset=mnist_addition_embedded", "dataset.size=[42,42]", *overrides])
    )
    return build_model(config)


def pixels(coordinate, size):
    """From -1..1, edge to edge, to numbers of pixels."""
    return ((coordinate + 1) * size - 1) / 2


def looked_at(x, theta, patch):
    """V_i = sum over n and m of U_nm max(0, 1 - |x_i - m|) max(0, 1 - |y_i - n|), pixel by pixel."""
    batch, channels, height, width = x.shape
    out = torch.zeros(batch, channels, *patch, dtype=x.dtype)
    for b in range(batch):
        for i in range(patch[0]):
            for j in range(patch[1]):
                target = torch.tensor([(2 * j + 1) / patch[1] - 1, (2 * i + 1) / patch[0] - 1, 1.0])
                source = theta[b] @ target
                at_x, at_y = pixels(source[0], width), pixels(source[1], height)
                near_x = (1 - (at_x - torch.arange(width)).abs()).clamp(min=0)
                near_y = (1 - (at_y - torch.arange(height)).abs()).clamp(min=0)
                out[b, :, i, j] = (x[b] * near_y[:, None] * near_x).sum((1, 2))
    return out


def test_sampling_is_the_papers_equation(generator):
    """Equations 1 and 5, places outside of the image included."""
    x = torch.rand(2, 3, 6, 7, generator=generator)
    theta = torch.randn(2, 2, 3, generator=generator)
    torch.testing.assert_close(look(x, theta, (4, 5)), looked_at(x, theta, (4, 5)), atol=1e-5, rtol=1e-4)


def test_gradients_are_those_of_the_equation(generator):
    """Equations 6 and 7, by automatic differentiation of the slow version."""
    x = torch.rand(1, 1, 5, 5, generator=generator, requires_grad=True)
    theta = (0.4 * torch.randn(1, 2, 3, generator=generator)).requires_grad_()
    found = torch.autograd.grad(look(x, theta, (3, 3)).square().sum(), (x, theta))
    expected = torch.autograd.grad(looked_at(x, theta, (3, 3)).square().sum(), (x, theta))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("init", ["he", "glorot", "orthogonal"])
def test_at_the_start_nothing_is_moved(init, generator):
    model = network("model=stn2", "model.patch=[42,42]", f"init={init}")
    x = torch.rand(4, 2, 42, 42, generator=generator)
    torch.testing.assert_close(model.attended(x), torch.cat([x, x], 1), atol=1e-5, rtol=1e-5)


def test_the_first_step_turns_it(generator):
    model = network("model=stn")
    x = torch.rand(8, 2, 42, 42, generator=generator)
    nn.functional.cross_entropy(model(x), torch.arange(8)).backward()
    assert all(transformer.pose.weight.grad.abs().sum() > 0 for transformer in model.transformers)


def test_half_the_image_is_a_crop(generator):
    """An affine map that halves both axes and looks at the upper left quarter."""
    parts = make(resolve(compose("train", []))["parts"], "parts")
    module = SpatialTransformer(2, (8, 8), (4, 4), hidden=[3], parts=parts).eval()
    x = torch.rand(2, 2, 8, 8, generator=generator)
    with torch.no_grad():
        module.pose.bias.copy_(torch.tensor([0.5, 0, -0.5, 0, 0.5, -0.5]))
    torch.testing.assert_close(module(x), x[:, :, :4, :4])


def test_bfloat16_moves_no_place(generator):
    x = torch.rand(2, 1, 42, 42, generator=generator)
    theta = torch.randn(2, 2, 3, generator=generator)
    with torch.autocast("cpu", torch.bfloat16):
        found = look(x, theta, (28, 28))
    assert torch.equal(found, look(x, theta, (28, 28)))


PARAMETERS = {"fcn": 487_571, "cnn": 483_211, "stn": 490_319, "stn2": 489_605}


def counted(name):
    """By hand, with a scale and a shift for every normalized unit."""

    def dense(*units):
        return sum(a * b + b for a, b in pairwise(units))

    def fcn(pixels, units):  # no biases before normalization
        return pixels * units + 2 * units * units + 3 * 2 * units + dense(units, 19)

    localization = dense(2 * 42 * 42, 32, 32, 32, 6) + 3 * 2 * 32
    return {
        "fcn": fcn(2 * 42 * 42, 128),
        "cnn": 2 * 25 * 8 + 8 + 8 * 25 * 16 + 16 + 2 * (8 + 16) + dense(16 * 10 * 10, 296, 19),
        "stn": localization + fcn(2 * 28 * 28, 190),
        "stn2": 2 * localization + fcn(4 * 28 * 28, 78),
    }[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_four_networks_have_equal_parameters_to_two_percent(name):
    count = sum(p.numel() for p in network(f"model={name}").parameters())
    assert count == counted(name) == PARAMETERS[name]
    assert count == pytest.approx(PARAMETERS["fcn"], rel=0.02)


def test_each_of_two_looks_for_itself(generator):
    """The patch of each is in its place: the first looks at the upper left, the second at the whole."""
    model = network("model=stn2", "model.patch=[21,21]").eval()
    x = torch.rand(2, 2, 42, 42, generator=generator)
    with torch.no_grad():
        model.transformers[0].pose.bias.copy_(torch.tensor([0.5, 0, -0.5, 0, 0.5, -0.5]))
        found = model.attended(x)
    torch.testing.assert_close(found[:, :2], x[:, :, :21, :21])
    # every pixel of the other patch lies between four of the image
    torch.testing.assert_close(found[:, 2:], nn.functional.avg_pool2d(x, 2))


def test_where_it_looks_is_not_decayed():
    model = network("model=stn2")
    decayed, others = parameter_groups(model)
    assert others["weight_decay"] == 0
    ids = {id(parameter) for parameter in others["params"]}
    for transformer in model.transformers:
        assert {id(transformer.pose.weight), id(transformer.pose.bias)} <= ids
    assert id(model.transformers[0].localization[1].weight) in {id(p) for p in decayed["params"]}


def test_none_is_the_classifier_alone(generator):
    model, x = network("model=fcn").eval(), torch.rand(2, 2, 42, 42, generator=generator)
    assert torch.equal(model(x), model.classifier(x))


@pytest.mark.parametrize(
    "classifier",
    [
        ["model@model.classifier=cnn", "model.width=4"],
        ["model@model.classifier=resnet20", "~model.classifier.size", "model.depth=8", "model.width=4"],
    ],
)
def test_any_classifier_may_follow(classifier, generator):
    model = network("model=stn2", *classifier)
    assert model(torch.rand(2, 2, 42, 42, generator=generator)).shape == (2, 19)
    assert len(model.blocks)


def test_the_classifiers_blocks_may_be_chosen():
    classifier = ["model@model.classifier=resnet20", "~model.classifier.size", "model.depth=8"]
    overrides = ["dataset=mnist_addition_embedded", "model=stn", *classifier, "block=full_preactivation"]
    check(resolve(compose("train", overrides)))


def test_sequences_are_images_of_one_row(generator):
    config = resolve(compose("train", ["dataset=mnist1d", "model=stn"]))
    model = build_model(config)
    assert model.attended(torch.rand(2, 1, 40, generator=generator)).shape == (2, 1, 1, 28)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["model=stn", "model.transformers=-1"], ["model.transformers", "-1"]),
        (
            ["model=stn", "model.transformers=0"],
            ["model.transformers=0", "model.patch", "[42, 42]", "[28, 28]"],
        ),
        (["model=cnn", "model.depth=2"], ["model.depth", "3", "2"]),
        (["model=cnn", "model.depth=8"], ["model.depth", "7", "8"]),
        (["model=cnn", "shortcut=zero_pad"], ["model=cnn", "shortcut=..."]),
    ],
)
def test_what_does_not_fit_is_refused(overrides, named):
    with pytest.raises(ValueError, match=mentions(*named)):
        check(
            resolve(compose("train", ["dataset=mnist_addition_embedded", "dataset.size=[42,42]", *overrides]))
        )
