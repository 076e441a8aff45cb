"""How a network weighs its paths: by gates, by stochastic depth, or all alike (Veit et al. 2016)."""

from collections.abc import Sequence
from math import log2

import pandas as pd
import torch
from torch import Tensor

from resexp.measure.chain import chain_of
from resexp.measure.run import Run, spread


def by_length(weights: Sequence[float]) -> list[float]:
    """The weight of all paths of each length: a path's is the product over its blocks, 2^n paths have 1.

    Args:
        weights: of each block's branch, from 0 to 1; the shortcut has the rest.
    Returns:
        For 0, 1, ..., n branches; binomial where all weights are equal (Poisson's binomial distribution).
    """
    found = [1.0]
    for weight in weights:
        pairs = zip([*found, 0.0], [0.0, *found], strict=True)
        found = [stay * (1 - weight) + take * weight for stay, take in pairs]
    return found


def log2_paths(weights: Sequence[float]) -> float:
    """Bits of the entropy of the paths' weights: n where all 2^n paths have the same.

    Two to this power is the number of equal paths that would be as diverse. A gate that is shut or wide open
    halves it, as a block does that is deleted.
    """
    return sum(-w * log2(w) - (1 - w) * log2(1 - w) for w in weights if 0 < w < 1)


@torch.no_grad()
def branch_weights(run: Run, x: Tensor) -> list[float]:
    """What part of a block's output its branch is weighed with, mean over examples, channels and positions.

    By gates: as they are for these examples. By stochastic depth: as in training, where a path lives as long
    as all of its branches do, so that survival p makes p / (1 + p). Else a half.
    """
    model = run.network()
    chain_of(model, x[:2])
    h, found = model.start(x), []
    for block in model.blocks:
        of_shortcut, of_branch = torch.ones(()), torch.ones(())
        if hasattr(block.shortcut, "weights"):
            of_shortcut, of_branch = block.shortcut.weights(block.before(h))
        of_branch = of_branch * getattr(block.branch, "survival", 1.0)
        found.append((of_branch / (of_shortcut + of_branch)).double().mean().item())
        h = block(h)
    return found


def trained(run: Run, *, examples: int) -> dict[str, pd.DataFrame]:
    """Weights of the paths of a trained network.

    Args:
        run: its network is a chain of residual blocks (resexp.measure.chain).
        examples: test examples, spread over the split.
    Returns:
        `blocks`: block, weight (of its branch); `weights`: length, weight (of all paths of that length),
        binomial (the same, were all paths alike); `multiplicity`: blocks, mean_length (weighted), log2_paths.
    Raises:
        ValueError: a network without shortcuts.
    Source: Veit et al. 2016 (arXiv:1605.06431), section 5, which discusses gates and stochastic depth in
    words.
    Departures: blocks are taken as independent: a path's weight is the product of mean weights.
    """
    x, _ = spread(run, "test", examples)
    if chain_of(run.network(), x[:2]).plain:
        raise ValueError("a plain network has one path: paths are of networks with shortcuts")
    weights = branch_weights(run, x)
    lengths, alike = by_length(weights), by_length([0.5] * len(weights))
    mean = sum(length * weight for length, weight in enumerate(lengths))
    blocks = range(1, len(weights) + 1)
    return {
        "blocks": pd.DataFrame({"block": blocks, "weight": weights}),
        "weights": pd.DataFrame({"length": range(len(lengths)), "weight": lengths, "binomial": alike}),
        "multiplicity": pd.DataFrame(
            [(len(weights), mean, log2_paths(weights))], columns=["blocks", "mean_length", "log2_paths"]
        ),
    }
