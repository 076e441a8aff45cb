"""Along the gradient of a quadratic everything is known; a network against steps taken one by one."""

import copy

import pytest
import torch
import torch.nn.functional as F
from helpers import Fixed
from torch import nn

from resexp import build_model
from resexp.measure.smoothness import along_gradient, trained


def test_on_a_quadratic(generator):
    """L = w A w / 2: the gradient at w - r A w is A w - r A A w, so it changes by r |A A w|."""
    a = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    a = a @ a.T
    model = nn.Linear(5, 1, bias=False).double()
    w = model.weight.detach()[0]

    def loss(model, here):
        return here["weight"][0] @ a @ here["weight"][0] / 2

    found = along_gradient(model, loss, [0.1, 0.3])
    g = a @ w
    for row, rate in zip(found.itertuples(), (0.1, 0.3), strict=True):
        there = w - rate * g
        assert row.loss == pytest.approx((there @ a @ there / 2).item())
        assert row.gradient_norm == pytest.approx(g.norm().item())
        assert row.gradient_change == pytest.approx(rate * (a @ g).norm().item())
        assert row.smoothness == pytest.approx(((a @ g).norm() / g.norm()).item())
        assert row.smoothness <= torch.linalg.eigvalsh(a)[-1], "a Lipschitz constant of the gradient"
    assert torch.equal(model.weight.detach()[0], w)


def test_of_a_network_in_training_mode(generator):
    model = build_model("resnet", model__depth=8, model__width=4)
    x, y = torch.randn(16, 1, 40, generator=generator), torch.randint(0, 10, (16,), generator=generator)
    run = Fixed(model, x, y)
    run.config = {"schedule": {"learning_rate": 0.1, "steps": 7}}
    run.stages = ["initial", "step-4", "trained"]
    found = trained(run, factors=[0.5, 2.0], examples=16)["along"]
    assert found["step"].tolist() == [0, 0, 4, 4, 7, 7]
    assert found["factor"].tolist() == [0.5, 2.0] * 3
    moved = copy.deepcopy(model).train()
    optimizer = torch.optim.SGD(moved.parameters(), lr=0.2)
    F.cross_entropy(moved(x), y).backward()
    before = torch.cat([p.grad.flatten().clone() for p in moved.parameters()])
    optimizer.step()
    optimizer.zero_grad()
    loss = F.cross_entropy(moved(x), y)
    loss.backward()
    after = torch.cat([p.grad.flatten() for p in moved.parameters()])
    row = found.iloc[1]
    assert row["rate"] == pytest.approx(0.2)
    assert row["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert row["gradient_norm"] == pytest.approx(before.norm().item(), rel=1e-5)
    assert row["gradient_change"] == pytest.approx((after - before).norm().item(), rel=1e-4)
    with pytest.raises(ValueError, match=r"measure.factors must be above 0, got \[0\]"):
        trained(run, factors=[0], examples=16)
    run.config = {}
    with pytest.raises(ValueError, match="how this network was trained is not known"):
        trained(run, factors=[1.0], examples=16)
