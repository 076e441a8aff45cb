"""Residual and plain networks for images of 224x224."""

from torch import nn

from resexp.models.blocks import BlockKind
from resexp.models.parts import Parts
from resexp.models.resnet import ResNet

# Blocks per stage of the ImageNet networks (He et al. 2015, table 1; 200: He et al. 2016).
IMAGENET_BLOCKS = {
    18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3),
    101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3),
}  # fmt: skip


def imagenet_stem(parts: Parts, c_in: int, channels: int) -> tuple[nn.Module, nn.Module]:
    """A strided 7x7 convolution and strided 3x3 max-pooling (He et al. 2015, table 1)."""
    return parts.conv(c_in, channels, 2, kernel_size=7), parts.pool("Max", 3, 2, padding=1)


def imagenet(
    depth: int, *, width: int, c_in: int, num_classes: int, block: BlockKind, parts: Parts
) -> ResNet:
    """The networks for images of 224x224: four stages behind a strided stem.

    Args:
        depth: 18 or 34 for blocks of two layers, 50, 101, 152 or 200 for bottlenecks.
        width: of the first stage, 64 in the paper.
        c_in, num_classes, block, parts: as in ResNet.
    Raises:
        ValueError: unsupported depth, or the wrong block type for it.
    Source: He et al. 2015 (arXiv:1512.03385), table 1; 200 layers: He et al. 2016.
    """
    fitting = [d for d, stages in IMAGENET_BLOCKS.items() if d == block.depth * sum(stages) + 2]
    if depth not in fitting:
        allowed = ", ".join(map(str, fitting))
        raise ValueError(
            f"model.depth must be one of {allowed} with blocks of {block.depth} layers, got {depth};"
            " depths 18 and 34 need block=post_activation, deeper ones block=bottleneck"
        )
    return ResNet(
        IMAGENET_BLOCKS[depth],
        widths=[width << stage for stage in range(4)],
        stem_width=width,
        c_in=c_in,
        num_classes=num_classes,
        block=block,
        parts=parts,
        stem=imagenet_stem,
    )


def imagenet_plain(
    depth: int, *, width: int, c_in: int, num_classes: int, block: BlockKind, parts: Parts
) -> ResNet:
    """The ImageNet networks without shortcuts (He et al. 2015, figure 3, middle).

    Raises:
        ValueError: see plain and imagenet.
    """
    parts.refuse_shortcuts("imagenet_plain")
    sizes = {"width": width, "c_in": c_in, "num_classes": num_classes}
    return imagenet(depth, **sizes, block=block, parts=parts)
