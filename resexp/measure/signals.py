"""How large signals and gradients are in each layer (He et al. 2015, section 4.1)."""

import pandas as pd
import torch.nn.functional as F
from torch import Tensor, nn

from resexp.measure.layer_responses import responding
from resexp.measure.run import Run, spread


def signals(model: nn.Module, x: Tensor, y: Tensor) -> pd.DataFrame:
    """Size of each layer's response, of the loss gradient there, and of that of the layer's weights.

    Args:
        model: in training mode if normalizations are to take the statistics of this batch.
        x, y: a batch of inputs and class numbers.
    Returns:
        layer (1: the first that is reached in the forward pass; convolutions larger than 1x1),
        signal (root mean square over examples, channels and positions of the response, behind its
        normalization), gradient (of the mean cross-entropy with respect to the response of one example:
        Euclidean norm times the number of examples, root mean square over the examples),
        weight_gradient (Euclidean norm of that of the convolution's weights over the norm of the weights).
    Raises:
        ValueError: the network has no convolution larger than 1x1.
    """
    found: list[tuple[nn.Module, Tensor]] = []

    def keep(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        output.retain_grad()
        found.append((module, output))
        return output.clone()  # what follows may work in place

    layers = responding(model)
    if not layers:
        raise ValueError("signals are those of convolutions larger than 1x1; this network has none")
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    weights = {id(layer): weight for layer, weight in zip(layers, _weights(model), strict=True)}
    try:
        model.zero_grad(set_to_none=True)
        F.cross_entropy(model(x), y).backward()
    finally:
        for hook in hooks:
            hook.remove()
    rows = []
    for number, (layer, response) in enumerate(found, start=1):
        gradient = response.grad.flatten(1).double().norm(dim=1) * len(x)
        weight = weights[id(layer)]
        share = weight.grad.double().norm() / weight.detach().double().norm()
        signal = response.detach().double().square().mean().sqrt()
        rows.append((number, signal.item(), gradient.square().mean().sqrt().item(), share.item()))
    return pd.DataFrame(rows, columns=["layer", "signal", "gradient", "weight_gradient"])


def trained(run: Run, *, examples: int) -> dict[str, pd.DataFrame]:
    """Signals and gradients of a run at each of its stages, in training mode.

    Args:
        run: its networks consist of convolutions. Its stages are the initial network, the trained one, and
            those between of which it has kept checkpoints.
        examples: a batch of training examples, spread over the split, without augmentation.
    Returns:
        `layers`: stage, layer, signal, gradient, weight_gradient; see signals.
    Source: He et al. 2015 (arXiv:1512.03385), section 4.1: in plain networks with batch normalization
    "neither forward nor backward signals vanish". Departure: the paper gives no numbers.
    """
    x, y = spread(run, "train", examples)
    frames = []
    for stage in run.stages:
        found = signals(run.network(stage).train(), x, y)
        found.insert(0, "stage", stage)
        frames.append(found)
    return {"layers": pd.concat(frames, ignore_index=True)}


def _weights(model: nn.Module) -> list[nn.Parameter]:
    """Of the convolutions larger than 1x1, in the order of `responding`."""
    return [m.weight for m in model.modules() if isinstance(m, nn.Conv2d) and max(m.kernel_size) > 1]
