"""Fully connected networks, plain and residual."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from resexp.models.blocks import Block, Parts


class MLP(nn.Module):
    """A first layer, blocks of one width, a classifier; every input is flattened.

    Input (batch, ...); output logits (batch, num_classes). With NoShortcut the blocks are plain.

    Args:
        depth: weight layers: those of the blocks and two.
        width: units throughout.
        c_in, size: channels and size of the input, (height, width) or (length,).
        num_classes, block, parts: as for ResNet; the parts' dims plays no role.
    Raises:
        ValueError: a depth that the block's layers do not divide.
    Source: UDL figures 11.4 and 11.5.
    """

    def __init__(
        self,
        depth: int,
        *,
        width: int,
        c_in: int,
        size: Sequence[int],
        num_classes: int,
        block: Block,
        parts: Parts,
    ):
        super().__init__()
        count, rest = divmod(depth - 2, block.depth)
        if count < 1 or rest:
            raise ValueError(
                f"model.depth must be {block.depth}n+2 with blocks of {block.depth} layers, got {depth}"
            )
        parts = replace(parts, dims=0)
        features = c_in * torch.Size(size).numel()
        ending = [parts.norm(width), parts.activation()] if block.activates_stem else []
        self.stem = nn.Sequential(nn.Flatten(), parts.conv(features, width), *ending)
        channels = parts.activated(width) if ending else width
        self.blocks = nn.ModuleList()
        for number in range(count):
            made = block(parts, channels, width, 1, first=number == 0)
            made.branch = parts.branch((number + 1) / count)
            self.blocks.append(made)
            channels = made.channels
        tail = self.blocks[-1].tail
        self.tail = tail() if tail else nn.Identity()
        self.head = nn.Linear(parts.activated(channels) if tail else channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(self.tail(x))
