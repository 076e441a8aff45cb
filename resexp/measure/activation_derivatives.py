"""Derivatives of activations along a deep network, and units that are never active."""

from collections.abc import Callable, Mapping

import pandas as pd
import torch
from torch import Tensor, nn

from resexp.measure.run import Run


def measure(
    *,
    seed: int,
    device: torch.device,
    activations: Mapping[str, Callable[[], nn.Module]],
    gains: Mapping[str, float],
    depth: int,
    width: int,
    inputs: int,
    networks: int,
) -> dict[str, pd.DataFrame]:
    """Derivatives, their product, and gradients in random plain networks, layer by layer.

    A layer is z' = W phi(z) with W ~ N(0, gain^2 / width); the first one receives z ~ N(0, 1). No biases.

    Args:
        seed, device: of the random generator.
        activations: name -> () -> phi, elementwise.
        gains: activation's name -> gain.
        depth: layers.
        width, inputs, networks: units, inputs per network, networks.
    Returns:
        `layers`: per activation, network (`seed`) and layer: means over units and inputs of
        `derivative`, phi'(z), and of `product`, its product over the layers so far along a chain of one
        unit per layer; `gradient_rms` at z, given an N(0, 1) gradient at the last layer; `dead_percent`, the
        percentage of units whose derivative is zero for all inputs.
    """
    generator = torch.Generator(device).manual_seed(seed)
    rows = []
    for name, make in activations.items():
        for network in range(networks):
            columns = _layers(make(), gains[name], depth, width, inputs, generator)
            layers = pd.DataFrame(columns).rename_axis("layer").reset_index()
            layers["layer"] += 1
            keys = pd.DataFrame({"activation": name, "seed": network}, index=layers.index)
            rows.append(keys.join(layers))
    return {"layers": pd.concat(rows, ignore_index=True)}


def _layers(
    activation: nn.Module, gain: float, depth: int, width: int, inputs: int, generator: torch.Generator
) -> dict[str, list[float]]:
    draw = {"generator": generator, "device": generator.device, "dtype": torch.float64}
    activation = activation.double()
    z, weights, slopes = torch.randn(inputs, width, **draw), [], []
    for _ in range(depth):
        slopes.append(slope(activation, z))
        weights.append(torch.randn(width, width, **draw) * gain * width**-0.5)
        with torch.no_grad():
            z = activation(z.clone()) @ weights[-1].T
    gradients = [torch.randn(inputs, width, **draw)]
    for derivative, weight in zip(reversed(slopes[:-1]), reversed(weights[:-1]), strict=True):
        gradients.append(derivative * (gradients[-1] @ weight))
    products = torch.stack(slopes).cumprod(0)
    return {
        "derivative": [s.mean().item() for s in slopes],
        "product": [p.mean().item() for p in products],
        "gradient_rms": [g.square().mean().sqrt().item() for g in reversed(gradients)],
        "dead_percent": [100 * (s == 0).all(0).double().mean().item() for s in slopes],
    }


def slope(activation: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Derivative of an elementwise activation at z; z is not modified, even by an in-place activation."""
    z = z.detach().clone().requires_grad_()
    with torch.enable_grad():
        (derivative,) = torch.autograd.grad(activation(z * 1).sum(), z)
    return derivative


def trained(run: Run, *, batch: int) -> dict[str, pd.DataFrame]:
    """Dead channels: the activation's derivative is zero at all positions of all examples.

    Args:
        run: activation layers of its network have `activates`, as set by resexp.models.parts.
        batch: test examples per forward pass.
    Returns:
        `dead`: activation (the option's name), stage, layer (of activations, in order of the forward pass,
            from 0), `channels` and `dead` (how many of them).
    Raises:
        ValueError: the network has no activations.
    """
    rows = []
    for stage in run.stages:
        model = run.network(stage).eval()
        layers = [module for module in model.modules() if getattr(module, "activates", False)]
        if not layers:
            raise ValueError("measure=activation_derivatives needs a network with activations")
        alive: dict[nn.Module, Tensor] = {}
        hooks = [layer.register_forward_pre_hook(_note(alive)) for layer in layers]
        with torch.no_grad():
            for x, _ in run.batches("test", batch):
                model(x)
        for hook in hooks:
            hook.remove()
        for index, channels in enumerate(alive.values()):
            counts = {"channels": len(channels), "dead": int((~channels).sum())}
            labels = {"activation": run.config["activation"]["name"], "stage": stage, "layer": index}
            rows.append(labels | counts)
    return {"dead": pd.DataFrame(rows)}


def _note(alive: dict[nn.Module, Tensor]) -> Callable:
    """A hook that records which channels have had a nonzero derivative."""

    def hook(layer: nn.Module, inputs: tuple[Tensor]) -> None:
        derivative = slope(layer.forward, inputs[0])  # without hooks
        active = (derivative != 0).movedim(1, 0).flatten(1).any(1)
        alive[layer] = alive.get(layer, torch.zeros_like(active)) | active

    return hook
