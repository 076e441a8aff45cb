"""Fully connected networks, plain and residual."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from resexp.models.blocks import BlockKind
from resexp.models.parts import Parts
from resexp.models.resnet import ResNet, blocks_per_stage


def mlp(
    depth: int,
    *,
    width: int,
    c_in: int,
    size: Sequence[int],
    num_classes: int,
    block: BlockKind,
    parts: Parts,
) -> ResNet:
    """First layer, blocks of constant width, classifier; inputs are flattened.

    Input (batch, ...); output logits (batch, num_classes). With NoShortcut the blocks are plain.

    Args:
        depth: weight layers, including the first layer and the classifier.
        width: units of the first layer, and of the blocks before their expansion.
        c_in, size: channels and size of the input, (height, width) or (length,).
        num_classes, block, parts: as in ResNet; parts.dims is ignored.
    Raises:
        ValueError: unsupported depth, or a normalization over positions only (there is a single one).
    Source: UDL figures 11.4 and 11.5.
    """
    model = ResNet(
        [blocks_per_stage(depth, block.depth, stages=1)],
        widths=[width],
        stem_width=width,
        c_in=c_in * torch.Size(size).numel(),
        num_classes=num_classes,
        block=block,
        parts=replace(parts, dims=0),
        stem=_flat_stem,
    )
    for module in model.modules():
        if isinstance(module, nn.GroupNorm) and module.num_groups == module.num_channels:
            raise ValueError(
                "fully connected layers have a single position, so normalizing each channel separately"
                " always gives zero: use norm=batch, layer, or group with fewer norm.groups"
            )
    return model


def _flat_stem(parts: Parts, features: int, units: int) -> tuple[nn.Module, nn.Module]:
    return nn.Sequential(nn.Flatten(), parts.conv(features, units)), nn.Identity()
