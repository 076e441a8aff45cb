"""Eigenvalues against dense matrices and two programs of others."""

import pytest
import torch
import torch.nn.functional as F
from helpers import Fixed
from torch import nn
from torch.func import functional_call

from resexp import build_model
from resexp.measure.hessian import extreme_eigenvalues, hessian_product, trained


def summed(logits, targets):
    return F.cross_entropy(logits, targets, reduction="sum")


def test_of_a_symmetric_matrix(generator):
    a = torch.randn(40, 40, generator=generator, dtype=torch.float64)
    a = a + a.T
    values = torch.linalg.eigvalsh(a)
    start = torch.randn(40, generator=generator, dtype=torch.float64)
    low, high, residual, products = extreme_eigenvalues(
        lambda v: a @ v, start, tolerance=1e-8, least=2, most=40
    )
    assert (low, high) == pytest.approx((values[0].item(), values[-1].item()))
    assert residual <= 1e-8
    *_, residual, products = extreme_eigenvalues(lambda v: a @ v, start, tolerance=1e-8, least=2, most=3)
    assert (products, residual > 1e-3) == (3, True), "what it has not reached is said"
    assert extreme_eigenvalues(lambda v: 0 * v, start, tolerance=0.1, least=2, most=9) == (0, 0, 0, 1)
    assert extreme_eigenvalues(lambda v: 2 * v, start, tolerance=0.1, least=2, most=9)[:2] == pytest.approx(
        (2, 2)
    )


def test_products_and_eigenvalues_are_those_of_the_dense_hessian(generator):
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    x = torch.randn(11, 4, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 3, (11,), generator=generator)
    weights = {name: p.detach() for name, p in model.named_parameters() if p.dim() > 1}
    sizes = [w.numel() for w in weights.values()]

    def mean_loss(flat):
        parts = zip(weights, flat.split(sizes), strict=True)
        moved = {name: part.view_as(weights[name]) for name, part in parts}
        return F.cross_entropy(functional_call(model, moved, (x,)), y)

    flat = torch.cat([w.flatten() for w in weights.values()])
    dense = torch.autograd.functional.hessian(mean_loss, flat)
    product = hessian_product(model, weights, [(x[:4], y[:4]), (x[4:], y[4:])], summed)
    v = torch.randn(len(flat), generator=generator, dtype=torch.float64)
    torch.testing.assert_close(product(v), dense @ v)
    values = torch.linalg.eigvalsh(dense)
    found = extreme_eigenvalues(product, v, tolerance=1e-6, least=5, most=len(flat))
    assert found[:2] == pytest.approx((values[0].item(), values[-1].item()), rel=1e-4)


def small():
    """A network with statistics of its own, and the generator behind its images."""
    model = build_model("resnet", model__depth=8, model__width=4, seed=0)
    drawn = torch.Generator().manual_seed(1)
    x = torch.randn(24, 1, 40, generator=drawn)
    y = torch.randint(0, 10, (24,), generator=drawn)
    with torch.no_grad():
        model.train()(x)
    return model.eval(), x, y, drawn


@pytest.mark.parametrize(
    ("least_dims", "expected"),
    # All parameters: pyhessian 0.1, hessian(model, CrossEntropyLoss(), data=(x, y), cuda=False)
    # .eigenvalues(maxIter=1000, tol=1e-7), the largest one. Weights alone: min_max_hessian_eigs of
    # tomgoldstein/loss-landscape (64ef4d5, hess_vec_prod.py, ARPACK with a tolerance of 0.01).
    [(1, (None, 3.152268)), (2, (-1.111885, 2.358556))],
)
def test_the_largest_and_smallest_are_those_of_other_programs(least_dims, expected, generator):
    model, x, y, _ = small()
    weights = {name: p.detach() for name, p in model.named_parameters() if p.dim() >= least_dims}
    start = torch.randn(sum(w.numel() for w in weights.values()), generator=generator)
    product = hessian_product(model, weights, [(x[:10], y[:10]), (x[10:], y[10:])], summed)
    low, high, residual, _ = extreme_eigenvalues(product, start, tolerance=1e-4, least=5, most=100)
    assert residual <= 1e-4
    assert high == pytest.approx(expected[1], rel=1e-4)
    if expected[0]:
        assert low == pytest.approx(expected[0], rel=1e-4)


def test_the_table_and_its_middle():
    model, x, y, _ = small()
    options = {
        "reach": 0.5,
        "examples": 24,
        "batch_size": 10,
        "tolerance": 1e-2,
        "least": 9,
        "most": 20,
        "draw_seed": 1,
    }
    found = trained(Fixed(model, x, y), points=3, **options)["curvature"]
    assert found["x"].tolist() == [-0.5] * 3 + [0] * 3 + [0.5] * 3
    middle = found.iloc[4]
    assert (middle["smallest"], middle["largest"]) == pytest.approx((-1.111885, 2.358556), rel=0.02)
    assert middle["ratio"] == pytest.approx(1.111885 / 2.358556, rel=0.02)
    (alone,) = trained(Fixed(model, x, y), points=1, **options)["curvature"].itertuples(index=False)
    assert alone.largest == pytest.approx(middle["largest"], rel=0.02)
