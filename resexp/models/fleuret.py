"""The residual network that Fleuret's course trains on MNIST."""

from dataclasses import replace

from torch import Tensor, nn

from resexp.models.blocks import Block, Parts, as_images
from resexp.models.resnet import pooled


class Fleuret(nn.Module):
    """A 1x1 stem, blocks of one constant width, global average pooling, a classifier.

    Input (batch, c_in, height, width) for dims=2, (batch, c_in, length) for dims=1; output logits
    (batch, num_classes). Convolutions carry biases.

    Args:
        depth: weight layers, 2 per block + 2.
        width: channels throughout.
        kernel_size: odd size of the blocks' convolutions.
        c_in, num_classes, block, parts: as for ResNet.
    Raises:
        ValueError: depth is odd or below 4.
    Source: EE-559, lecture on residual networks (fleuret.org/dlc): 25 blocks of 16 channels,
    117,802 parameters on MNIST. Departure: the slides do not say whether the stem is followed
    by an activation; here it is.
    """

    def __init__(
        self,
        depth: int,
        *,
        width: int,
        kernel_size: int,
        c_in: int,
        num_classes: int,
        block: Block,
        parts: Parts,
    ):
        super().__init__()
        if depth < 4 or depth % 2:
            raise ValueError(f"model.depth must be 2n+2 (4, 6, ..., 52, ...), got {depth}")
        parts = replace(parts, kernel_size=kernel_size, bias=True)
        self.stem = nn.Sequential(parts.conv(c_in, width, kernel_size=1), parts.activation())
        self.blocks = nn.ModuleList(block(parts, width, width, 1) for _ in range(depth // 2 - 1))
        self.head = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(as_images(x))
        for block in self.blocks:
            x = block(x)
        return self.head(pooled(x))
