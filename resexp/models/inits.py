"""Initializations: functions of (model, generator) that draw every weight anew."""

import torch
from torch import nn


def he(model: nn.Module, generator: torch.Generator) -> None:
    """Weights N(0, 2 / fan_in), biases 0; normalization layers keep scale 1 and shift 0.

    Source: He et al. 2015b (arXiv:1502.01852), eq. 10, the fan-in form; He et al. 2015 initialize
    "as in" that paper. The last linear layer is drawn the same way.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
