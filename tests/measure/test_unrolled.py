"""The recurrent form against the network itself, and against one put together step by step."""

import copy

import pytest
import torch
from helpers import Fixed, mentions, settled
from torch import nn

from resexp.measure.unrolled import recurrent, trained, unrolled


def network(name="recurrent", depth=20, **choices):
    return settled(name, depth, **choices)


@pytest.fixture
def x(generator):
    return torch.randn(20, 1, 40, generator=generator)


@pytest.mark.parametrize("choices", [{}, {"norm": "none"}, {"block": "full_preactivation"}])
def test_the_recurrent_form_gives_the_networks_outputs(choices, x):
    model = network(depth=26, **choices)
    with torch.no_grad():
        assert torch.equal(unrolled(model, x, recurrent(model, x), 3), model(x))


def test_the_cell_holds_the_only_convolutions(x):
    """What becomes of them becomes of every step: the other blocks are not looked at."""
    model = network()
    form, expected = recurrent(model, x), network()
    for block in (model.blocks[2], model.blocks[5], model.blocks[8]):
        for module in block.modules():
            if isinstance(module, nn.Conv2d):
                module.weight = nn.Parameter(torch.full_like(module.weight, float("nan")))
    with torch.no_grad():
        assert torch.equal(unrolled(model, x, form, 2), expected(x))


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_other_numbers_of_steps_are_networks_of_other_depths(steps, x):
    model = network()
    blocks = []
    for start in (0, 3, 6):
        cells = [model.blocks[start + 1], model.blocks[start + 2]]
        blocks += [model.blocks[start], *(cells[min(step, 1)] for step in range(steps))]
    other = copy.deepcopy(model)
    other.blocks = nn.ModuleList(blocks)
    with torch.no_grad():
        assert torch.equal(unrolled(model, x, recurrent(model, x), steps), other(x))


def test_the_table(x):
    model, y = network(), torch.arange(20) % 10
    table = trained(Fixed(model, x, y), most=2, examples=20, batch_size=7)["steps"].set_index("steps")
    with torch.no_grad():
        wrong = (model(x).argmax(1) != y).double().mean().item()
    assert table.index.tolist() == [0, 1, 2, 3, 4]
    assert table["error_percent"][2] == pytest.approx(100 * wrong)


@pytest.mark.parametrize("choices", [{"name": "resnet"}, {"depth": 14}])
def test_networks_that_share_nothing_are_refused(choices, x):
    with pytest.raises(ValueError, match=mentions("share", "model=recurrent", "20")):
        recurrent(network(**choices), x)
