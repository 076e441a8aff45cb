"""How strongly each layer responds (He et al. 2015, figure 7)."""

from collections.abc import Iterable

import pandas as pd
import torch
from torch import Tensor, nn

from resexp.measure.run import Run, spread


def responding(model: nn.Module) -> list[nn.Module]:
    """What gives the response of each layer of convolutions larger than 1x1.

    That is the normalization that directly follows the convolution, or the convolution itself.
    """
    found = []
    followers = {}
    for module in model.modules():
        if isinstance(module, nn.Sequential):
            layers = list(module)
            followers |= dict(zip(map(id, layers), layers[1:], strict=False))
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1:
            after = followers.get(id(module))
            found.append(after if getattr(after, "normalizes", False) else module)
    return found


@torch.no_grad()
def responses(model: nn.Module, batches: Iterable[Tensor]) -> pd.DataFrame:
    """Standard deviation of each layer's response, over all examples, channels and positions.

    Args:
        model: in evaluation mode.
        batches: of inputs.
    Returns:
        layer (1: the first that is reached in the forward pass), standard_deviation (unitless, behind
        normalization).
    Raises:
        ValueError: the network has no convolution larger than 1x1.
    """
    moments: dict[int, Tensor] = {}  # by layer: count, sum, sum of squares

    def add(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        x = output.double()  # before the activation that follows, which may work in place
        found = torch.stack([torch.tensor(float(x.numel()), device=x.device), x.sum(), x.square().sum()])
        moments[id(module)] = moments.get(id(module), 0) + found

    layers = responding(model)
    if not layers:
        raise ValueError("layer responses are those of convolutions larger than 1x1; this network has none")
    hooks = [layer.register_forward_hook(add) for layer in layers]
    try:
        for x in batches:
            model(x)
    finally:
        for hook in hooks:
            hook.remove()
    deviations = [
        ((squares / count - (total / count) ** 2).clamp(min=0).sqrt()).item()
        for count, total, squares in moments.values()
    ]
    return pd.DataFrame({"layer": range(1, len(deviations) + 1), "standard_deviation": deviations})


def trained(run: Run, *, examples: int, batch_size: int) -> dict[str, pd.DataFrame]:
    """Responses of a trained network on test examples.

    Args:
        run: its network consists of convolutions.
        examples: test examples, spread over the split.
        batch_size: examples at a time; the numbers do not depend on it.
    Returns:
        `deviation`: layer, standard_deviation.
    Source: He et al. 2015 (arXiv:1512.03385), section 4.2 and figure 7: outputs of each 3x3 layer, after
    normalization and before the nonlinearity and the sum. Departure: it does not say over what the
    deviation is taken or on which images.
    """
    x, _ = spread(run, "test", examples)
    return {"deviation": responses(run.network(), x.split(batch_size))}
