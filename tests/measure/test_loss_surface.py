"""The loss surface against a quadratic, and against networks whose weights are moved one by one."""

import copy

import pytest
import torch
import torch.nn.functional as F
from helpers import Fixed, mentions
from torch import nn

from resexp import build_model
from resexp.bench import obvious
from resexp.measure.loss_surface import filter_normalized, surface, trained


def squares(output, target):
    return (output - target[:, None]).square().sum()


def test_on_a_quadratic_it_is_exact(generator):
    """|X (w + a d + b e) - t|^2 / n, multiplied out."""
    model = nn.Linear(3, 1, bias=False).double()
    x = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    t = torch.randint(0, 5, (20,), generator=generator)
    d, e = (filter_normalized(model, generator) for _ in range(2))
    r, u, v = (x @ w.detach().view(-1) for w in (model.weight, d["weight"], e["weight"]))
    r = r - t
    places = [(-1.0, 0.5), (0.0, 0.0), (0.25, 2.0)]
    found = surface(model, [(x[:7], t[:7]), (x[7:], t[7:])], [d, e], places, squares)
    expected = [
        (r @ r + a * a * u @ u + b * b * v @ v + 2 * (a * r @ u + b * r @ v + a * b * u @ v)).item() / 20
        for a, b in places
    ]
    assert found["loss"].tolist() == pytest.approx(expected)
    assert found[["x", "y"]].to_numpy().tolist() == [list(place) for place in places]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_model("resnet", model__depth=8, model__width=4).eval()


def test_the_filters_of_a_direction_have_the_networks_norms(model, generator):
    direction = filter_normalized(model, generator)
    weights = dict(model.named_parameters())
    assert direction.keys() == weights.keys()
    for name, d in direction.items():
        if d.dim() < 2:
            assert not d.any(), "biases and normalizations stay"
        for ours, theirs in zip(d, weights[name], strict=True):
            if d.dim() > 1:
                assert ours.norm().item() == pytest.approx(theirs.norm().item(), rel=1e-5)
    other = filter_normalized(model, torch.Generator().manual_seed(7))
    a, b = (torch.cat([d.flatten() for d in each.values()]) for each in (direction, other))
    assert abs(F.cosine_similarity(a, b, dim=0)) < 0.1, "random directions are nearly orthogonal"


def test_the_grid_is_that_of_networks_with_moved_weights(model, generator):
    x, y = torch.randn(24, 1, 40, generator=generator), torch.randint(0, 10, (24,), generator=generator)
    options = {"points": 3, "reach": 0.5, "examples": 24, "batch_size": 10, "draw_seed": 3}
    before = copy.deepcopy(model.state_dict())
    grid = trained(Fixed(model, x, y), **options)["grid"]
    slow = obvious.surface(Fixed(model, x, y), **options)["grid"]
    assert slow.to_numpy() == pytest.approx(grid.to_numpy(), rel=1e-5)
    drawn = torch.Generator().manual_seed(3)
    d, e = (filter_normalized(model, drawn) for _ in range(2))
    assert grid["x"].tolist() == [-0.5] * 3 + [0] * 3 + [0.5] * 3
    for row in grid.itertuples():
        moved = copy.deepcopy(model)
        with torch.no_grad():
            for name, weight in moved.named_parameters():
                weight += row.x * d[name] + row.y * e[name]
            logits = moved(x)
        assert row.loss == pytest.approx(F.cross_entropy(logits, y).item(), rel=1e-5)
        assert row.error_percent == pytest.approx(100 * (logits.argmax(1) != y).double().mean().item())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    with pytest.raises(ValueError, match=mentions("measure.points", "2", "1")):
        trained(Fixed(model, x, y), **options | {"points": 1})


def test_the_loss_is_that_of_the_authors_program():
    """Numbers of tomgoldstein/loss-landscape (64ef4d5), float32, on this network, images and raw directions:
    net_plotter.normalize_directions_for_weights(d, weights, "filter", "biasbn"), set_weights and
    evaluation.eval_loss; its imports of h5py and its model loader left out. Raw directions are drawn
    parameter by parameter, zero for those of one dimension."""
    model = build_model("resnet", model__depth=8, model__width=4, seed=0)
    drawn = torch.Generator().manual_seed(1)
    x, y = torch.randn(24, 1, 40, generator=drawn), torch.randint(0, 10, (24,), generator=drawn)
    with torch.no_grad():
        model.train()(x)
    directions = [filter_normalized(model.eval(), drawn) for _ in range(2)]
    theirs = {
        (-1.0, 0.0): (4.7382139, 100 - 1 / 0.24),
        (0.0, 0.0): (2.2986837, 87.5),
        (0.5, -0.25): (2.3957301, 100 - 5 / 0.24),
        (0.0, 1.0): (3.3749474, 100 - 4 / 0.24),
        (1.0, 1.0): (44.2477900, 100 - 1 / 0.24),
    }
    batches = [(x[:10], y[:10]), (x[10:], y[10:])]

    def loss(logits, targets):
        return F.cross_entropy(logits, targets, reduction="sum")

    found = surface(model, batches, directions, theirs, loss)
    assert found["loss"].tolist() == pytest.approx([value for value, _ in theirs.values()], rel=1e-5)
    assert found["error_percent"].tolist() == pytest.approx([error for _, error in theirs.values()])
