"""Derivatives of activations against integrals, autograd and counts by hand."""

import pytest
import torch
from helpers import Fixed, mentions
from torch import nn

from resexp import build_model
from resexp.measure.activation_derivatives import measure, slope, trained

CPU = torch.device("cpu")


def found(name, make, gain=1.0, **changes):
    sizes = {"depth": 6, "width": 200, "inputs": 200, "networks": 3} | changes
    return measure(seed=0, device=CPU, activations={name: make}, gains={name: gain}, **sizes)["layers"]


@pytest.mark.parametrize("make", [nn.Sigmoid, nn.Tanh, nn.ReLU, nn.ELU])
def test_derivatives_of_the_first_layer_are_an_integral(make):
    """E phi'(z) = E z phi(z) for z ~ N(0, 1) (Stein), by quadrature."""
    z = torch.linspace(-9, 9, 20001, dtype=torch.float64)
    density = torch.exp(-z * z / 2)
    expected = (z * make()(z.clone()) * density).sum() / density.sum()
    table = found("x", make, depth=1)
    assert table["derivative"].mean() == pytest.approx(expected.item(), abs=0.01)
    assert table["product"].equals(table["derivative"])


def test_the_product_of_sigmoids_vanishes():
    table = found("sigmoid", nn.Sigmoid).groupby("layer").mean(numeric_only=True)
    assert (table["product"] <= 0.25 ** table.index.to_numpy()).all()
    assert table["gradient_rms"].is_monotonic_increasing
    assert table["gradient_rms"].iloc[-1] == pytest.approx(1, abs=0.02), "as drawn at the last layer"


def test_half_of_all_relus_are_active_and_their_gradient_stays():
    """He et al. 2015b: with variance 2 / n the gradient keeps its size; its product halves by layer."""
    table = found("relu", nn.ReLU, gain=2**0.5, networks=20).groupby("layer").mean(numeric_only=True)
    assert table["derivative"].to_numpy() == pytest.approx(0.5, abs=0.03)
    assert table["product"].to_numpy() == pytest.approx(0.5 ** table.index.to_numpy(), rel=0.3)
    assert table["gradient_rms"].to_numpy() == pytest.approx(1, abs=0.15)


def test_a_slope_is_taken_without_writing_over_the_input():
    z = torch.tensor([-1.0, 2.0])
    assert slope(nn.ReLU(inplace=True), z).tolist() == [0, 1]
    assert z.tolist() == [-1, 2]


def named(activation, model, x):
    run = Fixed(model, x, torch.zeros(len(x)))
    run.config = {"activation": {"name": activation}}
    return run


@pytest.mark.parametrize(("activation", "dies"), [("relu", True), ("leaky_relu", False), ("sigmoid", False)])
def test_channels_that_are_never_active_are_counted(activation, dies, generator):
    model = build_model("resnet", model__depth=8, model__width=4, activation=activation, norm="none")
    with torch.no_grad():
        for layer in (model.stem[0], model.blocks[1].transform[0]):
            layer.weight[:2] = -layer.weight[:2].abs()  # below zero for inputs of one sign
    x = torch.rand(16, 1, 40, generator=generator) + 1
    table = trained(named(activation, model, x), batch=8)["dead"]
    assert set(table["activation"]) == {activation}
    counts = table[table["stage"] == "trained"].set_index("layer")
    assert counts["channels"].tolist() == [4, 4, 4, 8, 8, 16, 16]
    assert (counts["dead"][0] == 2) == dies
    assert (counts["dead"][3] >= 2) == dies
    assert counts["dead"].any() == dies


def test_a_network_without_activations_is_refused():
    with pytest.raises(ValueError, match=mentions("measure=activation_derivatives")):
        trained(Fixed(nn.Linear(3, 3), torch.zeros(2, 3), torch.zeros(2)), batch=2)


def test_gradients_are_those_of_autograd():
    """The weights drawn again in their order: inputs, each layer's, the gradient at the last layer."""
    table = found("tanh", nn.Tanh, gain=1.5, depth=4, width=7, inputs=5, networks=1)
    draw = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float64}
    layers = [torch.randn(5, 7, **draw).requires_grad_()]
    weights = [torch.randn(7, 7, **draw) * 1.5 / 7**0.5 for _ in range(4)]
    for weight in weights[:3]:
        layers.append(layers[-1].tanh() @ weight.T)
    gradients = torch.autograd.grad((layers[-1] * torch.randn(5, 7, **draw)).sum(), layers)
    expected = [g.square().mean().sqrt().item() for g in gradients]
    assert table["gradient_rms"].tolist() == pytest.approx(expected)


def test_a_channel_that_is_active_in_any_batch_is_not_dead(generator):
    model = build_model("resnet", model__depth=8, model__width=4, norm="none")
    with torch.no_grad():
        model.stem[0].weight[:2] = -model.stem[0].weight[:2].abs()
        model.stem[0].weight[2:] = model.stem[0].weight[2:].abs()
    x = torch.rand(8, 1, 40, generator=generator) + 1
    both = torch.cat([x, -x, x])  # the last batch has not what the second has
    dead = [trained(named("relu", model, some), batch=8)["dead"] for some in (x, both)]
    assert [table["dead"][0] for table in dead] == [2, 0]
