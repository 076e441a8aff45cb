"""Residual networks of residual networks (RoR): shortcuts around blocks, stages and the whole network."""

from torch import Tensor, nn

from resexp.models.blocks import BlockKind
from resexp.models.parts import Parts, as_images
from resexp.models.resnet import STAGES, ResNet, blocks_per_stage


class RoR(ResNet):
    """A ResNet with additional shortcuts around each stage and around all stages.

    At the end of a stage, the shortcut around the stage is added to the sum of its last block, in the last
    stage also the one around all stages; the block's activation follows this sum.

    Input, output and arguments as in resexp.models.resnet.resnet; the outer shortcuts are of the same
    type as those of the blocks.

    Raises:
        ValueError: unsupported depth, or no shortcuts.
    Source: Zhang et al. 2017 (arXiv:1608.02908), section 3, RoR-3: root, stage and block
    level. Departure: stages start with stride 2, as in ResNet; other implementations pool between stages.
    """

    def __init__(
        self, depth: int, *, width: int, c_in: int, num_classes: int, block: BlockKind, parts: Parts
    ):
        if parts.without_shortcuts:
            raise ValueError("model=ror needs shortcuts: omit shortcut=none, or use model=plain")
        count = blocks_per_stage(depth, block.depth)
        widths = [width, 2 * width, 4 * width]
        sizes = {"widths": widths, "stem_width": width, "c_in": c_in, "num_classes": num_classes}
        super().__init__([count] * STAGES, **sizes, block=block, parts=parts)
        self.count = count
        ends = [self.blocks[(stage + 1) * self.count - 1] for stage in range(STAGES)]
        stem = parts.activated(width) if block.activates_stem else width
        starts = [stem, *(end.channels for end in ends)]
        sums = [w * block.expansion for w in widths]
        norm = parts.norm if block.activates_stem else (lambda channels: nn.Identity())
        make = {"conv": parts.conv, "norm": norm}
        self.around_stages = nn.ModuleList(
            parts.shortcut(starts[i], sums[i], 1 if i == 0 else 2, **make) for i in range(STAGES)
        )
        self.around_all = parts.shortcut(starts[0], sums[-1], 4, **make)
        self.afters = nn.ModuleList(end.after for end in ends)
        for end in ends:
            end.after = nn.Identity()
        tail, head = self.tail, self.head
        del self.tail, self.head
        self.tail, self.head = tail, head  # re-registered, to keep the order of the forward pass

    def features(self, x: Tensor) -> Tensor:
        """What global average pooling receives."""
        x = root = self.stem(as_images(x))
        for stage, shortcut in enumerate(self.around_stages):
            start = x
            for block in self.blocks[stage * self.count : (stage + 1) * self.count]:
                x = block(x)
            x = shortcut(start, x)
            if stage == STAGES - 1:
                x = self.around_all(root, x)
            x = self.afters[stage](x)
        return self.tail(x)
