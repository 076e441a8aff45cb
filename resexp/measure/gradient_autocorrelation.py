"""Autocorrelation of the input gradient dy/dx along a line of inputs (UDL 11.3; Balduzzi et al. 2017)."""

from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor

from resexp.measure.line_gradients import gradient_between, line_gradients, noise, set_batch_statistics
from resexp.measure.random_networks import Setup
from resexp.measure.run import Run, before_and_after

SHOWN = 3  # networks whose gradients are kept
STATISTICS = 512  # test examples over which batch normalization takes its statistics in trained runs


def gradient_autocorrelation(
    gradients: Tensor, max_lag: int, *, unbiased: bool = False, about_zero: bool = False
) -> Tensor:
    """Autocorrelate dy/dx along a line of inputs, network by network.

    The mean over the line is subtracted; products at lag k are summed over the N - k pairs and
    divided by the sum at lag 0. This is the standard biased estimator, which shrinks towards 0 by a
    factor (N - k) / N; `unbiased` divides by this factor. With 256 inputs and 15 lags the two
    differ by at most 6 %. With `about_zero` the mean is not subtracted, so a gradient that varies
    little relative to its size stays correlated: a constant one gives 1 - k / N (biased) or 1.

    Args:
        gradients: dy/dx, shape (networks, inputs), at evenly spaced inputs.
        max_lag: largest lag in grid steps, 0 < max_lag < inputs.
        unbiased: divide each sum by its number of pairs.
        about_zero: do not subtract the mean.
    Returns:
        Shape (networks, max_lag + 1), unitless, 1 at lag 0; nan where it is undefined: a gradient
        that is constant along the line or, with `about_zero`, zero.
    Raises:
        ValueError: max_lag out of range.
    Source: Balduzzi et al. 2017, fig. 2 (arXiv:1702.08591), which does not say whether the mean is
    subtracted; np.correlate gives the biased estimator about zero.
    """
    inputs = gradients.shape[1]
    if not 0 < max_lag < inputs:
        raise ValueError(f"max_lag must lie in 1..{inputs - 1}, got {max_lag}")
    # the rounding error of a constant gradient is not a signal
    floor = 1e4 * torch.finfo(gradients.dtype).eps * gradients.abs().amax(dim=1, keepdim=True)
    gradients = gradients.double()
    if not about_zero:
        gradients = gradients - gradients.mean(dim=1, keepdim=True)
        enough = gradients.abs().amax(dim=1, keepdim=True) > floor
        gradients = torch.where(enough, gradients, torch.nan)
    sums = [(gradients[:, : inputs - k] * gradients[:, k:]).sum(dim=1) for k in range(max_lag + 1)]
    r = torch.stack(sums, dim=1) / sums[0].unsqueeze(1)
    if unbiased:
        r = r * inputs / (inputs - torch.arange(max_lag + 1, device=r.device))
    return r


def measure(
    setups: Mapping[str, Setup],
    *,
    depths: Sequence[int],
    networks: int,
    width: int,
    inputs: int,
    max_lag: int,
    unbiased: bool,
    curves: Sequence[Sequence],
    panels: Sequence[Sequence],
    seed: int,
    device: torch.device,
    covariance_every: int = 1,
) -> dict[str, pd.DataFrame]:
    """Autocorrelation and magnitude of dy/dx for every setup and depth.

    Args:
        setups: name -> setup.
        depths, networks, width, seed: see line_gradients.
        inputs: number of evenly spaced points on [-2, 2).
        max_lag, unbiased: see gradient_autocorrelation.
        curves: (setup, depth) pairs whose autocorrelation is kept at further lags: all lags up to 4,
            then every second one up to max_lag.
        panels: (setup, depth) pairs of which gradients are kept (of three networks), with their
            covariance over the networks between inputs. If there are any, brown and white noise are
            added to them and to `curves`, with depth 0. Pairs whose depth is not among `depths` are
            ignored.
        covariance_every: grid steps between the inputs whose covariance is kept.
    Returns:
        `autocorrelation`: setup, depth, seed, lag, delta_x, autocorrelation, about_zero (without
        subtracting the mean over the line), at lag 1; with curves, `curves`: the same at further lags;
        `summary`: setup, depth, seed, gradient_std, coactive_fraction, quadratic_variation (sum of
        squared increments along the line);
        with panels, `gradients`: setup, depth, seed, x, gradient, and `covariance`: setup, depth,
        x, x0, x1, ...: the covariance with each input up to x, in the order of the rows.
    Source: the grid is that of the textbook's notebook 11.1, np.arange(-2, 2, 4 / 256).
    """
    x = -2 + 4 / inputs * torch.arange(inputs, device=device)
    parts: dict[str, list[pd.DataFrame]] = {}
    wanted, drawn = ({tuple(pair) for pair in pairs} for pairs in (panels, curves))

    def add(name: str, depth: int, gradients: Tensor) -> None:
        keys = {"setup": name, "depth": depth}
        found = _correlations(
            gradients, keys, max_lag, unbiased, further=(name, depth) in drawn or depth == 0
        )
        if (name, depth) in wanted or depth == 0:
            found |= _kept(gradients, keys, x, covariance_every)
        for table, frame in found.items():
            parts.setdefault(table, []).append(frame)

    for name, setup in setups.items():
        found, coactive = line_gradients(setup, x, depths, networks=networks, width=width, seed=seed)
        for depth, gradients, fraction in zip(depths, found, coactive, strict=True):
            add(name, depth, gradients)
            sizes = {
                "gradient_std": gradients.std(dim=1, correction=0),
                "coactive_fraction": fraction,
                "quadratic_variation": gradients.diff(dim=1).square().sum(dim=1),
            }
            columns = {column: values.tolist() for column, values in sizes.items()}
            summary = pd.DataFrame({"setup": name, "depth": depth, "seed": range(networks), **columns})
            parts.setdefault("summary", []).append(summary)
    for kind in ("brown", "white") if wanted else ():
        generator = torch.Generator(device).manual_seed(seed)
        add(f"{kind}_noise", 0, noise(kind, networks=networks, inputs=inputs, generator=generator))
    return {table: pd.concat(frames, ignore_index=True) for table, frames in parts.items()}


def _correlations(
    gradients: Tensor, keys: dict, max_lag: int, unbiased: bool, *, further: bool
) -> dict[str, pd.DataFrame]:
    """The tables `autocorrelation`, at lag 1, and, if `further` lags are kept, `curves`; see measure."""
    tidy = _with_and_without_mean(gradients, keys, max_lag, unbiased)
    tidy.insert(4, "delta_x", tidy["lag"] * (4 / gradients.shape[1]))
    tables = {"autocorrelation": tidy[tidy["lag"] == 1]}
    if further:
        tables["curves"] = tidy[(tidy["lag"] > 0) & ((tidy["lag"] <= 4) | (tidy["lag"] % 2 == 0))]
    return tables


def _kept(gradients: Tensor, keys: dict, x: Tensor, covariance_every: int) -> dict[str, pd.DataFrame]:
    """The tables `gradients`, of a few networks, and `covariance`; see measure."""
    curve = _tidy(gradients[:SHOWN], keys, "x", "gradient")
    return {
        "gradients": curve.assign(x=curve["x"] * (4 / len(x)) - 2),
        "covariance": _covariance(gradients[:, ::covariance_every], x[::covariance_every].tolist(), keys),
    }


def _with_and_without_mean(gradients: Tensor, keys: dict, max_lag: int, unbiased: bool) -> pd.DataFrame:
    """Tidy table of the autocorrelation about the mean and about zero."""
    about_mean, about_zero = (
        gradient_autocorrelation(gradients, max_lag, unbiased=unbiased, about_zero=zero)
        for zero in (False, True)
    )
    tidy = _tidy(about_mean, keys, "lag", "autocorrelation")
    return tidy.assign(about_zero=about_zero.flatten().tolist())


def _covariance(gradients: Tensor, x: list[float], keys: dict) -> pd.DataFrame:
    """Covariance over the networks of the gradients at each pair of inputs: the lower triangle."""
    matrix = torch.cov(gradients.double().T)
    above = torch.ones_like(matrix, dtype=torch.bool).triu(1)
    lower = pd.DataFrame(
        matrix.masked_fill(above, torch.nan).tolist(), columns=[f"x{j}" for j in range(len(x))]
    )
    return pd.concat([pd.DataFrame({**keys, "x": x}), lower], axis=1)


def trained(run: Run, *, inputs: int, max_lag: int, unbiased: bool, pairs: int) -> dict[str, pd.DataFrame]:
    """Autocorrelation along lines between pairs of test examples, before and after training.

    The output is the logit of the first example's class; it is differentiated with respect to the
    position s on the line, from 0 to 1. Batch normalization uses the statistics of a batch of test
    examples at both stages, since the initial network has no running statistics.

    Args:
        run: see Run.
        inputs: points on each line.
        max_lag, unbiased: see gradient_autocorrelation.
        pairs: number of lines; line i connects examples 2i and 2i + 1.
    Returns:
        `autocorrelation`: stage, line, lag, delta_s, autocorrelation.
    """
    frames = []
    x, y = run.examples("test", max(STATISTICS, 2 * pairs))
    places = torch.arange(inputs, device=x.device) / inputs
    for stage in before_and_after(run):
        model = run.network(stage)
        set_batch_statistics(model, x[:STATISTICS])
        slopes = torch.stack(
            [gradient_between(model, x[2 * i], x[2 * i + 1], int(y[2 * i]), places) for i in range(pairs)]
        )
        r = gradient_autocorrelation(slopes, max_lag, unbiased=unbiased)
        tidy = _tidy(r, {"stage": stage}, "lag", "autocorrelation").rename(columns={"seed": "line"})
        tidy.insert(3, "delta_s", tidy["lag"] / inputs)
        frames.append(tidy)
    return {"autocorrelation": pd.concat(frames, ignore_index=True)}


def _tidy(values: Tensor, keys: dict, column: str, name: str) -> pd.DataFrame:
    """A tensor (networks, points) as a table with one row per value."""
    networks, points = values.shape
    return pd.DataFrame(
        {
            **keys,
            "seed": [i for i in range(networks) for _ in range(points)],
            column: list(range(points)) * networks,
            name: values.flatten().tolist(),
        }
    )
