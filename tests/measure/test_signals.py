"""Signals and gradients against closed forms and finite differences."""

import math

import pytest
import torch
import torch.nn.functional as F
from helpers import Fixed, mentions
from torch import nn

from resexp import build_model
from resexp.measure.signals import signals, trained


class Chain(nn.Module):
    """Convolutions that multiply by a number, then the mean over positions as a logit."""

    def __init__(self, *factors):
        super().__init__()
        self.layers = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1, bias=False) for _ in factors))
        with torch.no_grad():
            for layer, factor in zip(self.layers, factors, strict=True):
                layer.weight.zero_()[0, 0, 1, 1] = factor

    def forward(self, x):
        logit = self.layers(x).mean((2, 3))
        return torch.cat([logit, torch.zeros_like(logit)], dim=1)


def test_a_linear_chain_in_closed_form():
    """Signals grow by each factor, gradients by each factor behind: what vanishes, vanishes by a product."""
    x, y = torch.ones(6, 1, 4, 4), torch.zeros(6, dtype=torch.long)
    found = signals(Chain(0.5, 0.1, 2.0), x, y)
    assert found["signal"].tolist() == pytest.approx([0.5, 0.05, 0.1])
    wrong = 1 - 1 / (1 + math.exp(-0.1))  # one minus the share of the right class
    at_end = wrong / 16 * 4  # 16 positions share the mean; norm over them
    assert found["gradient"].tolist() == pytest.approx([at_end * 0.2, at_end * 2, at_end], rel=1e-5)


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("name", ["plain", "resnet"])
def test_gradients_are_the_slopes_of_the_loss(name, norm, generator):
    model = build_model(name, model__depth=8, model__width=4, norm=norm).double().train()
    x = torch.randn(16, 1, 40, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 10, (16,), generator=generator)
    found = signals(model, x, y).set_index("layer")
    assert len(found) == 7
    weight = model.blocks[1].transform[0].weight
    direction = weight.grad.clone() / weight.grad.norm()
    with torch.no_grad():
        losses = []
        for step in (1e-7, -1e-7):
            weight += step * direction
            losses.append(F.cross_entropy(model(x), y))
            weight -= step * direction
    slope = (losses[0] - losses[1]).item() / 2e-7
    assert found["weight_gradient"][4] == pytest.approx(slope / weight.norm().item(), rel=1e-4)


def test_a_table_for_each_stage(generator):
    model = build_model("resnet", model__depth=8, model__width=4)
    x, y = torch.randn(40, 1, 40, generator=generator), torch.arange(40) % 10
    table = trained(Fixed(model, x, y), examples=20)["layers"]
    assert table.groupby("stage").size().to_dict() == {"initial": 7, "trained": 7}
    chosen = torch.arange(0, 40, 2)
    of_batch = signals(model.train(), x[chosen], y[chosen])["signal"]
    assert table["signal"][:7].tolist() == pytest.approx(of_batch.tolist(), rel=1e-5), "training mode"


def test_networks_without_convolutions_are_refused():
    with pytest.raises(ValueError, match=mentions("convolutions", "none")):
        signals(build_model("mlp"), torch.zeros(2, 1, 40), torch.zeros(2, dtype=torch.long))
