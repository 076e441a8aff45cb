"""Stacked hourglasses: networks that look at all scales again and again (Newell et al. 2016)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resexp.models.blocks import BlockKind, ResidualBlock
from resexp.models.parts import Parts

SUPERVISIONS = ("every", "last")
Row = Callable[[], nn.Sequential]  # -> as many residual blocks as stand at one place


class Hourglass(nn.Module):
    """Down to the coarsest scale and up again: (batch, channels, *size) -> the same shape.

    At each scale the input also goes through residual blocks of its own and is added to what comes back
    from the coarser ones, interpolated by the nearest value.

    Args:
        depth: 2x2 max-poolings.
        row: makes the blocks of one place.
    """

    def __init__(self, depth: int, row: Row):
        super().__init__()
        self.link, self.down = row(), row()
        self.inner = Hourglass(depth - 1, row) if depth > 1 else row()
        self.up = row()

    def forward(self, x: Tensor) -> Tensor:
        coarser = self.up(self.inner(self.down(F.max_pool2d(x, 2))))
        return self.link(x) + F.interpolate(coarser, scale_factor=2.0, mode="nearest")


class Stack(nn.Module):
    """An hourglass and its prediction: features -> (heat maps, features for the next stack).

    Args:
        hourglass: over the features.
        after: between it and the prediction.
        head: 1x1 convolution to the heat maps.
        back: two 1x1 convolutions, of what `after` gives and of the heat maps, to the features that are
            added for the next stack; None in the last stack.
    """

    def __init__(self, hourglass: nn.Module, after: nn.Module, head: nn.Module, back: nn.ModuleList | None):
        super().__init__()
        self.hourglass, self.after, self.back, self.head = hourglass, after, back, head
        head.predicts = True  # initializations treat it as they treat a classifier

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.after(self.hourglass(x))
        maps = self.head(features)
        if self.back is not None:
            x = x + self.back[0](features) + self.back[1](maps)
        return maps, x


class StackedHourglass(nn.Module):
    """Input (batch, c_in, height, width) -> heat maps (batch, predictions, num_classes, height/s, width/s).

    A stem (7x7 convolution of stride 2, a residual block, max-pooling, two residual blocks), then stacks.
    s is 4, or 2 without the stem's pooling.

    Args:
        depth: poolings of each hourglass.
        stacks: hourglasses one after the other.
        blocks: residual blocks at each place of an hourglass, and behind it.
        width: channels of the features, a multiple of 8; the stem has a quarter and half of them.
        pooled: whether the stem pools.
        supervision: which heat maps are given, and so learned: those of every stack, or of the last.
        c_in: channels of the input. num_classes: joints.
        block, parts: as in resexp.models.resnet.ResNet.
    Raises:
        ValueError: an unsupported width or choice, or data other than images.
    Source: Newell et al. 2016 (arXiv:1603.06937), sections 3 and 4, figures 3 and 4; details as in
    princeton-vl/pytorch_stacked_hourglass: depth 4, width 256, one block at each place, 16 joints; with
    parts.bias the same parameters and outputs. Departure: without it, convolutions but those to and from
    heat maps have no bias.
    """

    kind = "joints"

    def __init__(
        self,
        depth: int,
        *,
        stacks: int,
        blocks: int,
        width: int,
        pooled: bool,
        supervision: str,
        c_in: int,
        num_classes: int,
        block: BlockKind,
        parts: Parts,
    ):
        super().__init__()
        _check(parts, width, supervision)
        self.supervision, self.side = supervision, (4 if pooled else 2) * 2**depth

        def residual(a: int, b: int) -> ResidualBlock:
            return block(parts, a, b, 1, entry="own")

        def row() -> nn.Sequential:
            return nn.Sequential(*[residual(width, width) for _ in range(blocks)])

        def conv1x1(a: int, b: int, *, bias: bool) -> nn.Module:
            return parts.conv(a, b, kernel_size=1, bias=bias)

        def stack(last: bool) -> Stack:
            normed = [conv1x1(width, width, bias=parts.bias), parts.norm(width), parts.activation(width)]
            back = nn.ModuleList(conv1x1(c, width, bias=True) for c in (width, num_classes))
            head = conv1x1(width, num_classes, bias=True)
            return Stack(Hourglass(depth, row), nn.Sequential(*row(), *normed), head, None if last else back)

        quarter, half = width // 4, width // 2
        self.stem = nn.Sequential(
            parts.conv(c_in, quarter, 2, kernel_size=7),
            parts.norm(quarter),
            parts.activation(quarter),
            residual(quarter, half),
            nn.MaxPool2d(2) if pooled else nn.Identity(),
            residual(half, half),
            residual(half, width),
        )
        self.stacks = nn.ModuleList(stack(last=n == stacks) for n in range(1, stacks + 1))

    @property
    def blocks(self) -> nn.ModuleList:
        """All residual blocks, in order."""
        return nn.ModuleList(module for module in self.modules() if isinstance(module, ResidualBlock))

    def forward(self, x: Tensor) -> Tensor:
        maps = self.maps(x)
        return maps if self.supervision == "every" else maps[:, -1:]

    def maps(self, x: Tensor) -> Tensor:
        """Heat maps of all stacks, (batch, stacks, joints, height, width), supervised or not.

        Raises:
            ValueError: a height or width that the poolings do not divide.
        """
        if any(side % self.side for side in x.shape[2:]):
            raise ValueError(
                f"this hourglass needs images whose sides are multiples of {self.side}, got"
                f" {tuple(x.shape[2:])}: set a smaller model.depth, or cut the images"
            )
        x, found = self.stem(x), []
        for stack in self.stacks:
            maps, x = stack(x)
            found.append(maps)
        return torch.stack(found, 1)


def _check(parts: Parts, width: int, supervision: str) -> None:
    if parts.dims != 2:
        raise ValueError(f"model=hourglass is for images (dataset.dims=2), got dataset.dims={parts.dims}")
    if width % 8:
        raise ValueError(f"model.width of an hourglass must be a multiple of 8, got {width}")
    if supervision not in SUPERVISIONS:
        raise ValueError(f"model.supervision must be one of {', '.join(SUPERVISIONS)}, got {supervision}")
