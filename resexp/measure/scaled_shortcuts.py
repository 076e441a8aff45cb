"""Propagation through scaled shortcuts: a factor lambda^(L - l) for the signal and for the gradient."""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor


def measure(
    *,
    seed: int,
    device: torch.device,
    scales: Sequence[float],
    depth: int,
    width: int,
    inputs: int,
    networks: int,
    branch_scale: float,
) -> dict[str, pd.DataFrame]:
    """Fraction of the stream that shortcuts scaled by lambda carry through random residual networks.

    A block is h' = lambda h + branch_scale W relu(h / rms(h)), with independent W ~ N(0, 2 / width) for each
    network and block, so that branches are uncorrelated with the stream. The fraction carried by the
    shortcuts alone is then the regression coefficient of h_L on h_l, and of the gradient at h_l on that at
    h_L.

    Args:
        seed, device: of the random generator.
        scales: lambda.
        depth: blocks L.
        width, inputs, networks: units, inputs per network, networks.
        branch_scale: multiplies each branch.
    Returns:
        `carried`: per scale, block l (0: before the first) and network (`seed`), `forward` and `backward`,
        and `closed_form`, lambda^(L - l).
    Raises:
        ValueError: depth or a scale is not above 0.
    Source: He et al. 2016 (arXiv:1603.05027), section 3, eq. 6 to 8: the shortcuts contribute the product of
    their scales. Departure: the branch receives the normalized stream, so that its size does not depend on
    the stream's; the normalization is not differentiated.
    """
    if depth < 1:
        raise ValueError(f"measure.depth must be at least 1, got {depth}")
    if not all(scale > 0 for scale in scales):
        raise ValueError(f"measure.scales must be above 0, got {list(scales)}")
    generator = torch.Generator(device).manual_seed(seed)
    rows = []
    for scale in scales:
        for network in range(networks):
            forward, backward = _carried(scale, depth, width, inputs, branch_scale, generator)
            for block in range(depth + 1):
                shares = {"forward": forward[block], "backward": backward[block]}
                expected = {"closed_form": scale ** (depth - block)}
                rows.append({"scale": scale, "block": block, "seed": network} | shares | expected)
    return {"carried": pd.DataFrame(rows)}


def _carried(
    scale: float, depth: int, width: int, inputs: int, branch_scale: float, generator: torch.Generator
) -> tuple[list[float], list[float]]:
    """Regression coefficients of h_L on h_l, and of the gradient at h_l on that at h_L, for all l."""
    draw = {"generator": generator, "device": generator.device, "dtype": torch.float64}
    streams, weights, slopes = [torch.randn(inputs, width, **draw)], [], []
    for _ in range(depth):
        h = streams[-1]
        rms = h.square().mean().sqrt()
        weights.append(torch.randn(width, width, **draw) * (2 / width) ** 0.5 * branch_scale)
        slopes.append((h > 0) / rms)
        streams.append(scale * h + (h.clamp(min=0) / rms) @ weights[-1].T)
    gradients = [torch.randn(inputs, width, **draw)]
    for weight, slope in zip(reversed(weights), reversed(slopes), strict=True):
        gradients.append(scale * gradients[-1] + slope * (gradients[-1] @ weight))
    gradients.reverse()
    last, at_last = streams[-1], gradients[-1]
    return [_coefficient(last, h) for h in streams], [_coefficient(g, at_last) for g in gradients]


def _coefficient(y: Tensor, x: Tensor) -> float:
    """Coefficient of the regression of y on x through the origin."""
    return ((x * y).sum() / x.square().sum()).item()
