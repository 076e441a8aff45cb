"""How fast dy/dx forgets itself along a line of inputs (UDL 11.3; Balduzzi et al. 2017)."""

from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor, nn

from resexp.measure.random_networks import Setup, chunks, forward, generator_of, mirrored
from resexp.measure.run import Run, before_and_after

CHUNK = 20  # networks at a time: what one takes of memory does not grow with their number
STATISTICS = 512  # test examples that batch normalization of a trained network is set by


def gradient_autocorrelation(gradients: Tensor, max_lag: int, *, unbiased: bool = False) -> Tensor:
    """Autocorrelate dy/dx along a line of inputs, network by network.

    The mean over the line is subtracted; products at lag k are summed over the N - k pairs and
    divided by the sum at lag 0. That is the usual, biased estimator, which leans towards 0 by a
    factor (N - k) / N; `unbiased` divides that factor out. At 256 inputs and 15 lags the two
    differ by at most 6 %.

    Args:
        gradients: dy/dx, shape (networks, inputs), at evenly spaced inputs.
        max_lag: largest lag in grid steps, 0 < max_lag < inputs.
        unbiased: divide each sum by the number of its pairs.
    Returns:
        Shape (networks, max_lag + 1), unitless, 1 at lag 0; nan where the gradient is constant
        along the line, which has no autocorrelation.
    Raises:
        ValueError: max_lag out of range.
    Source: Balduzzi et al. 2017, fig. 2 (arXiv:1702.08591); np.correlate gives the biased one.
    """
    inputs = gradients.shape[1]
    if not 0 < max_lag < inputs:
        raise ValueError(f"max_lag must lie in 1..{inputs - 1}, got {max_lag}")
    # what rounding alone leaves of a constant is no signal
    floor = 1e4 * torch.finfo(gradients.dtype).eps * gradients.abs().amax(dim=1, keepdim=True)
    gradients = gradients.double()
    centred = gradients - gradients.mean(dim=1, keepdim=True)
    centred = torch.where(centred.abs().amax(dim=1, keepdim=True) > floor, centred, torch.nan)
    sums = [(centred[:, : inputs - k] * centred[:, k:]).sum(dim=1) for k in range(max_lag + 1)]
    r = torch.stack(sums, dim=1) / sums[0].unsqueeze(1)
    if unbiased:
        r = r * inputs / (inputs - torch.arange(max_lag + 1, device=r.device))
    return r


def line_gradients(
    setup: Setup,
    x: Tensor,
    depths: Sequence[int],
    *,
    networks: int,
    width: int,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """dy/dx of random scalar networks at every input, for all depths in one forward pass.

    A network of depth L is the first L hidden layers of the deepest one, with an output layer of
    its own. Where the derivative goes through statistics over the inputs, an output depends on
    every input; then this is the derivative of the sum of all outputs, by reverse mode.

    Args:
        setup: of the networks.
        x: inputs, (inputs,); normalization runs over them.
        depths: numbers of hidden layers (of residual blocks for residual networks).
        networks: how many.
        width: units per layer.
        seed: of all weights.
    Returns:
        Gradients (depths, networks, inputs), and the fraction of units of the last hidden layer
        that are active at both of two neighbouring inputs (depths, networks).
    Raises:
        ValueError: depths are not ascending from 1.
    """
    if list(depths) != sorted(set(depths)) or depths[0] < 1:
        raise ValueError(f"depths must ascend from 1 on, got {list(depths)}")
    gradients = torch.empty(len(depths), networks, len(x), dtype=x.dtype, device=x.device)
    coactive = torch.empty(len(depths), networks, dtype=x.dtype, device=x.device)
    reverse = setup.through_statistics and setup.normalization != "none"
    one = torch.ones(1, dtype=x.dtype, device=x.device)
    for chunk in chunks(networks, CHUNK):
        generator, here = generator_of(seed, chunk, 0, x.device), slice(chunk.start, chunk.stop)
        # a whole group is drawn even where fewer are wanted, so that each network stays the same
        inputs = x.view(1, -1, 1).repeat(CHUNK, 1, 1).requires_grad_(reverse)
        passes = forward(setup, inputs, one, width=width, layers=depths[-1], generator=generator)
        for layer, (a, da, active) in enumerate(passes, start=1):
            if layer not in depths:
                continue
            row = list(depths).index(layer)
            own = generator_of(seed, chunk, layer, x.device)
            readout = torch.randn((CHUNK, width, 1), generator=own, dtype=x.dtype, device=x.device)
            readout = mirrored(setup, readout) * (setup.gain / width) ** 0.5
            if reverse:
                (slope,) = torch.autograd.grad((a @ readout).sum(), inputs, retain_graph=True)
            else:
                slope = da @ readout
            gradients[row, here] = slope.squeeze(2)[: len(chunk)]
            both = (active[:, 1:] & active[:, :-1]).to(x.dtype).mean(dim=(1, 2))
            coactive[row, here] = both[: len(chunk)]
    return gradients, coactive


def noise(kind: str, *, networks: int, inputs: int, generator: torch.Generator) -> Tensor:
    """White noise, or its running sum (brown), to compare gradients with; (networks, inputs).

    Raises:
        ValueError: another kind.
    """
    if kind not in ("white", "brown"):
        raise ValueError(f"noise must be white or brown, got {kind}")
    white = torch.randn(networks, inputs, generator=generator, device=generator.device)
    return white if kind == "white" else white.cumsum(dim=1)


def measure(
    setups: Mapping[str, Setup],
    *,
    depths: Sequence[int],
    networks: int,
    width: int,
    inputs: int,
    max_lag: int,
    unbiased: bool,
    panels: Sequence[Sequence],
    seed: int,
    device: torch.device,
) -> dict[str, pd.DataFrame]:
    """Autocorrelation of dy/dx and the size of it, for every set-up and depth.

    Args:
        setups: name -> set-up.
        depths, networks, width, seed: see line_gradients.
        inputs: points on [-2, 2), evenly spaced.
        max_lag, unbiased: see gradient_autocorrelation.
        panels: (set-up, depth) pairs whose gradients are kept: those of the first network, and
            their correlation over the networks between every fourth input. If there are any,
            brown and white noise join them, at depth 0.
    Returns:
        `autocorrelation`: setup, depth, seed, lag, delta_x, autocorrelation;
        `summary`: setup, depth, seed, gradient_std, coactive_fraction;
        with panels, `gradients`: setup, depth, seed, x, gradient, and `covariance`: setup, depth,
        x, other_x, correlation.
    Source: the grid is that of the textbook's notebook 11.1, np.arange(-2, 2, 4 / 256).
    """
    spacing = 4 / inputs
    x = -2 + spacing * torch.arange(inputs, device=device)
    parts: dict[str, list[pd.DataFrame]] = {}
    wanted = {tuple(panel) for panel in panels}

    def add(name: str, depth: int, gradients: Tensor) -> None:
        keys = {"setup": name, "depth": depth}
        r = gradient_autocorrelation(gradients, max_lag, unbiased=unbiased)
        tidy = _tidy(r, keys, "lag", "autocorrelation")
        tidy.insert(4, "delta_x", tidy["lag"] * spacing)
        parts.setdefault("autocorrelation", []).append(tidy)
        if (name, depth) in wanted or depth == 0:
            curve = _tidy(gradients[:1], keys, "x", "gradient")
            parts.setdefault("gradients", []).append(curve.assign(x=curve["x"] * spacing - 2))
            covariance = _covariance(gradients[:, ::4], x[::4].tolist(), keys)
            parts.setdefault("covariance", []).append(covariance)

    for name, setup in setups.items():
        found, coactive = line_gradients(setup, x, depths, networks=networks, width=width, seed=seed)
        for depth, gradients, both in zip(depths, found, coactive, strict=True):
            add(name, depth, gradients)
            sizes = {"gradient_std": gradients.std(dim=1, correction=0), "coactive_fraction": both}
            columns = {column: values.tolist() for column, values in sizes.items()}
            summary = pd.DataFrame({"setup": name, "depth": depth, "seed": range(networks), **columns})
            parts.setdefault("summary", []).append(summary)
    for kind in ("brown", "white") if wanted else ():
        generator = torch.Generator(device).manual_seed(seed)
        add(f"{kind}_noise", 0, noise(kind, networks=networks, inputs=inputs, generator=generator))
    return {table: pd.concat(frames, ignore_index=True) for table, frames in parts.items()}


def _covariance(gradients: Tensor, x: list[float], keys: dict) -> pd.DataFrame:
    """Correlation over the networks between the gradients at each two inputs."""
    matrix = torch.corrcoef(gradients.double().T)
    return pd.DataFrame(
        {
            **keys,
            "x": [a for a in x for _ in x],
            "other_x": x * len(x),
            "correlation": matrix.flatten().tolist(),
        }
    )


def trained(run: Run, *, inputs: int, max_lag: int, unbiased: bool, pairs: int) -> dict[str, pd.DataFrame]:
    """The same of a trained run, along straight lines between two test examples, before and after training.

    The output is the logit of the first example's class, its derivative that with respect to the
    position s on the line, from 0 to 1. Batch normalization keeps the statistics of a batch of test
    examples, for the initial network, too, which has none of its own yet.

    Args:
        run: see Run.
        inputs: points on each line.
        max_lag, unbiased: see gradient_autocorrelation.
        pairs: lines; example 2i to example 2i + 1.
    Returns:
        `autocorrelation`: stage, line, lag, delta_s, autocorrelation.
    """
    frames = []
    x, y = run.examples("test", max(STATISTICS, 2 * pairs))
    places = torch.arange(inputs, device=x.device) / inputs
    for stage in before_and_after(run):
        model = run.network(stage)
        _settle(model, x[:STATISTICS])
        slopes = torch.stack(
            [_along(model, x[2 * i], x[2 * i + 1], int(y[2 * i]), places) for i in range(pairs)]
        )
        r = gradient_autocorrelation(slopes, max_lag, unbiased=unbiased)
        tidy = _tidy(r, {"stage": stage}, "lag", "autocorrelation").rename(columns={"seed": "line"})
        tidy.insert(3, "delta_s", tidy["lag"] / inputs)
        frames.append(tidy)
    return {"autocorrelation": pd.concat(frames, ignore_index=True)}


def _along(model: nn.Module, start: Tensor, end: Tensor, label: int, places: Tensor) -> Tensor:
    """Derivative of a logit with respect to the place on the line, at every place."""
    places = places.clone().requires_grad_(True)
    line = start + places.view(-1, *[1] * start.dim()) * (end - start)
    return torch.autograd.grad(model(line)[:, label].sum(), places)[0]


@torch.no_grad()
def _settle(model: nn.Module, x: Tensor) -> None:
    """Let batch normalization keep the statistics of x, and stop following the batch."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    model.train()
    model(x)
    model.eval()


def _tidy(values: Tensor, keys: dict, column: str, name: str) -> pd.DataFrame:
    """(networks, points) -> one row each."""
    networks, points = values.shape
    return pd.DataFrame(
        {
            **keys,
            "seed": [i for i in range(networks) for _ in range(points)],
            column: list(range(points)) * networks,
            name: values.flatten().tolist(),
        }
    )
