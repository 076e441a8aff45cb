"""Initializations: functions of (model, generator) that draw every weight anew.

They refuse a model that they do not fit, also one without numbers (on torch's meta device).
"""

import torch
from torch import Tensor, nn

from resexp.models.activations import CReLU
from resexp.models.blocks import ResidualBlock, Sum
from resexp.models.shortcuts import Gated

CONVOLUTIONS = nn.Conv1d | nn.Conv2d
WEIGHTS = CONVOLUTIONS | nn.Linear


def he(model: nn.Module, generator: torch.Generator | None) -> None:
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
    _set_biases(model)


def he_everywhere(model: nn.Module, generator: torch.Generator | None) -> None:
    """All weights N(0, 2 / fan_in), the classifier's too, biases 0.

    Many re-implementations do this. The classifier then reads a residual stream whose variance has
    grown with depth, and its first losses are several times that of a guess.

    Source: He et al. 2015b (arXiv:1502.01852), eq. 10, the form that keeps the forward signal.
    """
    for module in model.modules():
        if isinstance(module, WEIGHTS):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
    _set_biases(model)


def glorot(model: nn.Module, generator: torch.Generator | None) -> None:
    """All weights U(-1, 1) sqrt(6 / (fan_in + fan_out)), biases 0 (Glorot and Bengio 2010, eq. 16)."""
    for module in model.modules():
        if isinstance(module, WEIGHTS):
            nn.init.xavier_uniform_(module.weight, generator=generator)
    _set_biases(model)


def orthogonal(model: nn.Module, generator: torch.Generator | None) -> None:
    """Orthogonal weights (Saxe et al. 2014), scaled by sqrt(2) before a ReLU, biases 0.

    A convolution's weight is taken as a matrix of output channels by everything else.
    """
    for module in model.modules():
        if isinstance(module, WEIGHTS):
            gain = 1.0 if isinstance(module, nn.Linear) else 2**0.5
            _orthogonal(module.weight, gain, generator)
    _set_biases(model)


def zero_gamma(model: nn.Module, generator: torch.Generator | None) -> None:
    """As he, and each branch ends with a normalization of scale 0: every block starts as identity.

    Raises:
        ValueError: a branch that does not end with a normalization that has a scale.
    Source: Goyal et al. 2017 (arXiv:1706.02677), section 5.1.
    """
    he(model, generator)
    for last in _last_layers(model):
        if isinstance(last, WEIGHTS) or getattr(last, "weight", None) is None:
            raise ValueError(
                "init=zero_gamma needs branches that end with a normalization: take"
                " block=post_activation or block=relu_only_preactivation with norm=batch, group, ..."
            )
        nn.init.zeros_(last.weight)


def looks_linear(model: nn.Module, generator: torch.Generator | None) -> None:
    """Weights behind a CReLU are (W, -W), so that W relu(x) - W relu(-x) = W x: linear at the start.

    W is orthogonal, the layers behind no CReLU, too.

    Raises:
        ValueError: a model without CReLU.
    Source: Balduzzi et al. 2017 (arXiv:1702.08591), section 5.
    """
    if not any(isinstance(module, CReLU) for module in model.modules()):
        raise ValueError("init=looks_linear needs activation=crelu")
    # What reads the input, or a residual stream that is not activated, stands behind no CReLU.
    not_behind = {id(module) for module in _readers_of_the_stream(model)}
    for module in model.modules():
        if not isinstance(module, WEIGHTS):
            continue
        weight = module.weight
        if id(module) in not_behind:
            _orthogonal(weight, 1.0, generator)
            continue
        half = weight.detach()[:, : weight.shape[1] // 2].clone()
        _orthogonal(half, 1.0, generator)
        with torch.no_grad():
            weight.copy_(torch.cat([half, -half], dim=1))
    _set_biases(model)


def fixup(model: nn.Module, generator: torch.Generator | None) -> None:
    """Branches scaled by their number, their last weights and the classifier zero.

    With K blocks of m weight layers, the first m - 1 of a branch are N(0, 2 / fan_in) times
    K^(-1/(2m-2)).

    Raises:
        ValueError: a model with normalization, or without residual blocks.
    Source: Zhang et al. 2019 (arXiv:1901.09321), section 4, rules 1 and 2. Rule 3, scalar biases and
    multipliers, is part of the network: block=fixup.
    """
    normalizations = nn.modules.batchnorm._NormBase | nn.GroupNorm
    if any(isinstance(module, normalizations) for module in model.modules()):
        raise ValueError("init=fixup replaces normalization: take norm=none")
    he(model, generator)
    branches = _branches(model)
    for branch in branches:
        weights = [m for m in branch.modules() if isinstance(m, WEIGHTS)]
        for module in weights[:-1]:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            with torch.no_grad():
                module.weight *= len(branches) ** (-1 / (2 * len(weights) - 2))
        nn.init.zeros_(weights[-1].weight)
    classifier = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    nn.init.zeros_(classifier.weight)


def _set_biases(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, WEIGHTS) and module.bias is not None:
            nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, Gated):
            module.reset_bias()


def _branches(model: nn.Module) -> list[nn.Module]:
    """The transforms of all residual blocks.

    Raises:
        ValueError: there is none.
    """
    found: list[nn.Module] = []
    for block in model.modules():
        if isinstance(block, ResidualBlock):
            several = isinstance(block.transform, Sum)
            found += block.transform.transforms if several else [block.transform]
    if not found:
        raise ValueError("this initialization needs residual blocks: take model=resnet")
    return found


def _last_layers(model: nn.Module) -> list[nn.Module]:
    return [list(branch.children())[-1] for branch in _branches(model)]


def _readers_of_the_stream(model: nn.Module) -> list[nn.Module]:
    """The first weight layer, and what a shortcut applies to an input without activation."""
    found = [m for m in model.modules() if isinstance(m, WEIGHTS)][:1]
    for block in model.modules():
        if isinstance(block, ResidualBlock) and isinstance(block.after, nn.Identity):
            found += [m for m in block.shortcut.modules() if isinstance(m, WEIGHTS)]
    return found


def _orthogonal(weight: Tensor, gain: float, generator: torch.Generator | None) -> None:
    if weight.device.type != "meta":  # torch decomposes numbers, and there are none
        nn.init.orthogonal_(weight, gain, generator=generator)
