"""Activations against their definitions."""

import pytest
import torch
from torch import nn

from resexp.config.catalog import options
from resexp.config.compose import compose, resolve
from resexp.config.instantiate import make
from resexp.experiments import build
from resexp.models.activations import CReLU, PReLU, activation_gain
from resexp.training.sgd import SGD, parameter_groups


def network(*overrides):
    return build.build_model(resolve(compose("train", ["model=resnet", "model.depth=8", *overrides])))


@pytest.mark.parametrize(("channel_wise", "slopes"), [(True, 3), (False, 1)])
def test_prelu_has_a_slope_per_channel_or_per_layer(channel_wise, slopes, generator):
    layer = PReLU(3, init=0.25, channel_wise=channel_wise)
    assert layer.weight.tolist() == [0.25] * slopes
    layer.weight.data = torch.rand(slopes, generator=generator)
    x = torch.randn(2, 3, 5, generator=generator)
    a = layer.weight.view(-1, 1)
    torch.testing.assert_close(layer(x), x.clamp(min=0) + a * x.clamp(max=0))


@pytest.mark.parametrize("block", ["post_activation", "full_preactivation", "inception", "fixup"])
def test_networks_have_a_slope_for_each_channel_that_is_activated(block):
    norm = "none" if block == "fixup" else "batch"
    depth = 14 if block == "inception" else 8
    model = network("activation=prelu", f"block={block}", f"norm={norm}", f"model.depth={depth}")
    widths = {}

    def note(layer, inputs):
        widths[layer] = inputs[0].shape[1]

    for module in model.modules():
        if isinstance(module, PReLU):
            module.register_forward_pre_hook(note)
    model(torch.zeros(2, 1, 40))
    assert len(widths) >= 7
    assert all(len(layer.weight) == channels for layer, channels in widths.items())


def test_slopes_are_not_decayed():
    """With gradients of zero, a step of SGD multiplies what is decayed by 1 - lr * decay, and only that."""
    model = network("activation=prelu")
    slopes = {id(m.weight) for m in model.modules() if isinstance(m, nn.PReLU)}
    before = {p: p.detach().clone() for p in model.parameters()}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    SGD(parameter_groups(model), lr=0.1, weight_decay=0.5).step()
    assert len(slopes) == 7
    for p, old in before.items():
        torch.testing.assert_close(p.detach(), old if id(p) in slopes else 0.95 * old)


def test_a_run_trains_them_so():
    config = resolve(compose("train", ["activation=prelu", "model=resnet", "model.depth=8", "batch_size=8"]))
    groups = build.trainer(config, torch.device("cpu")).optimizer.param_groups
    assert [group["weight_decay"] for group in groups] == [1e-4, 0.0]
    assert len(groups[1]["params"]) == 7


def test_an_activation_without_parameters_leaves_one_group():
    model = network()
    (group,) = parameter_groups(model)
    assert group["params"] == list(model.parameters())
    make(resolve(compose("train", []))["optimizer"], "optimizer")([group])


@pytest.mark.parametrize("name", options("activation"))
def test_the_gain_keeps_the_mean_square(name, generator):
    model = network(f"activation={name}", "block=full_preactivation")
    activation = next(m for m in model.modules() if getattr(m, "activates", False))
    channels = max((p.numel() for p in activation.parameters()), default=1)
    z = torch.randn(400_000, channels, generator=generator)
    kept = activation(z.clone()).square().sum() / z.square().sum() * activation_gain(activation) ** 2
    assert kept.item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 5)])
def test_interleaved_crelu_is_a_permutation_of_the_concatenated_one(shape, generator):
    x = torch.randn(shape, generator=generator)
    together, apart = CReLU(interleaved=True)(x), CReLU()(x)
    assert torch.equal(together, apart[:, [0, 3, 1, 4, 2, 5]])
    assert torch.equal(together[:, 2], x[:, 1].relu())
    assert torch.equal(together[:, 3], (-x[:, 1]).relu())


def test_networks_with_either_crelu_are_the_same_up_to_that_permutation(generator):
    """Permuting the columns of the weights behind it gives the same network."""
    inputs = torch.randn(4, 1, 40, generator=generator)
    a, b = (network("activation=crelu", "block=full_preactivation", "init=looks_linear", "norm=none",
                    f"activation.interleaved={flag}") for flag in ("false", "true"))  # fmt: skip
    torch.testing.assert_close(a(inputs), b(inputs), rtol=1e-4, atol=1e-4)
