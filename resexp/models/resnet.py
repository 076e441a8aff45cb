"""The residual and plain networks of He et al. 2015 for small images and for sequences."""

from collections.abc import Callable
from functools import partial, wraps

from torch import Tensor, nn

from resexp.models import blocks
from resexp.models.shortcuts import NoShortcut

STAGES = 3


def blocks_per_stage(depth: int) -> int:
    """The n of depth = 6n + 2.

    Raises:
        ValueError: depth is not of this form.
    """
    n, rest = divmod(depth - 2, 2 * STAGES)
    if n < 1 or rest:
        below = 6 * max(n, 1) + 2
        raise ValueError(
            f"model.depth must be 6n+2 (8, 14, 20, 26, 32, ...), got {depth};"
            f" the nearest are {below} and {below + 6}"
        )
    return n


class ResNet(nn.Module):
    """A stem, three stages of blocks at widths w, 2w and 4w, global average pooling, a classifier.

    Input (batch, c_in, height, width) for dims=2, (batch, c_in, length) for dims=1; output logits
    (batch, num_classes). The parameters are registered in the order of the forward pass.

    Args:
        depth: weight layers, 6n + 2, shortcuts not counted.
        width: channels of the first stage.
        dims: 1 for sequences, 2 for images.
        c_in: channels of the input.
        num_classes: number of logits.
        block: (c_in, c_out, stride, conv=, norm=, activation=, shortcut=) -> block.
        norm: channels -> normalization layer.
        activation: () -> activation layer.
        shortcut: (c_in, c_out, stride) -> shortcut; NoShortcut makes the network plain.
    Raises:
        ValueError: depth is not 6n + 2.
    Source: He et al. 2015 (arXiv:1512.03385), section 4.2. Departures: none for dims=2; dims=1 is
    the same network on sequences.
    """

    def __init__(
        self,
        depth: int,
        *,
        width: int,
        dims: int,
        c_in: int,
        num_classes: int,
        block: Callable[..., nn.Module],
        norm: Callable[[int], nn.Module],
        activation: Callable[[], nn.Module],
        shortcut: Callable[[int, int, int], nn.Module],
    ):
        super().__init__()
        per_stage = blocks_per_stage(depth)
        conv = partial(blocks.conv, dims)
        parts = {"conv": conv, "norm": norm, "activation": activation, "shortcut": shortcut}
        self.stem = nn.Sequential(conv(c_in, width), norm(width), activation())
        self.blocks = nn.ModuleList()
        channels = width
        for stage in range(STAGES):
            for index in range(per_stage):
                stride = 2 if stage > 0 and index == 0 else 1
                self.blocks.append(block(channels, width << stage, stride, **parts))
                channels = width << stage
        self.head = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(dim=tuple(range(2, x.dim()))))


# its signature is ResNet's, so that a config is checked against it
@wraps(ResNet, assigned=(), updated=())
def plain(depth: int, *, shortcut: Callable[[int, int, int], nn.Module], **parts) -> ResNet:
    """The same network as ResNet without its shortcuts (He et al. 2015, figure 6, left).

    Raises:
        ValueError: a shortcut other than NoShortcut, or depth is not 6n + 2.
    """
    if getattr(shortcut, "func", shortcut) is not NoShortcut:
        raise ValueError("model=plain has no shortcuts: leave out shortcut=..., or take model=resnet")
    return ResNet(depth, shortcut=shortcut, **parts)
