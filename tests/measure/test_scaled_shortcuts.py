"""Scaled shortcuts against lambda^(L - l)."""

import pytest
import torch
from helpers import mentions

from resexp.measure.scaled_shortcuts import measure

SIZES = {"depth": 10, "width": 64, "inputs": 32, "networks": 8, "branch_scale": 0.1}


def found(**changes):
    return measure(**{"seed": 0, "device": torch.device("cpu"), "scales": [0.8, 1.0, 1.2]} | SIZES | changes)[
        "carried"
    ]


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_shortcuts_carry_powers_of_their_scale(direction):
    """Over networks, the mean is lambda^(L - l), within five standard errors."""
    table = found()
    table["ratio"] = table[direction] / table["scale"] ** (10 - table["block"])
    means = table.groupby(["scale", "block"])["ratio"].agg(["mean", "sem"])
    assert ((means["mean"] - 1).abs() <= 5 * means["sem"] + 1e-12).all()
    assert table[table["block"] == 10][direction].eq(1).all()
    expected = (table["scale"] ** (10 - table["block"])).to_list()
    assert table["closed_form"].to_list() == pytest.approx(expected)


def test_without_branches_it_is_exact():
    table = found(branch_scale=0.0, networks=1)
    for direction in ("forward", "backward"):
        assert table[direction].to_list() == pytest.approx(table["closed_form"].to_list(), rel=1e-12)


def test_branches_are_measured_and_not_left_out():
    assert found(networks=1).query("block == 0")["forward"].std() > 0
    assert (found(networks=1, branch_scale=1.0)["forward"] / found(networks=1)["forward"] != 1).any()


def test_gradients_are_those_of_autograd():
    """The block as its equation says, its weights drawn again, the normalization held fixed."""
    sizes = {"depth": 3, "width": 6, "inputs": 4, "branch_scale": 0.7, "networks": 1, "scales": [0.8]}
    draw = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float64}
    streams = [torch.randn(4, 6, **draw).requires_grad_()]
    for _ in range(3):
        h, weight = streams[-1], torch.randn(6, 6, **draw) * (2 / 6) ** 0.5
        streams.append(0.8 * h + 0.7 * (h / h.detach().square().mean().sqrt()).relu() @ weight.T)
    last = torch.randn(4, 6, **draw)
    gradients = torch.autograd.grad((streams[-1] * last).sum(), streams)
    backward = [((g * last).sum() / last.square().sum()).item() for g in gradients]
    forward = [((h * streams[-1]).sum() / h.square().sum()).item() for h in streams]
    table = found(**sizes)
    assert table["backward"].tolist() == pytest.approx(backward)
    assert table["forward"].tolist() == pytest.approx(forward)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"depth": 0}, ["measure.depth", "1", "0"]), ({"scales": [0.0]}, ["measure.scales", "0"])],
)
def test_settings_out_of_range_are_refused(wrong, named):
    with pytest.raises(ValueError, match=mentions(*named)):
        found(**wrong)
