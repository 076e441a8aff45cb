"""Residual networks of residual networks: shortcuts around stages and around the whole."""

from torch import Tensor, nn

from resexp.models.blocks import Block, Parts, as_images
from resexp.models.resnet import STAGES, ResNet, blocks_per_stage, pooled


class RoR(ResNet):
    """A ResNet whose stages, and whose whole stack of blocks, have shortcuts of their own.

    Input, output and arguments as for resexp.models.resnet.resnet; the outer shortcuts are of the
    same kind as those of the blocks, and an activation follows each outer sum where one follows
    the blocks' sums.

    Raises:
        ValueError: depth is not of resnet's form.
    Source: Zhang et al. 2017 (arXiv:1608.02908), RoR-3: levels for the root, the stages and the
    blocks. Departure: the paper takes projections (option B) for the outer levels; here
    shortcut=projection gives them.
    """

    def __init__(self, depth: int, *, width: int, c_in: int, num_classes: int, block: Block, parts: Parts):
        count = blocks_per_stage(depth, block.depth)
        widths = [width, 2 * width, 4 * width]
        sizes = {"widths": widths, "stem_width": width, "c_in": c_in, "num_classes": num_classes}
        super().__init__([count] * STAGES, **sizes, block=block, parts=parts)
        self.count = count
        channels = [width, *(w * block.expansion for w in widths)]
        norm = parts.norm if block.activates_stem else (lambda channels: nn.Identity())
        make = {"conv": parts.conv, "norm": norm}
        self.around_stages = nn.ModuleList(
            parts.shortcut(channels[i], channels[i + 1], 1 if i == 0 else 2, **make) for i in range(STAGES)
        )
        self.around_all = parts.shortcut(channels[0], channels[-1], 4, **make)
        self.after = parts.activation() if block.activates_stem else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = root = self.stem(
            as_images(x)
        ).clone()  # an activation that works in place must not change the root
        for stage, shortcut in enumerate(self.around_stages):
            start = x.clone()
            for block in self.blocks[stage * self.count : (stage + 1) * self.count]:
                x = block(x)
            x = shortcut(start, x)
            x = self.after(x) if stage < STAGES - 1 else self.after(self.around_all(root, x))
        return self.head(pooled(self.tail(x)))
