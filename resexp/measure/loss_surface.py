"""The loss around a trained network along two random directions (Li et al. 2018)."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from resexp.measure.run import Run, one_by_one, spread

Direction = dict[str, Tensor]  # a change of each parameter, by its name


def filter_normalized(model: nn.Module, generator: torch.Generator) -> Direction:
    """A random direction whose filters have the norms of the network's.

    A filter is what gives one output channel, in a linear layer one output. Biases and parameters of
    normalizations are left as they are.

    Args:
        model: its parameters of one dimension or none are not moved.
        generator: on the CPU, so that the direction does not depend on the device.
    Source: Li et al. 2018 (arXiv:1712.09913), section 4. Departures: none.
    """
    direction = {}
    for name, weight in model.named_parameters():
        if weight.dim() < 2:
            direction[name] = torch.zeros_like(weight)
            continue
        drawn = torch.randn(weight.shape, generator=generator).to(weight)
        norms, theirs = (w.detach().flatten(1).norm(dim=1) for w in (weight, drawn))
        direction[name] = drawn * (norms / theirs).view(-1, *[1] * (weight.dim() - 1))
    return direction


def moved(
    weights: dict[str, Tensor], directions: Sequence[Direction], place: Sequence[float]
) -> dict[str, Tensor]:
    """The weights + sum of place_k directions_k."""
    return {
        name: weight + sum(a * d[name] for a, d in zip(place, directions, strict=True))
        for name, weight in weights.items()
    }


def grid(points: int, reach: float) -> list[tuple[float, float]]:
    """The places of a square grid from -reach to reach, row by row; the middle alone for one point."""
    line = [reach * (2 * i / (points - 1) - 1) for i in range(points)] if points > 1 else [0.0]
    return [(a, b) for a in line for b in line]


@torch.no_grad()
def surface(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    directions: Sequence[Direction],
    places: Sequence[Sequence[float]],
    loss: Callable[[Tensor, Tensor], Tensor],
    each: Callable[..., list] = one_by_one,
) -> pd.DataFrame:
    """Loss and error at weights + sum of place_k directions_k; the network itself is not changed.

    Args:
        model: in evaluation mode.
        batches: inputs and targets; gone through for each place.
        directions: one or several.
        places: a coordinate for each direction.
        loss: outputs, targets -> sum over the examples.
        each: places, function of a place -> its values at the places.
    Returns:
        x, y, ... (a column for each direction), loss (mean over the examples), error_percent.
    """
    weights = dict(model.named_parameters())

    def at(place: Sequence[float]) -> tuple[float, float]:
        there = moved(weights, directions, place)
        total, wrong, examples = 0.0, 0, 0
        for inputs, targets in batches:
            output = functional_call(model, there, (inputs,))
            total += loss(output, targets).item()
            wrong += int((output.argmax(1) != targets).sum())
            examples += len(targets)
        return total / examples, 100 * wrong / examples

    rows = [(*place, *found) for place, found in zip(places, each(places, at), strict=True)]
    return pd.DataFrame(rows, columns=[*["x", "y", "z"][: len(directions)], "loss", "error_percent"])


def trained(
    run: Run, *, points: int, reach: float, examples: int, batch_size: int, draw_seed: int
) -> dict[str, pd.DataFrame]:
    """The cross-entropy on a square grid around a trained network.

    Args:
        run: see Run.
        points: along each direction; an odd number has the trained network in the middle.
        reach: the grid goes from -reach to reach in units of the direction.
        examples: training examples, spread over the split, without augmentation.
        batch_size: examples at a time; the numbers do not depend on it.
        draw_seed: of the two directions.
    Returns:
        `grid`: x, y, loss (nats), error_percent.
    Raises:
        ValueError: fewer than two points.
    Source: Li et al. 2018 (arXiv:1712.09913), section 4 and figures 1 and 5. Departure: a part of the
    training examples. Normalizations hold their statistics of training, as in the authors' program.
    """
    if points < 2:
        raise ValueError(f"measure.points must be at least 2, got {points}")
    x, y = spread(run, "train", examples)
    batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))
    model, generator = run.network(), torch.Generator().manual_seed(draw_seed)
    directions = [filter_normalized(model, generator) for _ in range(2)]

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits, targets, reduction="sum")

    places, each = grid(points, reach), partial(run.each, "grid")
    return {"grid": surface(model, batches, directions, places, loss, each)}
