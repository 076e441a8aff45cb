"""The largest and smallest eigenvalues of a loss's Hessian around a trained network (Li et al. 2018)."""

from collections.abc import Callable, Sequence

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from resexp.measure.loss_surface import filter_normalized, grid, moved
from resexp.measure.run import Run, spread

EXHAUSTED = 1e-10  # what is left of a product, relative to the matrix, when its start holds no more

Batches = Sequence[tuple[Tensor, Tensor]]


def hessian_product(
    model: nn.Module,
    parameters: dict[str, Tensor],
    batches: Batches,
    loss: Callable[[Tensor, Tensor], Tensor],
) -> Callable[[Tensor], Tensor]:
    """v -> H v, with H the Hessian of the mean loss over all examples.

    Args:
        model: in evaluation mode.
        parameters: those that H is taken for, by name; they replace the model's.
        batches: inputs and targets.
        loss: outputs, targets -> sum over the examples.
    Returns:
        Of and to a vector: the parameters flattened, in their order.
    """
    examples = sum(len(y) for _, y in batches)
    sizes = [p.numel() for p in parameters.values()]

    def product(v: Tensor) -> Tensor:
        parts = [part.view(p.shape) for part, p in zip(v.split(sizes), parameters.values(), strict=True)]
        total = torch.zeros_like(v)
        for x, y in batches:
            here = {name: p.detach().requires_grad_(True) for name, p in parameters.items()}
            value, where = loss(functional_call(model, here, (x,)), y), list(here.values())
            gradients = torch.autograd.grad(value, where, create_graph=True)
            along = sum((g * part).sum() for g, part in zip(gradients, parts, strict=True))
            second = torch.autograd.grad(along, where, materialize_grads=True)
            total += torch.cat([h.flatten() for h in second])
        return total / examples

    return product


def extreme_eigenvalues(
    product: Callable[[Tensor], Tensor], start: Tensor, *, tolerance: float, least: int, most: int
) -> tuple[float, float, float, int]:
    """The smallest and the largest eigenvalue of a symmetric matrix that is known by its products.

    Lanczos's iteration with full orthogonalization gives both ends at once. A small residual says that an
    eigenvalue is near, and not that it is the last one: the first products are not believed.

    Args:
        product: v -> A v.
        start: a random vector.
        tolerance: largest residual |A v - lambda v| of both, as a share of the larger absolute eigenvalue.
        least: products before which it does not end; ARPACK begins with 20.
        most: products, after which it ends in any case.
    Returns:
        Smallest, largest, the residual that is left (as a share), products taken.
    """
    basis, diagonal, beside = [start / start.norm()], [], []
    while True:
        w = product(basis[-1])
        diagonal.append((w @ basis[-1]).item())
        q = torch.stack(basis)
        for _ in range(2):  # once leaves what rounding has added
            w = w - q.T @ (q @ w)
        rest = w.norm().item()
        values, vectors = torch.linalg.eigh(_tridiagonal(diagonal, beside))
        scale = values.abs().max().item()
        residual = rest * vectors[-1, [0, -1]].abs().max().item()
        done = len(basis) >= least and residual <= tolerance * scale
        if done or rest <= EXHAUSTED * scale or len(basis) >= min(most, len(start)):
            return values[0].item(), values[-1].item(), residual / scale if scale else 0.0, len(basis)
        beside.append(rest)
        basis.append(w / rest)


def _tridiagonal(diagonal: list[float], beside: list[float]) -> Tensor:
    found = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    if beside:
        off = torch.tensor(beside, dtype=torch.float64)
        found += torch.diag(off, 1) + torch.diag(off, -1)
    return found


def trained(
    run: Run,
    *,
    points: int,
    reach: float,
    examples: int,
    batch_size: int,
    tolerance: float,
    least: int,
    most: int,
    draw_seed: int,
) -> dict[str, pd.DataFrame]:
    """Extreme eigenvalues of the Hessian of the cross-entropy, on a square grid around a trained network.

    Args:
        run: see Run.
        points: along each direction; 1: the trained network alone.
        reach, examples, batch_size, draw_seed: see loss_surface.trained; the same directions.
        tolerance, least, most: see extreme_eigenvalues.
    Returns:
        `curvature`: x, y, smallest, largest (nats per squared unit of the weights), ratio (|smallest| /
        |largest|: 0 where the loss is convex), residual, products.
    Source: Li et al. 2018 (arXiv:1712.09913), section 6 and figure 7. Hessian of the weights without biases
    and parameters of normalizations, which hold their statistics of training, as in the authors' program
    (hess_vec_prod.py). Departures: a part of the training examples, a coarse grid.
    """
    x, y = spread(run, "train", examples)
    batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))
    model, generator = run.network(), torch.Generator().manual_seed(draw_seed)
    directions = [filter_normalized(model, generator) for _ in range(2)]
    weights = {name: w.detach() for name, w in model.named_parameters() if w.dim() > 1}
    start = torch.randn(sum(w.numel() for w in weights.values()), generator=generator).to(x.device)

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits, targets, reduction="sum")

    def at(place: tuple[float, float]) -> tuple[float, float, float, float, int]:
        product = hessian_product(model, moved(weights, directions, place), batches, loss)
        low, high, residual, products = extreme_eigenvalues(
            product, start, tolerance=tolerance, least=least, most=most
        )
        return low, high, abs(low) / abs(high), residual, products

    places = grid(points, reach)
    rows = [(*place, *found) for place, found in zip(places, run.each("curvature", places, at), strict=True)]
    columns = ["x", "y", "smallest", "largest", "ratio", "residual", "products"]
    return {"curvature": pd.DataFrame(rows, columns=columns)}
