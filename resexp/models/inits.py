"""Initializations: functions of (model, generator) that draw every weight anew."""

import torch
from torch import nn

CONVOLUTIONS = nn.Conv1d | nn.Conv2d


def he(model: nn.Module, generator: torch.Generator) -> None:
    """Convolutions N(0, 2 / fan_out), linear layers U(-1, 1) / sqrt(fan_in), biases 0.

    Normalization layers keep scale 1 and shift 0.

    Source: He et al. 2015b (arXiv:1502.01852), eq. 14, the form that keeps the backward signal, for
    layers that a ReLU follows; He et al. 2015 initialize "as in" that paper, which says nothing of
    the classifier. Both are as in facebookarchive/fb.resnet.torch, models/resnet.lua, the
    implementation from the authors' laboratory.
    """
    for module in model.modules():
        if isinstance(module, CONVOLUTIONS):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
        _zero_bias(module)


def he_everywhere(model: nn.Module, generator: torch.Generator) -> None:
    """All weights N(0, 2 / fan_in), the classifier's too, biases 0.

    Many re-implementations do this. The classifier then reads a residual stream whose variance has
    grown with depth, and its first losses are several times that of a guess.

    Source: He et al. 2015b (arXiv:1502.01852), eq. 10, the form that keeps the forward signal.
    """
    for module in model.modules():
        if isinstance(module, CONVOLUTIONS | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        _zero_bias(module)


def _zero_bias(module: nn.Module) -> None:
    if isinstance(module, CONVOLUTIONS | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
