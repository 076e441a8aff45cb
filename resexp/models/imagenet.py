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
    depth: int,
    *,
    width: int,
    c_in: int,
    num_classes: int,
    block: BlockKind,
    parts: Parts,
    activated_stem: bool = False,
) -> ResNet:
    """Networks for images of 224x224: a strided stem and four stages.

    Args:
        depth: 18 or 34 for blocks of two layers, 50, 101, 152 or 200 for bottlenecks.
        width: of the first stage, 64 in the paper.
        c_in, num_classes, block, parts: as in ResNet.
        activated_stem: in pre-activation networks, normalize and activate the stem before pooling, so that
            the first block starts with its convolution; other networks always do.
    Raises:
        ValueError: unsupported depth, the wrong block type for it, or pre-activation without activated_stem.
    Source: He et al. 2015 (arXiv:1512.03385), table 1. Pre-activation, and 200 layers: He et al. 2016
    (arXiv:1603.05027), section 5, with details as in facebookarchive/fb.resnet.torch, models/preresnet.lua.
    """
    if not (block.activates_stem or activated_stem):
        raise ValueError("model=imagenet_resnet has no pre-activation blocks: use model=imagenet_preact")
    sizes = {"c_in": c_in, "num_classes": num_classes, "block": block, "parts": parts}
    return _four_stages(depth, width=width, stem_width=width, **sizes)


def imagenet_wide(
    depth: int, *, widen: float, c_in: int, num_classes: int, block: BlockKind, parts: Parts
) -> ResNet:
    """WRN-18 and WRN-34 for ImageNet: all stages but not the stem are `widen` times as wide.

    Args:
        depth, c_in, num_classes, block, parts: as in imagenet.
        widen: factor of the widths 64 to 512.
    Raises:
        ValueError: see imagenet.
    Source: Zagoruyko and Komodakis 2016 (arXiv:1605.07146), section 3; szagoruyko/wide-residual-networks,
    pretrained/wide-resnet.lua. WRN-50-2 has wide bottlenecks: block.layers.width_factor=2.
    """
    if not block.activates_stem:
        raise ValueError("model=imagenet_wide has no pre-activation blocks: use model=imagenet_preact")
    sizes = {"c_in": c_in, "num_classes": num_classes, "block": block, "parts": parts}
    return _four_stages(depth, width=round(64 * widen), stem_width=64, **sizes)


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


def _four_stages(depth: int, *, width: int, stem_width: int, block: BlockKind, **sizes) -> ResNet:
    _check_depth(depth, block)
    return ResNet(
        IMAGENET_BLOCKS[depth],
        widths=[width << stage for stage in range(4)],
        stem_width=stem_width,
        block=block,
        stem=imagenet_stem,
        entry="none",
        **sizes,
    )


def _check_depth(depth: int, block: BlockKind) -> None:
    fitting = [d for d, stages in IMAGENET_BLOCKS.items() if d == block.depth * sum(stages) + 2]
    if depth not in fitting:
        allowed = ", ".join(map(str, fitting)) or "none"
        raise ValueError(
            f"model.depth must be one of {allowed} with blocks of {block.depth} layers, got {depth};"
            " depths 18 and 34 need blocks of two layers, such as block=post_activation, deeper ones"
            " block=bottleneck or block=bottleneck_full_preactivation"
        )
