"""Updates against a forward pass by hand, readouts against the conditions of their optimum."""

import numpy as np
import pytest
import torch
from helpers import Fixed, settled

from resexp.measure.chain import chain_of
from resexp.measure.refinement import PENALTY, fitted, stages, trained, updates


def network(name="resnet", depth=14, **choices):
    return settled(name, depth, **choices)


@pytest.fixture
def x(generator):
    return torch.randn(30, 1, 40, generator=generator)


@pytest.mark.parametrize("name", ["resnet", "plain"])
def test_updates_are_what_each_block_adds_to_its_input(name, x):
    model = network(name)
    found = updates(chain_of(model, x[:2]), x.split(7)).set_index("block")
    with torch.no_grad():
        h, streams = model.start(x), []
        for block in model.blocks:
            h = block(h)
            streams.append(h)
    before, after = streams[2].flatten(1).double().numpy(), streams[3].flatten(1).double().numpy()
    change = after - before  # block 4 keeps its shape
    size = np.linalg.norm(change, axis=1) / np.linalg.norm(before, axis=1)
    cosine = (change * before).sum(1) / np.linalg.norm(change, axis=1) / np.linalg.norm(before, axis=1)
    assert found["relative_size"][4] == pytest.approx(size.mean(), rel=1e-5)
    assert found["cosine"][4] == pytest.approx(cosine.mean(), rel=1e-4)
    error, scale = before - after, np.sqrt(after.var(0).mean())
    assert found["error_mean"][3] == pytest.approx(np.sqrt((error.mean(0) ** 2).mean()) / scale, rel=1e-4)
    assert found["error_deviation"][3] == pytest.approx(np.sqrt(error.var(0).mean()) / scale, rel=1e-4)
    assert found[["error_mean", "error_deviation"]].loc[[2, 4, 6]].to_numpy().max() == 0, "last of a stage"


def test_a_block_without_a_branch_changes_nothing(x):
    model = network()
    for parameter in model.blocks[1].transform.parameters():
        torch.nn.init.zeros_(parameter)
    found = updates(chain_of(model, x[:2]), [x]).set_index("block")
    assert found["relative_size"][2] == 0
    assert found["error_deviation"][1] == 0, "what the last block leaves as it is, is the estimate already"


def test_stages_begin_where_shapes_change(x):
    assert stages(chain_of(network(), x[:2])) == [1, 1, 2, 2, 3, 3]
    wider_at_once = network(block="bottleneck", depth=20)
    assert stages(chain_of(wider_at_once, x[:2])) == [1, 1, 2, 2, 3, 3]


def test_a_readout_is_the_optimum(generator):
    """The penalized cross-entropy is strictly convex: where its gradient is zero, there is its minimum."""
    x = 3 + 2 * torch.randn(200, 5, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 3, (200,), generator=generator)
    readout = fitted(x, y, 3)
    standardized = ((x - x.mean(0)) / x.std(0)).numpy()
    logits = readout(x).detach().numpy()
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wrong = (shares - np.eye(3)[y]) / 200
    weight = (readout.weight * x.std(0)).detach().numpy()
    assert np.abs(wrong.T @ standardized + PENALTY * weight).max() < 1e-6
    assert np.abs(wrong.sum(0)).max() < 1e-6
    assert np.abs(weight).max() > 1e-2


def test_the_readout_of_the_last_stage_reads_what_the_classifier_reads(generator):
    """Targets that are the network's own answers: a linear classifier of the same features gets them."""
    model = network()
    x = torch.randn(400, 1, 40, generator=generator)
    with torch.no_grad():
        model.head.weight.mul_(30)
        y = model(x).argmax(1)
    options = {"examples": 400, "training_examples": 400, "batch_size": 150}
    table = trained(Fixed(model, x, y), **options)["blocks"].set_index("block")
    assert table["error_percent"][6] < 2
    assert table["error_percent"][5] > table["error_percent"][6]
    assert table["error_percent"].between(0, 100).all()
