"""Initializations: functions of (model, generator) that redraw all weights.

They raise ValueError for models that they do not apply to. Models on torch's meta device, whose weights have
no values, can be checked in this way.
"""

import torch
from torch import Tensor, nn

from resexp.models.activations import activation_gain
from resexp.models.blocks import ResidualBlock, Sum
from resexp.models.shortcuts import Gated

TRANSPOSED = nn.ConvTranspose2d | nn.ConvTranspose3d
WEIGHTS = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear | TRANSPOSED
OTHER_FAN = {"fan_in": "fan_out", "fan_out": "fan_in"}


def he(model: nn.Module, generator: torch.Generator | None) -> None:
    """All weights N(0, 2 / fan_out), except the classifier's, which are U(-1, 1) / sqrt(fan_in); biases 0.

    The classifier is the last layer, or all those that are marked by `predicts`, where a network predicts
    more than once.

    Normalization layers keep scale 1 and shift 0.

    Source: He et al. 2015b (arXiv:1502.01852), eq. 14, which preserves the variance of gradients in layers
    followed by a ReLU. He et al. 2015 initialize "as in" that paper, which does not mention the classifier.
    Both are as in facebookarchive/fb.resnet.torch, models/resnet.lua.
    """
    _he(model, generator, "fan_out")


def he_fan_in(model: nn.Module, generator: torch.Generator | None) -> None:
    """As he, with variance 2 / fan_in, which preserves the variance of activations (He et al. 2015b, eq. 10).

    Source: szagoruyko/wide-residual-networks, models/utils.lua.
    """
    _he(model, generator, "fan_in")


def he_everywhere(model: nn.Module, generator: torch.Generator | None) -> None:
    """All weights N(0, 2 / fan_in), including the classifier's; biases 0.

    Common in re-implementations. The variance of a residual stream grows with depth, so that the initial loss
    is several times that of uniform predictions.

    Source: He et al. 2015b (arXiv:1502.01852), eq. 10, which preserves the variance of activations.
    """
    for module in weights_of(model):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
    set_biases(model)


def glorot(model: nn.Module, generator: torch.Generator | None) -> None:
    """All weights U(-1, 1) sqrt(6 / (fan_in + fan_out)), biases 0 (Glorot and Bengio 2010, eq. 16)."""
    for module in weights_of(model):
        nn.init.xavier_uniform_(module.weight, generator=generator)
    set_biases(model)


def orthogonal(model: nn.Module, generator: torch.Generator | None, *, gain: float | None = None) -> None:
    """Orthogonal weights (Saxe et al. 2014) times a gain, which is 1 for the classifier; biases 0.

    The weight of a convolution is flattened to a matrix with one row per output channel.

    Args:
        gain: None: the gain of the network's activation, see resexp.models.activations.activation_gain.
    """
    *weights, classifier = weights_of(model)
    if gain is None:
        activations = [module for module in model.modules() if getattr(module, "activates", False)]
        gain = activation_gain(activations[0]) if activations else 1.0
    for module in weights:
        make_orthogonal(module.weight, gain, generator)
    make_orthogonal(classifier.weight, 1.0, generator)
    set_biases(model)


def zero_gamma(model: nn.Module, generator: torch.Generator | None) -> None:
    """As he, with scale 0 in the last normalization of each branch, so that blocks start as the identity.

    Raises:
        ValueError: a branch does not end with a normalization with a learned scale.
    Source: Goyal et al. 2017 (arXiv:1706.02677), section 5.1.
    """
    he(model, generator)
    for last in _last_layers(model):
        if not _normalizes(last):
            raise ValueError(
                "init=zero_gamma needs branches that end with a normalization with a scale: use"
                " block=post_activation or block=relu_only_preactivation with norm=batch, group, ..."
            )
        nn.init.zeros_(last.weight)


def fixup(model: nn.Module, generator: torch.Generator | None) -> None:
    """Weights of branches scaled down with their number; the last ones and the classifier's are zero.

    With K branches of m weight layers, the first m - 1 of each branch are N(0, 2 / fan_in) times
    K^(-1/(2m-2)).

    Raises:
        ValueError: the model has normalization layers, or no residual blocks.
    Source: Zhang et al. 2019 (arXiv:1901.09321), section 4, rules 1 and 2. Rule 3, scalar biases and
    multipliers, is part of the network: block=fixup.
    """
    if any(_normalizes(module) for module in model.modules()):
        raise ValueError("init=fixup replaces normalization: use norm=none")
    he(model, generator)
    branches = _branches(model)
    for branch in branches:
        weights = weights_of(branch)
        for module in weights[:-1]:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            with torch.no_grad():
                module.weight *= len(branches) ** (-1 / (2 * len(weights) - 2))
        nn.init.zeros_(weights[-1].weight)
    nn.init.zeros_(weights_of(model)[-1].weight)


def _he(model: nn.Module, generator: torch.Generator | None, fan: str) -> None:
    layers = weights_of(model)
    outputs = [layer for layer in layers if getattr(layer, "predicts", False)] or layers[-1:]
    for module in (layer for layer in layers if layer not in outputs):
        # torch takes the weight of a transposed convolution, (c_in, c_out, ...), for that of a convolution
        mode = OTHER_FAN[fan] if isinstance(module, TRANSPOSED) else fan
        nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu", generator=generator)
    for module in outputs:
        bound = module.weight[0].numel() ** -0.5
        nn.init.uniform_(module.weight, -bound, bound, generator=generator)
    set_biases(model)


def _normalizes(module: nn.Module) -> bool:
    """Whether a layer is one of the network's normalizations; see resexp.models.parts."""
    return getattr(module, "normalizes", False)


def weights_of(model: nn.Module) -> list[nn.Module]:
    """All weight layers in the order of the forward pass; the last one is the classifier."""
    return [module for module in model.modules() if isinstance(module, WEIGHTS)]


def set_biases(model: nn.Module) -> None:
    """Zero all biases; those of gates are set to their initial values."""
    for module in weights_of(model):
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    for module in model.modules():
        if isinstance(module, Gated):
            module.reset_bias()


def _branches(model: nn.Module) -> list[nn.Module]:
    """The branches of all residual blocks.

    Raises:
        ValueError: the model has none.
    """
    found: list[nn.Module] = []
    for block in model.modules():
        if isinstance(block, ResidualBlock):
            several = isinstance(block.transform, Sum)
            found += block.transform.transforms if several else [block.transform]
    if not found:
        raise ValueError("this initialization needs residual blocks: use model=resnet")
    return found


def _last_layers(model: nn.Module) -> list[nn.Module]:
    return [list(branch.children())[-1] for branch in _branches(model)]


def make_orthogonal(weight: Tensor, gain: float, generator: torch.Generator | None) -> None:
    """Fill a weight, flattened to a matrix, with an orthogonal matrix times a gain."""
    if weight.device.type != "meta":  # the decomposition needs values
        nn.init.orthogonal_(weight, gain, generator=generator)
