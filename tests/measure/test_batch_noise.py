"""The spread over batches against an enumeration of all batches; ghost against batch normalization."""

from itertools import combinations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import Fixed, mentions
from torch import nn

from resexp import build_model
from resexp.measure.batch_noise import drawn_outputs, loss_and_error, noise, trained
from resexp.models.norms import BatchNorm

SIZES = {"sizes": [4, 8], "draws": 3, "examples": 16, "gap_examples": 16, "batch_size": 5, "draw_seed": 1}


def network(norm="batch", **choices):
    return build_model("resnet", model__depth=8, model__width=4, norm=norm, **choices)


def test_all_batches_of_three_enumerated(generator):
    values = np.array([-2.0, -0.5, 0.1, 1.0, 3.0, 4.0])
    x, y = torch.tensor(values).unsqueeze(1), torch.zeros(6, dtype=torch.long)
    model = BatchNorm(1).double()
    outputs = {i: [] for i in range(6)}
    for batch in combinations(range(6), 3):
        chosen = values[list(batch)]
        for i in batch:
            outputs[i].append((values[i] - chosen.mean()) / np.sqrt(chosen.var() + model.eps))
    found = noise(model, x, y, 3, 4000, generator)
    within = np.sqrt(np.mean([np.var(some) for some in outputs.values()]))
    between = np.std([np.mean(some) for some in outputs.values()], ddof=1)
    assert found["logit_deviation"] == pytest.approx(within, rel=0.02)
    assert found["relative_deviation"] == pytest.approx(within / between, rel=0.02)


def test_of_few_draws_the_variance_is_unbiased(generator):
    model, x = network(), torch.randn(12, 1, 40, generator=generator)
    found = noise(model, x, torch.zeros(12), 4, 3, torch.Generator().manual_seed(2))
    outputs = drawn_outputs(model, x, 4, 3, torch.Generator().manual_seed(2)).double().numpy()
    within, between = outputs.var(0, ddof=1).mean(), outputs.mean(0).var(0, ddof=1).mean()
    assert found["logit_deviation"] == pytest.approx(within**0.5, rel=1e-5)
    assert found["relative_deviation"] == pytest.approx((within / between) ** 0.5, rel=1e-5)


def test_each_draw_deals_every_example_into_a_batch_of_that_size(generator):
    model = network().train()
    x = torch.randn(11, 1, 40, generator=generator)
    found = drawn_outputs(model, x, 4, 2, torch.Generator().manual_seed(3))
    order = torch.randperm(11, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert torch.equal(found[0][order[:4]], model(x[order[:4]]))
        last = model(torch.cat([x[order[8:]], x[order[:1]]]))
    assert torch.equal(found[0][order[8:]], last[:3]), "one of the first fills the last batch"
    assert found.shape == (2, 11, 10)
    assert not torch.allclose(found[0], found[1])


def test_ghost_normalization_has_the_noise_of_its_parts(generator):
    x = torch.randn(32, 1, 40, generator=generator)
    batch, ghost = network(), network("ghost", norm__size=8)
    ghost.load_state_dict(batch.state_dict())
    in_parts = drawn_outputs(ghost, x, 16, 2, torch.Generator().manual_seed(3))
    in_batches = drawn_outputs(batch, x, 8, 2, torch.Generator().manual_seed(3))
    assert torch.allclose(in_parts, in_batches, atol=1e-5)


def test_answers_that_flip_are_counted(generator):
    class Alternating(nn.Module):
        """Every example is of class 1 in each fourth batch, else of class 0."""

        calls = 0

        def forward(self, x):
            self.calls += 1
            return F.one_hot(torch.full((len(x),), int(self.calls % 4 == 0)), 2).float()

    x, y = torch.zeros(5, 1), torch.tensor([0, 0, 0, 0, 1])
    found = noise(Alternating(), x, y, 5, 8, generator)
    assert found["flipped_percent"] == 25
    assert found["error_percent"] == pytest.approx(100 * (4 * 0.25 + 0.75) / 5)


def test_the_gap_is_that_of_both_splits(generator):
    x, y = torch.randn(16, 1, 40, generator=generator), torch.arange(16) % 10

    class Splits(Fixed):
        def batches(self, split, batch_size):
            return [(self.x if split == "train" else -self.x, self.y)]

    model = network()
    tables = trained(Splits(model, x, y), **SIZES)
    row = tables["gap"].iloc[0]
    with torch.no_grad():
        model.eval()
        # the run's network is one and the same here; draws have moved its running statistics
        losses = [loss_and_error(network().eval(), [(sign * x, y)])[0] for sign in (1, -1)]
    assert row["train_loss"] == pytest.approx(losses[0], rel=1e-5)
    assert row["loss_gap"] == pytest.approx(losses[1] - losses[0], rel=1e-4)
    assert tables["noise"]["batch_size"].tolist() == [4, 8]


def test_the_gap_is_taken_in_evaluation_mode_over_all_batches(generator):
    model = network()
    x, y = torch.randn(20, 1, 40, generator=generator), torch.arange(20) % 10
    with torch.no_grad():
        model.train()(2 * x + 1)
        logits = model.eval()(x)
    found = loss_and_error(model.train(), [(x[:7], y[:7]), (x[7:], y[7:])])
    error = 100 * (logits.argmax(1) != y).double().mean().item()
    assert found == pytest.approx((F.cross_entropy(logits, y).item(), error), rel=1e-5)


@pytest.mark.parametrize(
    ("norm", "changed", "words"),
    [
        ("layer", {}, ["norm=batch", "norm=ghost"]),
        ("batch", {"draws": 1}, ["measure.draws", "2"]),
        ("batch", {"sizes": [32]}, ["measure.sizes", "16", "32"]),
    ],
)
def test_what_has_no_answer_is_refused(norm, changed, words, generator):
    x, y = torch.randn(16, 1, 40, generator=generator), torch.arange(16) % 10
    with pytest.raises(ValueError, match=mentions(*words)):
        trained(Fixed(network(norm), x, y), **(SIZES | changed))
