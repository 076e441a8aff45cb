"""Residual blocks: the residual branch F, the shortcut, and the layers after the addition."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from resexp.models.layers import Layer
from resexp.models.parts import Parts

# What the first normalization and activation of a pre-activation block apply to; other blocks have none.
# `branch`: the input of the branch only, unless shapes change. `both`: the input of branch and shortcut,
# as in the first block of He et al. 2016, section 4.1. `own`: the input of the branch only, always, as in
# Newell et al. 2016. `none`: the input is activated already.
ENTRIES = ("branch", "both", "own", "none")


class ResidualBlock(nn.Module):
    """y = after(shortcut(h, branch(transform(h)))) with h = before(x).

    The shortcut module performs the addition, since gates weight both terms and plain networks have no
    addition.

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
    """Interface of a block type; implemented by Block and InceptionBlock.

    depth: weight layers on the longest path through the branch. expansion: output channels relative to the
    stage's width. activates_stem: whether the stem ends with normalization and activation.
    """

    depth: int
    expansion: int
    activates_stem: bool

    def __call__(
        self, parts: Parts, c_in: int, channels: int, stride: int, *, entry: str = "branch"
    ) -> ResidualBlock:
        """Build a block; see Block."""


@dataclass(frozen=True)
class Block:
    """A block type: the order of norms and activations around the weight layers of the residual branch.

    Args:
        order: (Parts, layers, c_in, channels, stride, entry=) -> ResidualBlock; see
            resexp.models.orders.
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
        return not getattr(getattr(self.order, "func", self.order), "preactivates", False)


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


def summed(transforms: Sequence[nn.Module]) -> nn.Module:
    """Sum of transforms of the same input; a single transform is returned unchanged."""
    return transforms[0] if len(transforms) == 1 else Sum(transforms)
