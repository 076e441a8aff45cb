"""Orders of normalization, activation and addition in residual blocks.

An order is a function (parts, chains, c_in, channels, stride, *, entry) -> ResidualBlock. chains: the weight
layers of each parallel branch; stride: of the block; entry: see resexp.models.blocks.ENTRIES. Orders with
`preactivates` leave the activation of the stem to the first block.
"""

from collections.abc import Callable

from torch import nn

from resexp.models.blocks import ResidualBlock, summed
from resexp.models.layers import Layer
from resexp.models.parts import Parts
from resexp.models.stochastic import Dropout


def post_activation(parts, chains, c_in, channels, stride, *, entry) -> ResidualBlock:
    """conv-norm-act-conv-norm, addition, act (He et al. 2015, figure 2)."""
    transforms = [_post_normed(parts, chain, c_in, last=[parts.norm]) for chain in chains]
    shortcut = parts.shortcut(c_in, channels, stride, conv=parts.conv, norm=parts.norm)
    after = parts.activation(channels)
    return ResidualBlock(summed(transforms), shortcut, after, channels=parts.activated(channels))


def bn_after_addition(parts, chains, c_in, channels, stride, *, entry) -> ResidualBlock:
    """conv-norm-act-conv, addition, norm-act (He et al. 2016, figure 4b)."""
    transforms = [_post_normed(parts, chain, c_in, last=[]) for chain in chains]
    shortcut = parts.shortcut(c_in, channels, stride, conv=parts.conv, norm=parts.norm)
    after = nn.Sequential(parts.norm(channels), parts.activation(channels))
    return ResidualBlock(summed(transforms), shortcut, after, channels=parts.activated(channels))


def relu_before_addition(parts, chains, c_in, channels, stride, *, entry) -> ResidualBlock:
    """conv-norm-act-conv-norm-act, addition (He et al. 2016, figure 4c).

    With one layer and no normalization: UDL figure 11.5a, a non-negative branch.
    Raises:
        ValueError: the activation changes the number of channels.
    """
    if parts.activated(1) != 1:
        raise ValueError(
            "this block needs an activation that keeps the number of channels: use block=full_preactivation"
        )
    transforms = [_post_normed(parts, chain, c_in, last=[parts.norm, parts.activation]) for chain in chains]
    shortcut = parts.shortcut(c_in, channels, stride, conv=parts.conv, norm=parts.norm)
    return ResidualBlock(summed(transforms), shortcut, nn.Identity(), channels=channels)


def relu_only_preactivation(parts, chains, c_in, channels, stride, *, entry) -> ResidualBlock:
    """act-conv-norm-act-conv-norm, addition (He et al. 2016, figure 4d)."""
    return _preactivation(
        parts, chains, c_in, channels, stride, entry=entry, before=[parts.activation], last=[parts.norm]
    )


def full_preactivation(parts, chains, c_in, channels, stride, *, entry) -> ResidualBlock:
    """norm-act-conv-norm-act-conv, addition (He et al. 2016, figure 4e)."""
    before = [parts.norm, parts.activation]
    return _preactivation(parts, chains, c_in, channels, stride, entry=entry, before=before, last=[])


relu_only_preactivation.preactivates = full_preactivation.preactivates = True


def _preactivation(parts, chains, c_in, channels, stride, *, entry, before, last) -> ResidualBlock:
    """A pre-activation block: its branches start with `before`, which is also the tail of the network.

    Where shapes change the shortcut shares `before`, as in fb.resnet.torch; not if it changes the number of
    channels, as CReLU does.
    """
    shares = entry == "both" or (entry == "branch" and (stride > 1 or c_in != channels))
    shares = shares and parts.activated(1) == 1
    own = [] if shares or entry == "none" else before
    activated = parts.activated(c_in) if own else c_in
    transforms = [
        nn.Sequential(
            *_build(own, c_in, keep_input=True),
            *_post_normed(parts, chain, activated, last=last),
        )
        for chain in chains
    ]
    # no norm on the shortcut, since the sum is not normalized either
    shortcut = parts.shortcut(c_in, channels, stride, conv=parts.conv, norm=no_norm)
    return ResidualBlock(
        summed(transforms),
        shortcut,
        nn.Identity(),
        channels=channels,
        before=nn.Sequential(*_build(before, c_in, keep_input=True)) if shares else None,
        tail=lambda: nn.Sequential(*_build(before, channels)),
    )


def _post_normed(parts: Parts, chain: list[Layer], c_in: int, *, last: list) -> nn.Sequential:
    """Weight layers, each followed by norm and activation; the last one is followed by `last` instead."""
    modules = between(parts, chain, c_in, lambda c: [parts.norm(c), parts.activation(c)])
    return nn.Sequential(*modules, *_build(last, chain[-1].channels))


def between(
    parts: Parts, chain: list[Layer], c_in: int, steps: Callable[[int], list[nn.Module]]
) -> list[nn.Module]:
    """Weight layers with steps(channels), then dropout, between consecutive ones."""
    modules: list[nn.Module] = []
    for layer in chain[:-1]:
        drops = [Dropout(layer.dropout)] if layer.dropout else []
        modules += [parts.weight_layer(layer, c_in), *steps(layer.channels), *drops]
        c_in = parts.activated(layer.channels)
    return [*modules, parts.weight_layer(chain[-1], c_in)]


def _build(steps: list, channels: int, *, keep_input: bool = False) -> list[nn.Module]:
    """Build the layers of `steps`; with keep_input none of them modifies the block's input in place."""
    layers = [step(channels) for step in steps]
    if keep_input:
        for layer in layers:
            if hasattr(layer, "inplace"):
                layer.inplace = False
    return layers


def no_norm(channels: int) -> nn.Module:
    return nn.Identity()
