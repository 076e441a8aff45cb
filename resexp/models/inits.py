"""Initializations: functions of (model, generator) that draw every weight anew.

They refuse a model that they do not fit, also one without numbers (on torch's meta device).
"""

import torch
from torch import Tensor, nn

from resexp.models.activations import CReLU, activation_gain
from resexp.models.blocks import ResidualBlock, Sum
from resexp.models.inception import Inception
from resexp.models.ror import RoR
from resexp.models.shortcuts import Gated
from resexp.models.stochastic import Dropout

WEIGHTS = nn.Conv1d | nn.Conv2d | nn.Linear
# What does not become linear when weights are paired. An Inception module joins several CReLUs.
NOT_LINEAR = nn.MaxPool2d | nn.ReLU | Gated | Dropout | Inception


def he(model: nn.Module, generator: torch.Generator | None) -> None:
    """All weights N(0, 2 / fan_out) but the classifier's, U(-1, 1) / sqrt(fan_in); biases 0.

    Normalization layers keep scale 1 and shift 0.

    Source: He et al. 2015b (arXiv:1502.01852), eq. 14, the form that keeps the backward signal, for
    layers that a ReLU follows; He et al. 2015 initialize "as in" that paper, which says nothing of
    the classifier. Both are as in facebookarchive/fb.resnet.torch, models/resnet.lua, the
    implementation from the authors' laboratory.
    """
    _he(model, generator, "fan_out")


def he_fan_in(model: nn.Module, generator: torch.Generator | None) -> None:
    """The same with variance 2 / fan_in, which keeps the forward signal (He et al. 2015b, eq. 10).

    Source: szagoruyko/wide-residual-networks, models/utils.lua.
    """
    _he(model, generator, "fan_in")


def he_everywhere(model: nn.Module, generator: torch.Generator | None) -> None:
    """All weights N(0, 2 / fan_in), the classifier's too, biases 0.

    Many re-implementations do this. The classifier then reads a residual stream whose variance has
    grown with depth, and its first losses are several times that of a guess.

    Source: He et al. 2015b (arXiv:1502.01852), eq. 10, the form that keeps the forward signal.
    """
    for module in _weights(model):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
    _set_biases(model)


def glorot(model: nn.Module, generator: torch.Generator | None) -> None:
    """All weights U(-1, 1) sqrt(6 / (fan_in + fan_out)), biases 0 (Glorot and Bengio 2010, eq. 16)."""
    for module in _weights(model):
        nn.init.xavier_uniform_(module.weight, generator=generator)
    _set_biases(model)


def orthogonal(model: nn.Module, generator: torch.Generator | None, *, gain: float | None = None) -> None:
    """Orthogonal weights (Saxe et al. 2014) times a gain, the classifier's times 1, biases 0.

    A convolution's weight is taken as a matrix of output channels by everything else.

    Args:
        gain: None: that of the network's activation, see resexp.models.activations.activation_gain.
    """
    *weights, classifier = _weights(model)
    if gain is None:
        activations = [module for module in model.modules() if getattr(module, "activates", False)]
        gain = activation_gain(activations[0]) if activations else 1.0
    for module in weights:
        _orthogonal(module.weight, gain, generator)
    _orthogonal(classifier.weight, 1.0, generator)
    _set_biases(model)


def zero_gamma(model: nn.Module, generator: torch.Generator | None) -> None:
    """As he, and each branch ends with a normalization of scale 0: every block starts as identity.

    Raises:
        ValueError: a branch that does not end with one normalization that has a scale.
    Source: Goyal et al. 2017 (arXiv:1706.02677), section 5.1.
    """
    he(model, generator)
    for last in _last_layers(model):
        if not _normalizes(last):
            raise ValueError(
                "init=zero_gamma needs branches that end with a normalization, one each: take"
                " block=post_activation or block=relu_only_preactivation with norm=batch, group, ..."
            )
        nn.init.zeros_(last.weight)


def looks_linear(model: nn.Module, generator: torch.Generator | None) -> None:
    """Weights behind a CReLU are (W, -W), so that W relu(x) - W relu(-x) = W x: linear at the start.

    W is orthogonal, the layers behind no CReLU, too.

    Raises:
        ValueError: a model without CReLU, or with something else that is not linear.
    Source: Balduzzi et al. 2017 (arXiv:1702.08591), section 5.
    """
    pairs = [module for module in model.modules() if isinstance(module, CReLU)]
    if not pairs:
        raise ValueError("init=looks_linear needs activation=crelu")
    others = {type(module).__name__ for module in model.modules() if isinstance(module, NOT_LINEAR)}
    if any(getattr(module, "groups", 1) > 1 for module in _weights(model)):
        others.add("groups of channels, which part the pairs")
    if others:
        raise ValueError(
            "init=looks_linear needs a network that nothing but CReLU keeps from being linear, and this one"
            f" has {', '.join(sorted(others))}: take model=plain, or block=full_preactivation"
        )
    # What reads the input, or a residual stream that is not activated, stands behind no CReLU.
    not_behind = {id(module) for module in _readers_of_the_stream(model)}
    for module in _weights(model):
        weight = module.weight
        if id(module) in not_behind:
            _orthogonal(weight, 1.0, generator)
            continue
        half = weight.detach()[:, : weight.shape[1] // 2].clone()
        _orthogonal(half, 1.0, generator)
        beside = torch.stack([half, -half], dim=2).flatten(1, 2)
        with torch.no_grad():
            weight.copy_(beside if pairs[0].interleaved else torch.cat([half, -half], dim=1))
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
    if any(_normalizes(module) for module in model.modules()):
        raise ValueError("init=fixup replaces normalization: take norm=none")
    he(model, generator)
    branches = _branches(model)
    for branch in branches:
        weights = _weights(branch)
        for module in weights[:-1]:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            with torch.no_grad():
                module.weight *= len(branches) ** (-1 / (2 * len(weights) - 2))
        nn.init.zeros_(weights[-1].weight)
    nn.init.zeros_(_weights(model)[-1].weight)


def _he(model: nn.Module, generator: torch.Generator | None, fan: str) -> None:
    *weights, classifier = _weights(model)
    for module in weights:
        nn.init.kaiming_normal_(module.weight, mode=fan, nonlinearity="relu", generator=generator)
    bound = classifier.weight[0].numel() ** -0.5
    nn.init.uniform_(classifier.weight, -bound, bound, generator=generator)
    _set_biases(model)


def _normalizes(module: nn.Module) -> bool:
    """Whether a layer was made as a network's normalization; see resexp.models.parts."""
    return getattr(module, "normalizes", False)


def _weights(model: nn.Module) -> list[nn.Module]:
    """All layers with weights, in the order of the forward pass: the last one is the classifier."""
    return [module for module in model.modules() if isinstance(module, WEIGHTS)]


def _set_biases(model: nn.Module) -> None:
    for module in _weights(model):
        if module.bias is not None:
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
    """The first weight layer, and what shortcuts apply to an input without activation."""
    found = _weights(model)[:1]
    for block in model.modules():
        if isinstance(block, ResidualBlock) and block.tail:
            found += _weights(block.shortcut)
    if isinstance(model, RoR) and model.blocks[-1].tail:
        found += _weights(model.around_stages) + _weights(model.around_all)
    return found


def _orthogonal(weight: Tensor, gain: float, generator: torch.Generator | None) -> None:
    if weight.device.type != "meta":  # torch decomposes numbers, and there are none
        nn.init.orthogonal_(weight, gain, generator=generator)
