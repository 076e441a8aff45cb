"""Residual blocks: the residual branch F, the shortcut, and the layers after the addition."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from resexp.models.layers import Layer
from resexp.models.parts import Parts
from resexp.models.stochastic import Dropout


class ResidualBlock(nn.Module):
    """y = after(shortcut(h, branch(transform(h)))) with h = before(x).

    The shortcut module performs the addition: gates weight both of its terms, and a plain network has no
    addition at all.

    Args:
        transform: the residual branch F.
        shortcut: module of (h, F(h)).
        after: applied to the sum.
        before: applied to x, shared by shortcut and branch.
        channels: of the output.
        tail: () -> final norm and activation of a pre-activation network; None: not needed.
    """

    def __init__(
        self,
        transform: nn.Module,
        shortcut: nn.Module,
        after: nn.Module,
        *,
        channels: int,
        before: nn.Module | None = None,
        tail: Callable[[], nn.Module] | None = None,
    ):
        super().__init__()
        # registered in the order of the forward pass
        self.before = before or nn.Identity()
        self.transform, self.branch = transform, nn.Identity()
        self.shortcut, self.after = shortcut, after
        self.channels, self.tail = channels, tail

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x)
        return self.after(self.shortcut(x, self.branch(self.transform(x))))


class BlockKind(Protocol):
    """What a network asks of a kind of residual block: Block is one, InceptionBlock another.

    depth: weight layers on the way through a block. expansion: channels of its output for each of the
    stage's width. activates_stem: whether the stem ends with normalization and activation.
    """

    depth: int
    expansion: int
    activates_stem: bool

    def __call__(
        self, parts: Parts, c_in: int, channels: int, stride: int, *, entry: str = "branch"
    ) -> ResidualBlock:
        """A block; see Block."""


@dataclass(frozen=True)
class Block:
    """A block type: the order of norms and activations around the weight layers of the residual branch.

    Args:
        order: (Parts, layers, c_in, channels, stride, entry=) -> ResidualBlock; see below.
        layers: (channels, stride) -> list of Layer; has attributes `count` and `expansion`.
        branches: number of parallel residual branches that are added (Abdi and Nahavandi 2016).
    Raises:
        ValueError: branches below 1.
    """

    order: Callable[..., ResidualBlock]
    layers: Callable[[int, int], list[Layer]]
    branches: int = 1

    def __post_init__(self):
        if self.branches < 1:
            raise ValueError(f"block.branches must be at least 1, got {self.branches}")

    @property
    def depth(self) -> int:
        """Weight layers of the residual branch."""
        return self.layers.count

    @property
    def expansion(self) -> int:
        """Output channels of a block, relative to the stage's width."""
        return self.layers.expansion

    def __call__(
        self, parts: Parts, c_in: int, channels: int, stride: int, *, entry: str = "branch"
    ) -> ResidualBlock:
        """Build a block.

        Args:
            parts: see resexp.models.parts.Parts.
            c_in: channels of the input.
            channels: channels of the sum.
            stride: of the block.
            entry: see ENTRIES.
        """
        chains = [self.layers(channels, stride) for _ in range(self.branches)]
        return self.order(parts, chains, c_in, channels, stride, entry=entry)

    @property
    def activates_stem(self) -> bool:
        """Whether the stem ends with normalization and activation."""
        return getattr(self.order, "func", self.order) not in PREACTIVATIONS


class Sum(nn.Module):
    """Sum of several transforms of the same input."""

    def __init__(self, transforms: Sequence[nn.Module]):
        super().__init__()
        self.transforms = nn.ModuleList(transforms)

    def forward(self, x: Tensor) -> Tensor:
        first, *others = (transform(x) for transform in self.transforms)
        for other in others:
            first = first + other
        return first


class ScalarBias(nn.Module):
    """A learned scalar bias, initially 0."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


class ScalarMultiplier(nn.Module):
    """A learned scalar multiplier, initially 1."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def post_activation(parts, chains, c_in, channels, stride, *, entry) -> ResidualBlock:
    """conv-norm-act-conv-norm, addition, act (He et al. 2015, figure 2)."""
    transforms = [_post_normed(parts, chain, c_in, last=[parts.norm]) for chain in chains]
    shortcut = parts.shortcut(c_in, channels, stride, conv=parts.conv, norm=parts.norm)
    after = parts.activation(channels)
    return ResidualBlock(_sum(transforms), shortcut, after, channels=parts.activated(channels))


def bn_after_addition(parts, chains, c_in, channels, stride, *, entry) -> ResidualBlock:
    """conv-norm-act-conv, addition, norm-act (He et al. 2016, figure 4b)."""
    transforms = [_post_normed(parts, chain, c_in, last=[]) for chain in chains]
    shortcut = parts.shortcut(c_in, channels, stride, conv=parts.conv, norm=parts.norm)
    after = nn.Sequential(parts.norm(channels), parts.activation(channels))
    return ResidualBlock(_sum(transforms), shortcut, after, channels=parts.activated(channels))


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
    return ResidualBlock(_sum(transforms), shortcut, nn.Identity(), channels=channels)


def relu_only_preactivation(parts, chains, c_in, channels, stride, *, entry) -> ResidualBlock:
    """act-conv-norm-act-conv-norm, addition (He et al. 2016, figure 4d)."""
    return _preactivation(
        parts, chains, c_in, channels, stride, entry=entry, before=[parts.activation], last=[parts.norm]
    )


def full_preactivation(parts, chains, c_in, channels, stride, *, entry) -> ResidualBlock:
    """norm-act-conv-norm-act-conv, addition (He et al. 2016, figure 4e)."""
    before = [parts.norm, parts.activation]
    return _preactivation(parts, chains, c_in, channels, stride, entry=entry, before=before, last=[])


def fixup(parts, chains, c_in, channels, stride, *, entry) -> ResidualBlock:
    """conv-act-conv-multiplier, addition, act; a scalar bias before each convolution and each act.

    Where shapes change, the shortcut receives the biased input of the first convolution.

    Raises:
        ValueError: normalization is used, which this block replaces.
    Source: Zhang et al. 2019 (arXiv:1901.09321), section 4, rule 3, and figure 1, right. Departures:
    the stem and the classifier have no scalars, and scalars use the same learning rate as all parameters.
    """
    if not isinstance(parts.norm(channels), nn.Identity):
        raise ValueError("block=fixup replaces normalization: use norm=none")
    changes = stride > 1 or c_in != channels
    transforms = [
        nn.Sequential(
            *([] if changes else [ScalarBias()]),
            *_between(parts, chain, c_in, lambda c: [ScalarBias(), parts.activation(c), ScalarBias()]),
            ScalarMultiplier(),
        )
        for chain in chains
    ]
    shortcut = parts.shortcut(c_in, channels, stride, conv=parts.conv, norm=_no_norm)
    return ResidualBlock(
        _sum(transforms),
        shortcut,
        nn.Sequential(ScalarBias(), parts.activation(channels)),
        channels=parts.activated(channels),
        before=ScalarBias() if changes else None,
    )


# What the first normalization and activation of a pre-activation block apply to; other blocks have none.
# `branch`: the input of the branch only, unless shapes change. `both`: the input of branch and shortcut,
# as in the first block of He et al. 2016, section 4.1. `none`: the input is activated already.
ENTRIES = ("branch", "both", "none")
PREACTIVATIONS = (relu_only_preactivation, full_preactivation)


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
    shortcut = parts.shortcut(c_in, channels, stride, conv=parts.conv, norm=_no_norm)
    return ResidualBlock(
        _sum(transforms),
        shortcut,
        nn.Identity(),
        channels=channels,
        before=nn.Sequential(*_build(before, c_in, keep_input=True)) if shares else None,
        tail=lambda: nn.Sequential(*_build(before, channels)),
    )


def _post_normed(parts: Parts, chain: list[Layer], c_in: int, *, last: list) -> nn.Sequential:
    """Weight layers, each followed by norm and activation; the last one is followed by `last` instead."""
    modules = _between(parts, chain, c_in, lambda c: [parts.norm(c), parts.activation(c)])
    return nn.Sequential(*modules, *_build(last, chain[-1].channels))


def _between(
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


def _no_norm(channels: int) -> nn.Module:
    return nn.Identity()


def _sum(transforms: Sequence[nn.Module]) -> nn.Module:
    return transforms[0] if len(transforms) == 1 else Sum(transforms)
