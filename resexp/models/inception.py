"""Inception modules as residual branches (Inception-ResNet, PolyNet)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from resexp.models.blocks import ResidualBlock
from resexp.models.parts import Parts

KINDS = ("one", "two_way", "poly_2", "mpoly_2")


class Inception(nn.Module):
    """Parallel paths of one, two and three convolutions, concatenated and joined by a 1x1 convolution.

    Source: Szegedy et al. 2017 (arXiv:1602.07261), figure 16, Inception-ResNet-A. Path widths relative to
    the block's channels: 1/4; 1/4; 1/4 increasing to 1/2. Section 3.3 scales branches by 0.1 to 0.3, see
    shortcut=scaled_branch. Departure: the final 1x1 convolution is followed by normalization; in
    tensorflow/models, research/slim/nets/inception_resnet_v2.py, it has a bias instead.
    """

    def __init__(self, parts: Parts, c_in: int, channels: int, stride: int):
        super().__init__()
        narrow = max(1, channels // 4)
        chains = [[narrow], [narrow, narrow], [narrow, 3 * narrow // 2, 2 * narrow]]
        self.paths = nn.ModuleList(_path(parts, c_in, chain, stride) for chain in chains)
        joined = sum(parts.activated(chain[-1]) for chain in chains)
        self.join, self.norm = parts.conv(joined, channels, kernel_size=1), parts.norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.join(torch.cat([path(x) for path in self.paths], dim=1)))


class Poly(nn.Module):
    """Sums of parallel or composed Inception modules F and G.

    two_way: F + G; poly_2: F + FF with shared weights; mpoly_2: F + GF.

    Source: Zhang et al. 2017 (arXiv:1611.05725), figure 4. Departures: there is an activation between
    composed modules, as between blocks; poly_2 also shares its normalizations, so that their running
    statistics are updated by both applications.
    """

    def __init__(self, parts: Parts, c_in: int, channels: int, stride: int, *, kind: str):
        super().__init__()
        self.kind, self.first = kind, Inception(parts, c_in, channels, stride)
        self.activation = parts.activation(channels)
        if hasattr(self.activation, "inplace"):
            self.activation.inplace = False  # its input is also a term of the sum
        side_by_side = kind == "two_way"
        if kind != "poly_2":
            source, step = (c_in, stride) if side_by_side else (parts.activated(channels), 1)
            self.second = Inception(parts, source, channels, step)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        if self.kind == "two_way":
            return y + self.second(x)
        again = self.first if self.kind == "poly_2" else self.second
        return y + again(self.activation(y))


@dataclass(frozen=True)
class InceptionBlock:
    """A residual block whose branch consists of Inception modules, with an activation after the addition.

    Args:
        kind: one, two_way, poly_2 or mpoly_2. Where shapes change, poly_2 has a single module: the
            same weights cannot be applied to both shapes.
    Raises:
        ValueError: unknown kind.
    """

    kind: str
    depth: int = 4  # weight layers on the longest path of one module
    expansion: int = 1
    activates_stem: bool = True

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"block.kind must be one of {', '.join(KINDS)}, got {self.kind}")

    def __call__(
        self, parts: Parts, c_in: int, channels: int, stride: int, *, entry: str = "branch"
    ) -> ResidualBlock:
        """Build a block; see resexp.models.blocks.Block.

        Raises:
            ValueError: poly_2 with an activation that changes the number of channels.
        """
        keeps = stride == 1 and c_in == channels
        if self.kind == "poly_2" and parts.activated(1) != 1:
            raise ValueError(
                "block=poly_2 applies a module to its own output and does not support activation=crelu"
            )
        if self.kind == "one" or (self.kind == "poly_2" and not keeps):
            transform: nn.Module = Inception(parts, c_in, channels, stride)
        else:
            transform = Poly(parts, c_in, channels, stride, kind=self.kind)
        shortcut = parts.shortcut(c_in, channels, stride, conv=parts.conv, norm=parts.norm)
        after = parts.activation(channels)
        return ResidualBlock(transform, shortcut, after, channels=parts.activated(channels))


def _path(parts: Parts, c_in: int, chain: Sequence[int], stride: int) -> nn.Sequential:
    """A 1x1 convolution followed by 3x3 convolutions; the last one is strided."""
    layers: list[nn.Module] = []
    for index, channels in enumerate(chain):
        step = stride if index == len(chain) - 1 else 1
        layers.append(parts.conv(c_in, channels, step, kernel_size=1 if index == 0 else None))
        layers += [parts.norm(channels), parts.activation(channels)]
        c_in = parts.activated(channels)
    return nn.Sequential(*layers)
