"""Weights of paths against enumeration and closed forms."""

from itertools import product
from math import comb, log2, prod

import pytest
import torch
from helpers import Fixed

from resexp import build_model
from resexp.measure.path_weights import branch_weights, by_length, log2_paths, trained


def test_weights_by_length_are_those_of_all_paths():
    weights = [0.1, 0.5, 0.8, 0.3]
    paths = {
        taken: prod(w if on else 1 - w for w, on in zip(weights, taken, strict=True))
        for taken in product([False, True], repeat=4)
    }
    for length, found in enumerate(by_length(weights)):
        assert found == pytest.approx(sum(w for taken, w in paths.items() if sum(taken) == length))
    assert log2_paths(weights) == pytest.approx(-sum(w * log2(w) for w in paths.values()))


def test_equal_weights_are_binomial_and_all_paths_count():
    assert by_length([0.5] * 6) == [comb(6, k) / 64 for k in range(7)]
    assert log2_paths([0.5] * 6) == 6
    assert log2_paths([0.5, 1.0, 0.0, 0.5]) == 2, "an open and a shut gate leave four paths"


@pytest.fixture
def run(generator):
    def made(name, **choices):
        model = build_model(name, model__depth=14, model__width=4, **choices).eval()
        return Fixed(model, torch.randn(8, 1, 40, generator=generator), torch.arange(8))

    return made


def test_gates_that_begin_at_their_bias(run):
    """He et al. 2016: g = sigmoid(W x + b); W is set to zero here."""
    highway = run("highway")
    for block in highway.model.blocks:
        torch.nn.init.zeros_(block.shortcut.gate.weight)
        torch.nn.init.constant_(block.shortcut.gate.bias, -2.0)
    gate = 1 / (1 + torch.e**2)
    assert branch_weights(highway, highway.x) == pytest.approx([gate] * 6)
    tables = trained(highway, examples=8)
    (row,) = tables["multiplicity"].itertuples(index=False)
    assert (row.blocks, row.mean_length) == (6, pytest.approx(6 * gate))
    assert tables["weights"]["weight"].sum() == pytest.approx(1)


def test_stochastic_depth_is_counted_as_in_training(run):
    """Expected number of living paths of each length, over all subsets of blocks."""
    stochastic = run("stochastic")
    survival = [1 - (k + 1) / 6 * 0.5 for k in range(6)]
    living = [0.0] * 7
    for alive in product([False, True], repeat=6):
        probability = prod(p if on else 1 - p for p, on in zip(survival, alive, strict=True))
        for length in range(sum(alive) + 1):
            living[length] += probability * comb(sum(alive), length)
    found = trained(stochastic, examples=8)["weights"]["weight"]
    assert found.tolist() == pytest.approx([number / sum(living) for number in living])


def test_residual_networks_weigh_all_alike_and_plain_ones_have_no_paths(run):
    assert branch_weights(run("resnet"), run("resnet").x) == [0.5] * 6
    with pytest.raises(ValueError, match="a plain network has one path"):
        trained(run("plain"), examples=8)


def test_gates_see_what_they_see_in_the_network(generator):
    """Also behind a norm and an activation that branch and shortcut share."""
    choices = {"shortcut": "exclusive_gate", "model__entry": "both", "model__widen": 1, "model__depth": 16}
    model, seen = build_model("wide", **choices).eval(), []
    for block in model.blocks:
        block.shortcut.register_forward_pre_hook(lambda gate, given: seen.append((gate, given[0])))
    x = 2 * torch.randn(4, 1, 40, generator=generator)
    found = branch_weights(Fixed(model, x, torch.arange(4)), x)
    with torch.no_grad():
        seen.clear()
        model(x)
        shares = [gate.weights(given) for gate, given in seen]
    expected = [(branch / (branch + shortcut)).mean().item() for shortcut, branch in shares]
    assert found == pytest.approx(expected, rel=1e-5)
