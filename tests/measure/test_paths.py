"""Paths against counting, enumeration and autograd."""

from itertools import combinations, product
from math import comb

import numpy as np
import pytest
import torch
from helpers import Fixed, mentions
from torch import nn

from resexp import build_model
from resexp.measure.paths import Paths, mean_norm, number_of_paths, share_left, trained
from resexp.models.blocks import ResidualBlock
from resexp.models.shortcuts import Gated, ZeroPad


class Four(nn.Module):
    """f1 to f4, each beside a shortcut (UDL section 11.4), in float64."""

    def __init__(self, shortcut):
        super().__init__()
        made = [nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 5)) for _ in range(4)]
        self.blocks = nn.ModuleList(
            ResidualBlock(f, shortcut(), nn.ReLU(inplace=True), channels=5) for f in made
        )
        self.first, self.last = nn.Linear(6, 5), nn.Linear(5, 3)
        self.double()

    def start(self, x):
        return self.first(x)

    def finish(self, x):
        return self.last(x)

    def forward(self, x):
        x = self.start(x)
        for block in self.blocks:
            x = block(x)
        return self.finish(x)


def gated():
    def conv(c_in, c_out, stride, **options):
        return nn.Linear(c_in, c_out)

    return Gated(5, 5, 1, gate_bias=-1.0, exclusive=True, conv=conv)


@pytest.fixture(params=[lambda: ZeroPad(5, 5, 1), gated], ids=["identity", "highway"])
def four(request):
    torch.manual_seed(0)
    return Four(request.param).eval()


@pytest.fixture
def x(generator):
    return torch.randn(8, 6, generator=generator, dtype=torch.float64)


ALL = list(product([False, True], repeat=4))


def squares(logits):
    return logits.square().sum()


def test_the_sixteen_paths_add_up_to_autograd(four, x):
    paths = Paths(four, x, squares)
    assert len(ALL) == 2 ** len(paths) == sum(number_of_paths(4)) == 16
    z = x.clone().requires_grad_(True)
    expected = torch.autograd.grad(squares(four(z)), z)[0]
    torch.testing.assert_close(sum(paths.gradient(branches) for branches in ALL), expected)


def test_the_eight_paths_through_the_first_block_are_its_derivative(four, x):
    paths = Paths(four, x, squares)
    through = [branches for branches in ALL if branches[0]]
    assert len(through) == 8
    z = x.clone().requires_grad_(True)
    h = four.start(z)
    first = four.blocks[0]
    out = first.after(first.shortcut(h.detach(), first.transform(h)))
    for block in four.blocks[1:]:
        out = block(out)
    expected = torch.autograd.grad(squares(four.finish(out)), z)[0]
    torch.testing.assert_close(sum(paths.gradient(branches) for branches in through), expected)


def test_sums_by_length_are_those_of_the_enumeration(four, x):
    paths = Paths(four, x, squares)
    for length, found in enumerate(paths.summed()):
        chosen = [branches for branches in ALL if sum(branches) == length]
        torch.testing.assert_close(found, sum(paths.gradient(branches) for branches in chosen))


def test_random_paths_have_the_mean_norm_of_the_enumeration(four, x, generator):
    paths = Paths(four, x, squares)
    for length in range(5):
        norms = [mean_norm(paths.gradient(branches)) for branches in ALL if sum(branches) == length]
        drawn = np.array([mean_norm(paths.sampled(length, generator)) for _ in range(200)])
        assert set(drawn.tolist()) <= set(norms), "each draw is one of the paths"
        assert len(set(drawn.tolist())) == len(norms) == comb(4, length)
        error = 4 * drawn.std() / 200**0.5
        assert drawn.mean() == pytest.approx(sum(norms) / len(norms), abs=error + 1e-12)


def test_most_of_54_modules_are_on_paths_of_19_to_35():
    """Veit et al. 2016: more than 95 %."""
    counts = number_of_paths(54)
    assert sum(counts[19:36]) / 2**54 > 0.95
    assert counts[:4] == [1, 54, 54 * 53 // 2, 54 * 53 * 52 // 6]


@pytest.mark.parametrize("deleted", [0, 1, 3, 6])
def test_the_paths_that_are_left_are_counted(deleted):
    for length, share in enumerate(share_left(6, deleted)):
        every = list(combinations(range(6), length))
        left = [path for path in every if min(path, default=6) >= deleted]
        assert share == len(left) / len(every)
    with pytest.raises(ValueError, match=mentions("deleted", "0..6", "7")):
        share_left(6, 7)


def test_tables_of_a_convolutional_network_add_up(generator):
    model = build_model("resnet", model__depth=14, model__width=4).eval()
    x, y = torch.randn(9, 1, 40, generator=generator), torch.arange(9)
    tables = trained(Fixed(model, x, y), examples=9, draws=3, deleted=[1, 10], draw_seed=1)
    assert tables["magnitude"].groupby("length").size().tolist() == [1, 3, 3, 3, 3, 3, 1]
    lengths = tables["lengths"]
    assert lengths["share_of_gradient"].sum() == pytest.approx(1, abs=1e-5)
    assert lengths["share_of_paths"].sum() == 1
    one = tables["magnitude"].query("length == 6")["gradient_norm"].item()
    assert lengths["summed_norm"].iloc[-1] == pytest.approx(one, rel=1e-5), "there is one path through all"
    assert set(tables["left"]["deleted"]) == {1}, "there are no ten blocks"


def test_a_plain_network_has_one_path(generator):
    model = build_model("plain", model__depth=8, model__width=4).eval()
    with pytest.raises(ValueError, match=mentions("plain", "shortcuts")):
        Paths(model, torch.randn(2, 1, 40, generator=generator), squares)


def test_norms_of_several_examples_are_the_mean_of_each_alone(generator):
    model = build_model("resnet", model__depth=8, model__width=4).eval()
    x, y = torch.randn(4, 1, 40, generator=generator), torch.arange(4)
    options = {"draws": 1, "deleted": [], "draw_seed": 1}
    together = trained(Fixed(model, x, y), examples=4, **options)["lengths"]["summed_norm"]
    alone = [
        trained(Fixed(model, x[i : i + 1], y[i : i + 1]), examples=1, **options)["lengths"]["summed_norm"]
        for i in range(4)
    ]
    assert together.tolist() == pytest.approx((sum(alone) / 4).tolist(), rel=1e-4)
