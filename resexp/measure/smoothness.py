"""How the loss and its gradient change along the gradient, during training (Santurkar et al. 2018)."""

from collections.abc import Callable, Sequence

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from resexp.measure.run import Run, spread


def along_gradient(
    model: nn.Module, loss: Callable[[nn.Module, dict[str, Tensor]], Tensor], rates: Sequence[float]
) -> pd.DataFrame:
    """Loss and gradient after steps of several sizes against the gradient.

    Args:
        model: its parameters are where the steps begin; they stay as they are.
        loss: model, parameters -> scalar.
        rates: the step is rate times the gradient.
    Returns:
        rate, loss, gradient_norm (at the start), gradient_change (Euclidean norm of the difference to the
        gradient at the start), smoothness (that over the length of the step). They are nan where the loss
        is not finite.
    """
    start = {name: p.detach() for name, p in model.named_parameters()}

    def at(parameters: dict[str, Tensor]) -> tuple[float, dict[str, Tensor]]:
        here = {name: p.detach().requires_grad_(True) for name, p in parameters.items()}
        value = loss(model, here)
        return value.item(), dict(zip(here, torch.autograd.grad(value, list(here.values())), strict=True))

    _, gradient = at(start)
    norm = _norm(gradient)
    rows = []
    for rate in rates:
        value, there = at({name: p - rate * gradient[name] for name, p in start.items()})
        change = _norm({name: there[name] - gradient[name] for name in start})
        rows.append((rate, value, norm, change, change / (rate * norm)))
    columns = ["rate", "loss", "gradient_norm", "gradient_change", "smoothness"]
    return pd.DataFrame(rows, columns=columns)


def _norm(tensors: dict[str, Tensor]) -> float:
    return torch.stack([t.norm() for t in tensors.values()]).norm().item()


def trained(run: Run, *, factors: Sequence[float], examples: int) -> dict[str, pd.DataFrame]:
    """The loss and the gradient along the gradient at every stage of a run.

    Args:
        run: trained with train.keep, for stages between the first and the last.
        factors: sizes of the steps as multiples of the run's first learning rate.
        examples: of one batch of the training split, without augmentation.
    Returns:
        `along`: step (of training), factor, and the columns of along_gradient; loss in nats.
    Raises:
        ValueError: factors that are not above 0, or a run that does not say how it was trained.
    Source: Santurkar et al. 2018 (arXiv:1805.11604), figure 4. The network is in training mode, so that batch
    normalization uses the batch's statistics. Departures: the stages that were kept instead of every step;
    one batch for all stages; sizes of steps are ours.
    """
    if not factors or min(factors) <= 0:
        raise ValueError(f"measure.factors must be above 0, got {factors}")
    if "schedule" not in run.config:
        raise ValueError("how this network was trained is not known: take runs of resexp train")
    schedule = run.config["schedule"]
    x, y = spread(run, "train", examples)
    rates, frames = [factor * schedule["learning_rate"] for factor in factors], []
    for stage in run.stages:
        step = {"initial": 0, "trained": schedule["steps"]}.get(stage)
        step = int(stage.removeprefix("step-")) if step is None else step
        found = along_gradient(
            run.network(stage).train(),
            lambda model, here: F.cross_entropy(functional_call(model, here, (x,)), y),
            rates,
        )
        found.insert(0, "factor", list(factors))
        found.insert(0, "step", step)
        frames.append(found)
    return {"along": pd.concat(frames, ignore_index=True)}
