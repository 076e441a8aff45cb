"""Wide residual networks."""

from resexp.models.blocks import BlockKind
from resexp.models.parts import Parts
from resexp.models.resnet import STAGES, ResNet, blocks_per_stage


def wide(
    depth: int, *, widen: float, entry: str, c_in: int, num_classes: int, block: BlockKind, parts: Parts
) -> ResNet:
    """Few wide blocks: WRN-depth-widen.

    Args:
        depth: 6n + 4 for blocks of two layers: the projections of the three stages count.
        widen: factor of the widths 16, 32 and 64, an integer in the paper; the stem has 16 channels.
        entry, c_in, num_classes, block, parts: as in ResNet.
    Raises:
        ValueError: unsupported depth.
    Source: Zagoruyko and Komodakis 2016 (arXiv:1605.07146), table 1; the first block as in the
    authors' code, szagoruyko/wide-residual-networks, models/wide-resnet.lua.
    """
    return ResNet(
        [blocks_per_stage(depth, block.depth, besides=4)] * STAGES,
        widths=[round(16 * widen) << stage for stage in range(STAGES)],
        stem_width=16,
        c_in=c_in,
        num_classes=num_classes,
        block=block,
        parts=parts,
        entry=entry,
    )
