"""Closed forms within the sampling error of the width, and the textbook's notebook 11.3."""

import math
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers import Fixed, mentions
from torch import nn

from resexp.data import samples
from resexp.measure.activation_variance import Case, measure, trained
from resexp.measure.block_variances import first_overflow, variances
from resexp.measure.residual_stream import ResidualStream
from resexp.models.norms import BatchNorm, group, layer

CPU = torch.device("cpu")
PLAIN = {
    "first": nn.Identity,
    "last": nn.Identity,
    "branch_scale": 1.0,
    "sum_scale": 1.0,
    "zero_gamma": False,
}
WIDTH, DEPTH, SEEDS = 256, 8, 8


def found(depth=DEPTH, dims=0, **changes):
    make = partial(ResidualStream, **PLAIN | changes)
    shape = (64, 40) if dims == 0 else (8, 3, 12, 12)
    case = Case(samples.gaussian(shape, seed=0), dims=dims, width=WIDTH if dims == 0 else 64, depth=depth)
    tables = measure({"x": make}, cases={"c": case}, seeds=SEEDS, overflow_depth=1, seed=0, device=CPU)
    table = tables["variance"]
    first = table[table["block"] == 0].set_index("seed")["variance"]
    table["relative"] = table["variance"] / table["seed"].map(first)
    return table


def assert_grows(table, expected, column="relative", per_block=None):
    """Mean over seeds against the closed form.

    A layer of D units with He initialization multiplies the second moment by a factor whose relative
    standard deviation is at most sqrt(5 / D): 2/D for the readings, and the ReLU's 3/D. Over k blocks
    it adds up to sqrt(5 k / D), over the seeds it falls by sqrt(seeds); five of these are allowed.
    """
    per_block = per_block or math.sqrt(5 / WIDTH)
    for block, rows in table.groupby("block"):
        allowed = 5 * per_block * math.sqrt(max(block, 1) / SEEDS)
        assert rows[column].mean() == pytest.approx(expected(block), rel=allowed), f"block {block}"


def test_without_a_remedy_the_variance_doubles():
    table = found()
    assert_grows(table, lambda k: 2.0**k)
    assert_grows(table.assign(block=DEPTH - table["block"]), lambda k: 2.0**k, column="gradient_variance")


def test_a_sum_scaled_by_one_over_root_two_keeps_the_variance():
    assert_grows(found(sum_scale=0.5**0.5), lambda k: 1.0)


@pytest.mark.parametrize("norm", [BatchNorm, layer, partial(group, groups=8)])
def test_with_normalization_first_the_variance_grows_by_one_per_block(norm):
    assert_grows(found(first=norm), lambda k: k + 1.0)


def test_convolutions_do_the_same():
    # away from the border a 3x3 convolution sees 9 x 64 values; zeros beyond it take some away
    table = found(depth=4, dims=2)
    growth = table.groupby("block")["relative"].mean()
    inner = (1 - 2 / 3 / 12) ** 2  # part of the 3x3 windows that lies inside a 12x12 image
    for block in range(1, 5):
        assert growth[block] / growth[block - 1] == pytest.approx(1 + inner, rel=0.06)


@pytest.mark.parametrize("changes", [{"last": BatchNorm, "zero_gamma": True}, {"branch_scale": 0.0}])
def test_silent_branches_leave_the_identity(changes):
    table = found(**changes)
    assert table["relative"].to_numpy() == pytest.approx(1, rel=1e-12)
    assert_grows(table, lambda k: 1.0, column="gradient_variance")


def test_a_branch_is_as_large_as_its_stream_or_ever_smaller():
    first = found().groupby("block")["branch_share"].mean()
    assert np.isnan(first[0])
    assert first[1:].tolist() == pytest.approx([1.0] * DEPTH, rel=5 * math.sqrt(5 / WIDTH / SEEDS))
    normalized = found(first=BatchNorm).groupby("block")["branch_share"].mean()
    expected = [1 / k for k in range(1, DEPTH + 1)]
    assert normalized[1:].tolist() == pytest.approx(expected, rel=5 * math.sqrt(5 / WIDTH / SEEDS))
    assert found(branch_scale=0.0)["branch_share"].dropna().tolist() == [0] * DEPTH * SEEDS
    halved = found(branch_scale=0.5, sum_scale=0.5)["branch_share"].dropna()
    assert halved.mean() == pytest.approx(0.25, rel=0.2), "the sum's scale is no part of it"


def test_a_case_may_have_more_networks():
    case = Case(samples.gaussian((8, 40), seed=0), dims=0, width=16, depth=2, seeds=3)
    make = partial(ResidualStream, **PLAIN)
    tables = measure(
        {"x": make},
        cases={"few": replace(case, seeds=None), "more": case},
        seeds=1,
        overflow_depth=1,
        seed=0,
        device=CPU,
    )
    networks = tables["variance"].groupby("inputs")["seed"].nunique()
    assert networks.to_dict() == {"few": 1, "more": 3}


def test_with_scaled_branches_the_variance_grows_to_e():
    assert_grows(found(branch_scale=None), lambda k: (1 + 1 / DEPTH) ** k)


class Notebook(nn.Module):
    """The network of UDL notebook 11.3: linear1, then five residual links, linear2 to linear6."""

    def __init__(self, generator):
        super().__init__()
        layers = [nn.Linear(40, 100), *(nn.Linear(100, 100) for _ in range(5))]
        for linear in layers:
            nn.init.kaiming_uniform_(linear.weight, generator=generator)
            nn.init.zeros_(linear.bias)
        self.stem = layers[0]

        class Link(nn.Module):
            def __init__(self, linear):
                super().__init__()
                self.linear = linear

            def forward(self, f):
                return f + self.linear(f.relu())

        self.blocks = nn.ModuleList(Link(linear) for linear in layers[1:])

    def forward(self, x):
        for part in (self.stem, *self.blocks):
            x = part(x)
        return x


def test_the_printout_of_notebook_11_3(generator):
    """What it prints grows by less than the doubling that it speaks of; the variance over units doubles."""
    x, printed_ratios, ratios = samples.mnist1d(200), [], []
    for _ in range(20):
        model = Notebook(generator)
        table = variances(model, x, torch.sum)
        printed, f = [], x
        with torch.no_grad():
            for part in (model.stem, *model.blocks):
                f = part(f)
                printed.append(f.numpy().var(axis=0).mean())  # as the notebook's print_variance
        assert table["batch_variance"].tolist() == pytest.approx(printed, rel=1e-5)
        printed_ratios.append([b / a for a, b in pairwise(printed)])
        ratios.append([b / a for a, b in pairwise(table["variance"])])
    printed_ratios = torch.tensor(printed_ratios)
    assert (printed_ratios.mean(0) < 1.9).all()
    # one run of the notebook, which sets no seed; ours scatter about their mean by 0.05 to 0.1
    once = torch.tensor([1.74, 1.61, 1.65, 1.72, 1.79])
    assert ((printed_ratios.mean(0) - once).abs() < 3 * printed_ratios.std(0)).all()
    # sqrt(5 / 100) for a layer of 100 units, over 20 networks; four of these
    assert torch.tensor(ratios).mean(0).tolist() == pytest.approx([2.0] * 5, rel=4 * (5 / 100 / 20) ** 0.5)


def test_five_links_with_layers_of_their_own_double_at_each():
    make, x = partial(ResidualStream, 5, width=100, dims=0, c_in=40, **PLAIN), samples.mnist1d(200)
    growth = []
    for seed in range(20):
        torch.manual_seed(seed)
        table = variances(make(), x, torch.sum)
        growth.append([b / a for a, b in pairwise(table["variance"])])
    # sqrt(5 / 100) for a layer of 100 units, over 20 networks; four of these
    mean = torch.tensor(growth).mean(0).tolist()
    assert mean == pytest.approx([2.0] * 5, rel=4 * (5 / 100 / 20) ** 0.5)


def test_overflow_is_where_the_format_ends():
    """2^k doubles to the end of the format: float16 65,504, float32 and bfloat16 3.4e38."""
    torch.manual_seed(0)
    make = partial(ResidualStream, 300, width=256, dims=0, c_in=40, **PLAIN)
    x = samples.gaussian((8, 40), seed=1)
    ends = {torch.float16: 65_504, torch.float32: 3.4e38, torch.bfloat16: 3.4e38}
    for dtype, largest in ends.items():
        block = first_overflow(make(), x, dtype)
        # the largest of 2,048 values is about three standard deviations, each 2^(k/2)
        assert block == pytest.approx(2 * math.log2(largest / 3), rel=0.15)
    steady = ResidualStream(300, width=64, dims=0, c_in=40, **PLAIN | {"sum_scale": 0.5**0.5})
    assert first_overflow(steady, x, torch.float16) is None


def test_trained_networks_are_measured_with_the_gradient_of_the_loss(generator):
    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.blocks = nn.Linear(6, 5), nn.ModuleList([nn.ReLU(inplace=True), nn.Linear(5, 3)])

        def forward(self, x):
            for part in (self.stem, *self.blocks):
                x = part(x)
            return x

    model, x = Small(), torch.randn(20, 6, generator=generator)
    y = torch.arange(20) % 3
    table = trained(Fixed(model, x, y), batch=10)["variance"]
    assert set(table["stage"]) == {"initial", "trained"}
    table = table[table["stage"] == "trained"]
    logits = model(x[:10])
    expected = (logits.softmax(1) - nn.functional.one_hot(y[:10], 3)) / 10  # d cross-entropy / d logits
    assert table["gradient_variance"].iloc[-1] == pytest.approx(
        expected.var(dim=1, correction=0).mean().item(), rel=1e-4
    )
    first = model.stem(x[:10]).var(dim=1, correction=0).mean().item()
    assert table["variance"].iloc[0] == pytest.approx(first, rel=1e-5), "not what the ReLU left of it"


def test_depths_and_silent_branches_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match=mentions("model.depth", "1", "0")):
        ResidualStream(0, width=4, dims=0, c_in=4, **PLAIN)
    with pytest.raises(ValueError, match=mentions("model.zero_gamma")):
        ResidualStream(2, width=4, dims=0, c_in=4, **PLAIN | {"zero_gamma": True})


def test_batch_norm_of_any_shape_is_torchs(generator):
    for shape, theirs in (
        ((9, 4), nn.BatchNorm1d),
        ((9, 4, 5), nn.BatchNorm1d),
        ((9, 4, 5, 6), nn.BatchNorm2d),
    ):
        x = torch.randn(shape, generator=generator)
        torch.testing.assert_close(BatchNorm(4)(x), theirs(4)(x))
    with pytest.raises(ValueError, match=mentions("(batch, channels, ...)", "(4,)")):
        BatchNorm(4)(torch.zeros(4))


def test_layer_norm_is_torchs(generator):
    x = torch.randn(5, 8, generator=generator)
    torch.testing.assert_close(layer(8)(x), nn.LayerNorm(8)(x))
