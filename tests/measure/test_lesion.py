"""The fast lesions against networks that are taken apart one by one and evaluated as a whole."""

import copy
from itertools import pairwise

import pytest
import torch
from helpers import Fixed, settled
from torch import nn

from resexp import build_model
from resexp.bench import obvious
from resexp.measure.chain import chain_of
from resexp.measure.lesion import (
    each_deleted,
    errors,
    kendall_tau,
    outputs,
    several_deleted,
    swapped,
    trained,
)

NETWORKS = {
    "residual": {"name": "resnet"},
    "plain": {"name": "plain"},
    "highway": {"name": "highway"},
    "pre-activation": {"name": "resnet", "block": "full_preactivation"},
    "projection": {"name": "resnet", "shortcut": "projection"},
    "stochastic depth": {"name": "stochastic"},
}


def network(depth=20, width=4, *, name="resnet", **choices):
    return settled(name, depth, width, **choices)


class Shortcut(nn.Module):
    """What is left of a block: slow and obvious."""

    def __init__(self, block, plain):
        super().__init__()
        self.block, self.plain = block, plain

    def forward(self, x):
        if not self.plain:
            b = self.block.before(x)
            return self.block.after(self.block.shortcut(b, torch.zeros_like(self.block.transform(b))))
        y = self.block(x)
        x = x[..., :: x.shape[-1] // y.shape[-1]]
        zeros = torch.zeros(len(x), y.shape[1] - x.shape[1], *x.shape[2:])
        return torch.cat([x, zeros], dim=1)


def taken_apart(model, order, plain):
    model = copy.deepcopy(model)
    blocks = list(model.blocks)
    model.blocks = nn.ModuleList(blocks[i] if i >= 0 else Shortcut(blocks[~i], plain) for i in order)
    return model


def test_a_vgg_is_a_chain_of_its_convolutions(generator):
    model = build_model("vgg", model__depth=11, model__width=4).eval()
    x = torch.randn(5, 1, 40, generator=generator)
    chain = chain_of(model, x)
    assert (len(chain), chain.plain) == (8, True)
    assert [chain.changes_shape(i) for i in range(8)] == [True] * 4 + [True, True, False, True], (
        "pooling, too"
    )
    order = [0, 1, 2, ~3, 4, 5, ~6, 7]
    ((_, found),) = outputs(chain, x, [order])
    with torch.no_grad():
        h = model.start(x)
        flat = [layer for block in model.blocks for layer in block]
        groups, layers = [], []
        for layer in flat:
            if isinstance(layer, nn.Conv2d):
                layers = [layer]
                groups.append(layers)
            else:
                layers.append(layer)
        for index, layers in enumerate(groups):
            if ~index in order:
                if index == 3:
                    h = h[..., ::2]  # its pooling halves 10 positions
                continue
            for layer in layers:
                h = layer(h)
        expected = model.finish(h)
    assert torch.equal(found, expected)


@pytest.fixture
def x(generator):
    return torch.randn(32, 1, 40, generator=generator)


@pytest.mark.parametrize("choices", NETWORKS.values(), ids=NETWORKS)
def test_every_order_gives_what_the_network_put_together_so_gives(choices, x, generator):
    model = network(**choices)
    chain = chain_of(model, x[:2])
    assert chain.plain == (choices["name"] == "plain")
    orders = [*each_deleted(9), *several_deleted(9, 9, generator), swapped(chain, 3, generator)]
    found = dict(outputs(chain, x, orders))
    assert len(found) == len(orders) == 1 + 9 + 9 + 1
    for index, order in enumerate(orders):
        with torch.no_grad():
            expected = taken_apart(model, order, chain.plain)(x)
        assert torch.equal(found[index], expected), order
    assert not torch.allclose(found[0], found[1])


def test_the_errors_are_those_of_all_batches_and_the_work_is_half(x, generator):
    model, y = network(), torch.randint(0, 10, (32,), generator=generator)
    calls = []
    for block in model.blocks:
        block.transform.register_forward_hook(lambda *_: calls.append(1))
    chain, orders = chain_of(model, x[:2]), each_deleted(9)
    calls.clear()
    found = errors(chain, [(x[:20], y[:20]), (x[20:], y[20:])], orders)
    assert len(calls) == 2 * (9 + 9 * 8 / 2), "instead of 2 (9 + 9 * 8) with every network on its own"
    with torch.no_grad():
        right = [(taken_apart(model, order, False)(x).argmax(1) == y).double().mean() for order in orders]
    assert found == pytest.approx([100 - 100 * share.item() for share in right])


def test_several_are_nested_and_swaps_stay_within_their_shape(x, generator):
    chain = chain_of(network(), x[:2])
    gone = [{i for i in order if i < 0} for order in several_deleted(9, 5, generator)]
    assert [len(some) for some in gone] == [1, 2, 3, 4, 5]
    assert all(fewer < more for fewer, more in pairwise(gone))
    assert [chain.changes_shape(i) for i in range(9)] == [i in (3, 6) for i in range(9)]
    for _ in range(20):
        order = swapped(chain, 7, generator)
        assert sorted(order[:3]) == [0, 1, 2]
        assert (order[3], sorted(order[4:6])) == (3, [4, 5])
        assert (order[6], sorted(order[7:])) == (6, [7, 8])


def test_kendalls_tau():
    """1 - 4 d / (n (n - 1)) with d the inversions: Kendall 1938."""
    assert kendall_tau([0, 1, 2, 3]) == 1
    assert kendall_tau([3, 2, 1, 0]) == -1
    assert kendall_tau([1, 0, 2, 3]) == pytest.approx(1 - 4 / 12)
    assert kendall_tau([2, 0, 1, 3]) == pytest.approx(1 - 8 / 12)


def test_each_deletion_and_order_has_a_row_and_draws_are_reproducible(x, generator):
    y = torch.randint(0, 10, (32,), generator=generator)
    options = {"most": 20, "draws": 2, "swaps": [1, 3], "batch_size": 9, "draw_seed": 1}
    tables = trained(Fixed(network(), x, y), examples=32, examples_of_draws=16, **options)
    assert tables["deleted"]["block"].tolist() == list(range(10))
    assert tables["deleted"].query("kind == 'new_shape'")["block"].tolist() == [4, 7]
    assert len(tables["several"]) == 2 * 9
    assert tables["shuffled"].query("swaps == 1")["kendall_tau"].max() < 1
    again = trained(Fixed(network(), x, y), examples=32, examples_of_draws=16, **options)
    assert all(tables[name].equals(again[name]) for name in tables)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"name": "ror", "model__depth": 20, "model__width": 4}, "has connections beside its chain"),
        ({"name": "densenet"}, "only networks of residual or plain blocks"),
    ],
)
def test_other_networks_are_refused(choices, message, x):
    with pytest.raises(ValueError, match=message):
        chain_of(build_model(**choices).eval(), x)


@pytest.mark.parametrize("choices", NETWORKS.values(), ids=NETWORKS)
def test_the_obvious_loop_gives_the_same_errors(choices, x, generator):
    run = Fixed(network(**choices), x, torch.randint(0, 10, (32,), generator=generator))
    slow = obvious.lesions(run, examples=30, batch_size=8)["deleted"]
    drawn = {"most": 1, "draws": 1, "swaps": [], "examples_of_draws": 1, "draw_seed": 1}
    fast = trained(run, examples=30, batch_size=9, **drawn)["deleted"]
    assert slow["block"].tolist() == fast["block"].tolist()
    assert slow["error_percent"].tolist() == pytest.approx(fast["error_percent"].tolist())


def test_rows_of_several_deletions_are_those_of_their_draw(x, generator):
    """The draws' orders one after the other, each evaluated by itself."""
    model, y = network(), torch.randint(0, 10, (32,), generator=generator)
    options = {"most": 4, "draws": 3, "swaps": [], "examples_of_draws": 32, "batch_size": 9, "draw_seed": 1}
    table = trained(Fixed(model, x, y), examples=32, **options)["several"].set_index(["draw", "deleted"])
    drawn = torch.Generator().manual_seed(1)
    for draw in range(3):
        for count, order in enumerate(several_deleted(9, 4, drawn), start=1):
            with torch.no_grad():
                wrong = taken_apart(model, order, False)(x).argmax(1) != y
            assert table["error_percent"][draw, count] == pytest.approx(100 * wrong.double().mean().item())
