"""Correlation and variance of the gradient at random pairs of inputs (Balduzzi et al. 2017)."""

from collections.abc import Mapping
from math import prod

import pandas as pd
import torch
from torch import Tensor

from resexp.measure.random_networks import Setup, chunks, forward, generator_of

CHUNK = 10  # networks at a time


def theory(setup: Setup, depth: int) -> tuple[float, float]:
    """Variance and correlation according to theorems 1 to 3 of Balduzzi et al. 2017.

    Feed-forward, centered, gain 2: variance 1, correlation 1/2^L. Residual: 2^L and (3/4)^L.
    Residual with batch normalization: the branch of block k receives units of variance
    v = beta^2 (k - 1) + 1, so the variance grows by a factor 1 + beta^2 / v, and the covariance of a
    pair by 1 + beta^2 / (2 v), since half of the units that are active at one input are active at
    both. The variance is beta^2 L + 1; for beta = 1 the correlation is prod_k (1 + 1/(2k)) / (L + 1).

    Args:
        setup: of the networks.
        depth: L, hidden layers or residual blocks.
    Returns:
        nan for setups that the theorems do not cover.
    Source: arXiv:1702.08591, theorems 1-3. Departures: theorem 3 states the approximation
    1 / (beta sqrt L) of the correlation for large L; here the product that it approximates is used.
    The theorem also counts the layer before the first block, so its L is one larger than here.
    Theorem 2 assumes that units are active with probability 1/2, independently at both inputs; it is
    also evaluated for networks that are not centered, to show the effect of this assumption.
    """
    if setup.kind == "feedforward" and setup.gain == 2 and setup.normalization == "center":
        return 1.0, 0.5**depth
    if setup.kind == "residual" and setup.normalization != "batch" and setup.branch_scale == 1:
        return 2.0**depth, 0.75**depth
    if setup.kind == "residual" and setup.normalization == "batch":
        square = setup.branch_scale**2
        variance = square * depth + 1
        growth = [1 + square / (2 * (square * (k - 1) + 1)) for k in range(1, depth + 1)]
        return variance, prod(growth) / variance
    return float("nan"), float("nan")


def measure(
    setups: Mapping[str, Setup],
    *,
    depth: int,
    networks: int,
    width: int,
    inputs: int,
    seed: int,
    device: torch.device,
) -> dict[str, pd.DataFrame]:
    """Variance and covariance of the gradient with respect to the input, after every layer.

    The inputs are Gaussian, so any two of them are nearly orthogonal: random pairs, not neighbours.
    The gradient is that of a linear output layer, averaged over its weights in closed form; the
    covariance is averaged over all pairs of different inputs.

    Args:
        setups: name -> setup.
        depth: of the deepest network.
        networks: number of networks.
        width: units per layer, and features of the inputs.
        inputs: per network; normalization runs over them.
        seed: of weights and inputs.
    Returns:
        `correlation`: setup, depth, seed, variance, covariance, theory_variance,
        theory_correlation; the correlation is the mean covariance divided by the mean variance.
    Source: Balduzzi et al. 2017, theorems 1-3. Departure: widths and numbers of inputs are finite.
    """
    frames = []
    for name, setup in setups.items():
        variance, covariance = _moments(
            setup, depth=depth, networks=networks, width=width, inputs=inputs, seed=seed, device=device
        )
        for layer in range(depth):
            expected = theory(setup, layer + 1)
            frames.append(
                pd.DataFrame(
                    {
                        "setup": name,
                        "depth": layer + 1,
                        "seed": range(networks),
                        "variance": variance[layer].tolist(),
                        "covariance": covariance[layer].tolist(),
                        "theory_variance": expected[0],
                        "theory_correlation": expected[1],
                    }
                )
            )
    return {"correlation": pd.concat(frames, ignore_index=True)}


def _moments(
    setup: Setup, *, depth: int, networks: int, width: int, inputs: int, seed: int, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Variance and covariance of the gradient after every layer, each (depth, networks); see measure."""
    variance = torch.empty(depth, networks, dtype=torch.float64)
    covariance = torch.empty_like(variance)
    # the output layer preserves the variance: its gain makes up for the ReLU
    scale = (1.0 if setup.kind == "residual" else setup.gain) / width
    for chunk in chunks(networks, CHUNK):
        generator = generator_of(seed, chunk, 0, device)
        x = torch.randn(CHUNK, inputs, width, generator=generator, device=device)
        direction = torch.zeros(width, device=device)
        direction[0] = width**0.5  # so that the derivatives of the first layer have variance 1
        passes = forward(setup, x, direction, width=width, layers=depth, generator=generator)
        for layer, (_, da, _) in enumerate(passes):
            t = da.double()
            own = t.square().sum(dim=(1, 2))
            pairs = t.sum(dim=1).square().sum(dim=1) - own
            here = slice(chunk.start, chunk.stop)
            variance[layer, here] = (scale * own / inputs)[: len(chunk)].cpu()
            mean_pair = scale * pairs / (inputs * (inputs - 1))
            covariance[layer, here] = mean_pair[: len(chunk)].cpu()
    return variance, covariance
