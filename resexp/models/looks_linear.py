"""Looks-linear initialization of networks with CReLU."""

import torch
from torch import nn

from resexp.models.activations import CReLU
from resexp.models.blocks import ResidualBlock
from resexp.models.inception import Inception
from resexp.models.inits import make_orthogonal, set_biases, weights_of
from resexp.models.ror import RoR
from resexp.models.shortcuts import Gated
from resexp.models.stochastic import Dropout

# Layers that paired weights do not make linear. An Inception module concatenates the outputs of several
# CReLUs.
NOT_LINEAR = nn.MaxPool2d | nn.ReLU | Gated | Dropout | Inception


def looks_linear(model: nn.Module, generator: torch.Generator | None) -> None:
    """Weights that follow a CReLU are (W, -W): W relu(x) - W relu(-x) = W x, so the network starts linear.

    W is orthogonal, and so are the weights that do not follow a CReLU.

    Raises:
        ValueError: the model has no CReLU, or other nonlinear layers.
    Source: Balduzzi et al. 2017 (arXiv:1702.08591), the section on looks-linear initialization.
    """
    pairs = [module for module in model.modules() if isinstance(module, CReLU)]
    if not pairs:
        raise ValueError("init=looks_linear needs activation=crelu")
    others = {type(module).__name__ for module in model.modules() if isinstance(module, NOT_LINEAR)}
    if any(getattr(module, "groups", 1) > 1 for module in weights_of(model)):
        others.add("grouped convolutions, which separate the pairs")
    if others:
        raise ValueError(
            "init=looks_linear needs a network that is linear apart from CReLU, but this one"
            f" has {', '.join(sorted(others))}: use model=plain, or block=full_preactivation"
        )
    # Layers that receive the input, or a residual stream that is not activated, do not follow a CReLU.
    unpaired = {id(module) for module in _readers_of_the_stream(model)}
    for module in weights_of(model):
        weight = module.weight
        if id(module) in unpaired:
            make_orthogonal(weight, 1.0, generator)
            continue
        half = weight.detach()[:, : weight.shape[1] // 2].clone()
        make_orthogonal(half, 1.0, generator)
        beside = torch.stack([half, -half], dim=2).flatten(1, 2)
        with torch.no_grad():
            weight.copy_(beside if pairs[0].interleaved else torch.cat([half, -half], dim=1))
    set_biases(model)


def _readers_of_the_stream(model: nn.Module) -> list[nn.Module]:
    """The first weight layer, and the weight layers of shortcuts whose input is not activated."""
    found = weights_of(model)[:1]
    for block in model.modules():
        if isinstance(block, ResidualBlock) and block.tail:
            found += weights_of(block.shortcut)
    if isinstance(model, RoR) and model.blocks[-1].tail:
        found += weights_of(model.around_stages) + weights_of(model.around_all)
    return found
