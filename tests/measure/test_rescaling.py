"""Enlarged inputs in closed form; heat maps against the network on cut-out windows."""

import pytest
import torch
import torch.nn.functional as F
from helpers import Fixed, mentions
from torch import nn

from resexp import build_model
from resexp.measure.rescaling import at_scale, convolutional, enlarged, heat_map, trained

IMAGES = {"dataset": "fake", "model__depth": 8, "model__width": 4}
ONE_POSITION = {"+parts__kernel_size": 1}  # of convolutions: a window does not see what is beside it


class Mean(nn.Module):
    """Logits: the mean of a batch's channel and minus it."""

    def forward(self, x):
        mean = x.flatten(1).mean(1, keepdim=True)
        return torch.cat([mean, -mean], dim=1)


@pytest.mark.parametrize("factor", [1.5, 2, 3])
def test_a_line_stays_a_line(factor):
    """Linear interpolation is exact on linear functions but for the ends, where it is constant."""
    x = torch.arange(8.0).expand(1, 1, 8)
    found = enlarged(x, factor)[0, 0]
    expected = ((torch.arange(8 * factor) + 0.5) / factor - 0.5).clamp(0, 7)
    assert torch.allclose(found, expected, atol=1e-5)


def test_constant_inputs_are_the_same_at_every_scale():
    x = torch.tensor([0.5, -1.0, 2.0]).view(3, 1, 1, 1).expand(3, 1, 8, 8)
    y = torch.tensor([0, 0, 0])
    for factor in (1, 1.1, 3):
        found = at_scale(Mean(), x, y, factor, 2)
        right = torch.sigmoid(2 * torch.tensor([0.5, -1.0, 2.0]).double())
        assert found["error_percent"] == pytest.approx(100 / 3)
        assert found["probability"] == pytest.approx(right.mean().item(), rel=1e-5)
        assert found["confidence"] == pytest.approx(torch.maximum(right, 1 - right).mean().item(), rel=1e-5)


@pytest.mark.parametrize("name", ["resnet", "vgg", "plain"])
def test_at_the_original_size_there_is_one_window_with_the_networks_logits(name, generator):
    choices = {"model__depth": 11} if name == "vgg" else {}
    model = build_model(name, **(IMAGES | choices)).eval()
    x = torch.randn(3, 3, 32, 32, generator=generator)
    with torch.no_grad():
        found = convolutional(model, x)(x)
        assert found.shape[2:] == (1, 1)
        assert torch.allclose(found[:, :, 0, 0], model(x), atol=1e-5)


def test_a_window_far_from_the_edges_is_the_network_on_that_part(generator):
    """Without padding inside: kernels of one position, strides as they are."""
    model = build_model("resnet", **IMAGES, **ONE_POSITION).eval()
    x = torch.randn(2, 3, 32, 32, generator=generator)
    with torch.no_grad():
        found = convolutional(model, x[:, :, :16, :16])(x)
        assert found.shape[2:] == (5, 5), "features of 8 x 8, windows of 4 x 4"
        for row, column in ((0, 0), (2, 3), (4, 4)):
            part = x[:, :, 4 * row : 4 * row + 16, 4 * column : 4 * column + 16]
            assert torch.allclose(found[:, :, row, column], model(part), atol=1e-5)


def test_the_middle_of_the_canvas_sees_the_input(generator):
    model = build_model("resnet", **IMAGES, **ONE_POSITION).eval()
    x, y = torch.randn(4, 3, 8, 8, generator=generator), torch.tensor([1, 5, 5, 9])
    with torch.no_grad():
        shares = F.softmax(model(x).double(), dim=1)[torch.arange(4), y].mean().item()
        table = heat_map(model, x, y, 3)
    assert len(table) == 25
    middle = table[table["offset"] == 0]
    assert middle["probability"].item() == pytest.approx(shares, rel=1e-4)
    assert table["offset"].max() == pytest.approx(2**0.5)


def test_the_tables_of_sequences(generator):
    model = build_model("resnet", model__depth=8, model__width=4).eval()
    x, y = torch.randn(12, 1, 40, generator=generator), torch.arange(12) % 10
    options = {"factors": [1, 2], "examples": 12, "canvas": 3, "canvas_examples": 5, "batch_size": 5}
    tables = trained(Fixed(model, x, y), **options)
    with torch.no_grad():
        wrong = (model(x).argmax(1) != y).double().mean().item()
    assert tables["scales"]["error_percent"][0] == pytest.approx(100 * wrong)
    assert tables["heat"]["row"].unique().tolist() == [0], "sequences are images of one row"
    with pytest.raises(ValueError, match=mentions("measure.factors", "0")):
        trained(Fixed(model, x, y), **(options | {"factors": [1, 0]}))


def test_other_networks_have_no_heat_map(generator):
    x = torch.zeros(2, 1, 40)
    with pytest.raises(ValueError, match=mentions("features", "linear")):
        convolutional(build_model("mlp").eval(), x)
