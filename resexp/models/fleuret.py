"""The residual network for MNIST from Fleuret's deep-learning course."""

from dataclasses import replace

from torch import nn

from resexp.models.blocks import BlockKind
from resexp.models.parts import Parts
from resexp.models.resnet import ResNet, blocks_per_stage


def fleuret(
    depth: int,
    *,
    width: int,
    kernel_size: int,
    c_in: int,
    num_classes: int,
    block: BlockKind,
    parts: Parts,
) -> ResNet:
    """1x1 stem, blocks of constant width, global average pooling, classifier.

    Input and output as in ResNet. Convolutions have biases.

    Args:
        depth: weight layers, 2n + 2 for blocks of two layers.
        width: channels of all layers.
        kernel_size: of the blocks' convolutions, odd.
        c_in, num_classes, block, parts: as in ResNet.
    Raises:
        ValueError: unsupported depth.
    Source: EE-559, lecture on residual networks (fleuret.org/dlc): 25 blocks of 16 channels,
    117,802 parameters on MNIST; the stem is followed by a ReLU without normalization. Departures: none.
    """
    return ResNet(
        [blocks_per_stage(depth, block.depth, stages=1)],
        widths=[width],
        stem_width=width,
        c_in=c_in,
        num_classes=num_classes,
        block=block,
        parts=replace(parts, kernel_size=kernel_size, bias=True),
        stem=_pointwise_stem,
        stem_norm=False,
    )


def _pointwise_stem(parts: Parts, c_in: int, channels: int) -> tuple[nn.Module, nn.Module]:
    return parts.conv(c_in, channels, kernel_size=1), nn.Identity()
