import pytest
import torch
from torch import nn

from resexp.models.inits import he, he_everywhere
from resexp.models.norms import group
from resexp.models.shortcuts import NoShortcut, ZeroPad
from resexp.models.weights import load_by_position


def test_zero_pad_adds_the_strided_input():
    x = torch.arange(2 * 3 * 4 * 4.0).view(2, 3, 4, 4)
    y = ZeroPad(3, 5, 2)(x, torch.zeros(2, 5, 2, 2))
    assert torch.equal(y[:, :3], x[:, :, ::2, ::2])
    assert not y[:, 3:].any()


def test_zero_pad_of_equal_shapes_is_a_sum():
    x, branch = torch.randn(2, 2, 3, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ZeroPad(2, 2, 1)(x, branch), x + branch)


def test_zero_pad_refuses_to_drop_channels():
    with pytest.raises(ValueError, match="c_out >= c_in"):
        ZeroPad(8, 4, 1)


def test_no_shortcut_is_the_branch():
    branch = torch.ones(1, 2, 3)
    assert NoShortcut(4, 2, 2)(torch.zeros(1, 4, 6), branch) is branch


def test_group_normalizes_each_group(generator):
    x = torch.randn(2, 6, 5, generator=generator) * 3 + 1
    y = group(6, groups=2)(x).view(2, 2, -1)
    torch.testing.assert_close(y.mean(2), torch.zeros(2, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.var(2, correction=0), torch.ones(2, 2), atol=1e-4, rtol=0)


def test_group_refuses_what_does_not_divide():
    with pytest.raises(ValueError, match="must divide the 16 channels, got 3"):
        group(16, groups=3)


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
    he(nn.Sequential(layer, nn.Linear(4, 2)), generator)
    assert_variance(layer.weight, 2 / fan_out)
    assert not layer.bias.any()


def test_he_draws_the_classifier_as_torch7_did(generator):
    layer = nn.Linear(256, 128)
    he(layer, generator)
    assert layer.weight.abs().max() <= 256**-0.5
    assert_variance(layer.weight, 1 / (3 * 256))
    assert not layer.bias.any()


@pytest.mark.parametrize("layer", [nn.Conv2d(32, 64, 3), nn.Conv1d(64, 128, 3), nn.Linear(256, 128)])
def test_he_everywhere_is_two_over_fan_in(layer, generator):
    he_everywhere(nn.Sequential(layer), generator)
    assert_variance(layer.weight, 2 / layer.weight[0].numel())
    assert not layer.bias.any()


def test_he_leaves_the_global_generator_alone(generator):
    layer = nn.Linear(3, 3)
    before = torch.get_rng_state()
    he(layer, generator)
    assert torch.equal(torch.get_rng_state(), before)


def two_layers():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_load_by_position_copies_weights_and_statistics():
    source = nn.ModuleDict({"a": nn.Conv2d(3, 4, 3), "b": nn.BatchNorm2d(4)})
    source["b"].running_mean.fill_(7)
    target = two_layers()
    load_by_position(target, source.state_dict())
    assert torch.equal(target[0].weight, source["a"].weight)
    assert target[1].running_mean.tolist() == [7] * 4


def test_load_by_position_names_the_entry_and_both_shapes():
    target = two_layers()
    before = target[0].weight.clone()
    other = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(5))
    with pytest.raises(ValueError, match=r"entry 1.weight has shape \(4,\), but 1.weight .* \(5,\)"):
        load_by_position(target, other.state_dict())
    assert torch.equal(target[0].weight, before), "nothing is copied unless everything fits"


def test_load_by_position_refuses_another_number_of_entries():
    with pytest.raises(ValueError, match=r"6 entries and the state dict 2: only the model has 1.weight"):
        load_by_position(two_layers(), nn.Conv2d(3, 4, 3).state_dict())
    with pytest.raises(ValueError, match="only the state dict has"):
        load_by_position(nn.Conv2d(3, 4, 3), two_layers().state_dict())
