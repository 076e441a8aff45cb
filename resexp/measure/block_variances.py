"""Variances of one network's activations and gradients after each block."""

from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor, nn

from resexp.measure.residual_stream import ResidualStream


def variances(model: nn.Module, x: Tensor, backward: Callable[[Tensor], Tensor]) -> pd.DataFrame:
    """Variances of activations and their gradients, before the first block and after each block.

    Theory considers the variance over random weights, of which the units are samples. The variance is
    therefore taken over the units of each example (and position), then averaged. The textbook's notebook
    11.3 instead prints the variance over the examples for each unit, which excludes the mean common to all
    examples and is therefore smaller after a ReLU.

    Args:
        model: has `stem` and `blocks`; set to training mode, so that batch normalization uses batch
            statistics.
        x: inputs of one batch.
        backward: output -> scalar whose gradient is measured.
    Returns:
        Columns block (0: before the first), variance, gradient_variance, batch_variance (as in the
        notebook).
    """
    model.train()
    outputs: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        outputs.append(output.clone())
        # pass on another copy: an in-place ReLU must not overwrite the stored one
        return outputs[-1].clone()

    hooks = [part.register_forward_hook(keep) for part in (model.stem, *model.blocks)]
    try:
        scalar = backward(model(x))
    finally:
        for hook in hooks:
            hook.remove()
    gradients = torch.autograd.grad(scalar, outputs)
    return pd.DataFrame(
        {
            "block": range(len(outputs)),
            "variance": [_variance(h) for h in outputs],
            "gradient_variance": [_variance(g) for g in gradients],
            "batch_variance": [_variance(h.movedim(0, 1)) for h in outputs],
        }
    )


@torch.no_grad()
def branch_shares(model: ResidualStream, x: Tensor) -> list[float]:
    """How far each block is from the identity: the variance of its branch relative to that of the stream.

    Args:
        model: in training mode.
        x: inputs of one batch.
    Returns:
        Per block, from 0 (before the first: nan): variance of the branch divided by that of the stream,
        each over the units of each example (and position), then averaged. In theory it is 1 in every
        block without a remedy, and 1 / k in block k with normalization first, so later blocks are close
        to the identity.
    """
    h, shares = model.stem(x), [float("nan")]
    for block in model.blocks:
        shares.append(_variance(block.branch(h)) / _variance(h))
        h = block(h)
    return shares


@torch.no_grad()
def first_overflow(model: nn.Module, x: Tensor, dtype: torch.dtype) -> int | None:
    """The first block whose output is not finite when the network is evaluated in `dtype`.

    Args:
        model: has `stem` and `blocks`; converted in place.
        x: inputs of one batch.
    Returns:
        Index of the block, 0 for the stem; None if all outputs are finite.
    """
    model = model.to(dtype).train()
    h = x.to(dtype)
    for block, part in enumerate((model.stem, *model.blocks)):
        h = part(h)
        if not torch.isfinite(h).all():
            return block
    return None


def _variance(h: Tensor) -> float:
    """Variance over dimension 1, averaged over all other dimensions."""
    return h.detach().var(dim=1, correction=0).mean().item()
