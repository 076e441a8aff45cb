"""Inserted layers leave every output as it was; what cannot be the identity is refused."""

import copy

import pytest
import torch
import torch.nn.functional as F
from helpers import Fixed, mentions, settled

from resexp import build_model
from resexp.measure.inserted_identity import deepened, initialize, trained, training


def network(name="plain", depth=14, **choices):
    return settled(name, depth, **choices)


def seeded(model, x, y, seed):
    run = Fixed(model, x, y)
    run.config = {"seed": seed}
    return run


@pytest.fixture
def x(generator):
    return torch.randn(50, 1, 40, generator=generator)


def test_without_normalization_outputs_are_equal_to_the_last_bit(x):
    model = network(norm="none")
    deep = deepened(model, x, 3)
    assert (len(model.blocks), len(deep.blocks)) == (6, 15)
    with torch.no_grad():
        assert torch.equal(deep(x), model(x))


@pytest.mark.parametrize("dataset", ["mnist1d", "fake"])
def test_with_batch_normalization_on_other_inputs_too(dataset, generator):
    shape = {"mnist1d": (1, 40), "fake": (3, 16, 16)}[dataset]
    model = build_model("plain", model__depth=14, model__width=4, dataset=dataset)
    x = torch.randn(40, *shape, generator=generator)
    with torch.no_grad():
        model.train()(x)
        model.eval()
        deep = deepened(model, x[:20], 2)
        assert torch.allclose(deep(x), model(x), rtol=1e-4, atol=1e-5)
        assert not torch.allclose(deep.train()(x[:20]), model(x[:20]), rtol=1e-3), "batches are not the split"


def test_the_batch_that_gave_the_statistics_passes_in_training_mode_as_well(x):
    """Scale and bias undo the normalization by this batch."""
    model = network()
    deep = deepened(model, x, 1)
    with torch.no_grad():
        h = deep.start(x)
        for block in deep.blocks[:2]:
            h = block(h)
        assert torch.allclose(deep.blocks[2].train()(h), h, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"name": "resnet"}, ["plain", "shortcuts"]),
        ({"depth": 8}, ["shape", "14"]),
        ({"norm": "layer"}, ["norm=batch", "norm=none", "identity"]),
        ({"activation": "gelu"}, ["activation", "identity"]),
    ],
)
def test_what_cannot_be_the_identity_is_refused(choices, words, x):
    with pytest.raises(ValueError, match=mentions(*words)):
        deepened(network(**choices), x, 1)


def test_from_scratch_nothing_is_left(x, generator):
    deep = deepened(network(), x, 1)
    initialize(deep, generator)
    weight = deep.blocks[2].transform[0].weight
    assert weight.std().item() == pytest.approx((2 / (4 * 3)) ** 0.5, rel=0.3)
    wider = deep.blocks[6].transform[0].weight
    assert wider.shape == (16, 8, 1, 3)
    assert wider.std().item() == pytest.approx((2 / (16 * 3)) ** 0.5, rel=0.2), "fan-out"
    assert deep.blocks[2].transform[1].running_mean.abs().max() == 0


def test_training_begins_where_the_shallow_network_ended(x):
    y = torch.arange(50) % 10
    options = {"inserted": 1, "examples": 50, "steps": 4, "interval": 2, "batch_size": 8, "draw_seed": 1}
    run = seeded(network(), x, y, 0)
    table = trained(run, learning_rate=0.1, **options)["training"]
    starts = table.set_index(["start", "step"])
    assert starts.loc["inserted"].index.tolist() == [0, 2, 4]
    assert starts["error_percent"]["inserted", 0] == starts["error_percent"]["shallow", 0]
    assert starts["blocks"]["scratch", 0] == 9
    assert starts["train_loss"]["scratch", 4] > 0
    with pytest.raises(ValueError, match=mentions("measure.interval", "3")):
        trained(run, learning_rate=0.1, **(options | {"interval": 3}))


def by_hand(model, x, y, steps, batch_size, rate, generator):
    """Losses of SGD with momentum 0.9 and weight decay 1e-4, written out."""
    model.train()
    speeds, losses = [torch.zeros_like(p) for p in model.parameters()], []
    for _ in range(steps):
        chosen = torch.randint(len(y), (batch_size,), generator=generator)
        loss = F.cross_entropy(model(x[chosen]), y[chosen])
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for p, v, g in zip(model.parameters(), speeds, gradients, strict=True):
                v.mul_(0.9).add_(g + 1e-4 * p)
                p -= rate * v
        losses.append(loss.item())
    return losses


def test_training_is_sgd_and_losses_are_the_intervals_own(x):
    x, y, model = x.double(), torch.arange(50) % 10, network().double()
    slow = copy.deepcopy(model)
    settings = {"batch_size": 8, "learning_rate": 0.1}
    drawn = torch.Generator().manual_seed(2)
    found = list(training(model, x, y, steps=6, interval=3, generator=drawn, **settings))
    losses = by_hand(slow, x, y, 6, 8, 0.1, torch.Generator().manual_seed(2))
    assert [step for step, _ in found] == [0, 3, 6]
    assert [loss for _, loss in found[1:]] == pytest.approx(
        [sum(losses[:3]) / 3, sum(losses[3:]) / 3], rel=1e-5
    )
    for ours, theirs in zip(model.parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", [0, 2])
def test_both_starts_see_the_same_batches_and_every_seed_its_own(x, seed):
    y, model = torch.arange(50) % 10, network()
    options = {"inserted": 1, "examples": 50, "steps": 2, "interval": 2, "batch_size": 8, "draw_seed": 1}
    table = trained(seeded(model, x, y, seed), learning_rate=0.1, **options)["training"]
    losses = table.set_index(["start", "step"])["train_loss"]
    for start in ("inserted", "scratch"):
        deep = deepened(model, x, 1)
        if start == "scratch":
            initialize(deep, torch.Generator().manual_seed(1 + seed))
        expected = by_hand(deep, x, y, 2, 8, 0.1, torch.Generator().manual_seed(1 + seed))
        assert losses[start, 2] == pytest.approx(sum(expected) / 2, rel=1e-4)
