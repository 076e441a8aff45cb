"""Gradients dy/dx along a line of inputs, of random and of trained networks, and noise for comparison."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from resexp.measure.random_networks import Setup, active_units, chunks, forward, generator_of, mirrored

CHUNK = 20  # networks at a time, to bound memory


def line_gradients(
    setup: Setup,
    x: Tensor,
    depths: Sequence[int],
    *,
    networks: int,
    width: int,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """dy/dx of random networks with scalar output at every input, for all depths in one forward pass.

    A network of depth L consists of the first L hidden layers of the deepest one and an output layer
    of its own. If statistics over the inputs are differentiated, each output depends on every input;
    the result is then the derivative of the sum of all outputs, by reverse mode.

    Args:
        setup: of the networks.
        x: inputs, (inputs,); normalization runs over them.
        depths: numbers of hidden layers (of residual blocks for residual networks).
        networks: number of networks.
        width: units per layer.
        seed: of all weights.
    Returns:
        Gradients (depths, networks, inputs), and the fraction of units of the last hidden layer that
        are active at both of two neighbouring inputs, averaged over the line (depths, networks).
    Raises:
        ValueError: depths are not strictly ascending integers from 1.
    """
    if list(depths) != sorted(set(depths)) or depths[0] < 1:
        raise ValueError(f"depths must be ascending and at least 1, got {list(depths)}")
    gradients = torch.empty(len(depths), networks, len(x), dtype=x.dtype, device=x.device)
    coactive = torch.empty(len(depths), networks, dtype=x.dtype, device=x.device)
    reverse = setup.through_statistics and setup.normalization != "none"
    one = torch.ones(1, dtype=x.dtype, device=x.device)
    for chunk in chunks(networks, CHUNK):
        generator, here = generator_of(seed, chunk, 0, x.device), slice(chunk.start, chunk.stop)
        # a whole chunk is drawn even if fewer are needed, so that each network stays the same
        inputs = x.view(1, -1, 1).repeat(CHUNK, 1, 1).requires_grad_(reverse)
        passes = forward(setup, inputs, one, width=width, layers=depths[-1], generator=generator)
        for layer, (a, da, relu) in enumerate(passes, start=1):
            if layer not in depths:
                continue
            row = list(depths).index(layer)
            own = generator_of(seed, chunk, layer, x.device)
            readout = torch.randn((CHUNK, width, 1), generator=own, dtype=x.dtype, device=x.device)
            readout = mirrored(setup, readout) * (setup.output_gain / width) ** 0.5
            if reverse:
                (slope,) = torch.autograd.grad((a @ readout).sum(), inputs, retain_graph=True)
            else:
                slope = da @ readout
            gradients[row, here] = slope.squeeze(2)[: len(chunk)]
            active = active_units(setup, relu)
            both = (active[:, 1:] & active[:, :-1]).to(x.dtype).mean(dim=(1, 2))
            coactive[row, here] = both[: len(chunk)]
    return gradients, coactive


def noise(kind: str, *, networks: int, inputs: int, generator: torch.Generator) -> Tensor:
    """White or brown noise (the cumulative sum of white noise), shape (networks, inputs).

    Raises:
        ValueError: unknown kind.
    """
    if kind not in ("white", "brown"):
        raise ValueError(f"noise must be white or brown, got {kind}")
    white = torch.randn(networks, inputs, generator=generator, device=generator.device)
    return white if kind == "white" else white.cumsum(dim=1)


def gradient_between(model: nn.Module, start: Tensor, end: Tensor, label: int, places: Tensor) -> Tensor:
    """Derivative of a logit with respect to the position on the line from start (0) to end (1)."""
    places = places.clone().requires_grad_(True)
    line = start + places.view(-1, *[1] * start.dim()) * (end - start)
    return torch.autograd.grad(model(line)[:, label].sum(), places)[0]


@torch.no_grad()
def set_batch_statistics(model: nn.Module, x: Tensor) -> None:
    """Set the running statistics of batch normalization to those of x; switch to evaluation mode."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    model.train()
    model(x)
    model.eval()
