"""Residual and plain networks: stem, stages of blocks, global average pooling, classifier."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from resexp.models.blocks import ENTRIES, BlockKind
from resexp.models.parts import Parts, as_images

STAGES = 3


def blocks_per_stage(depth: int, block_depth: int = 2, besides: int = 2, stages: int = STAGES) -> int:
    """The number n of blocks per stage, from depth = stages * block_depth * n + besides.

    Args:
        depth: weight layers of the network.
        block_depth: weight layers of a block.
        besides: weight layers outside the blocks.
        stages: number of stages.
    Raises:
        ValueError: depth does not have this form.
    """
    step = stages * block_depth
    n, rest = divmod(depth - besides, step)
    if n < 1 or rest:
        below = step * max(n, 1) + besides
        examples = ", ".join(str(step * i + besides) for i in range(1, 6))
        raise ValueError(
            f"model.depth must be {step}n+{besides} ({examples}, ...), got {depth};"
            f" the nearest are {below} and {below + step}"
        )
    return n


def small_stem(parts: Parts, c_in: int, channels: int) -> tuple[nn.Module, nn.Module]:
    """A convolution without pooling (He et al. 2015, section 4.2)."""
    return parts.conv(c_in, channels), nn.Identity()


class ResNet(nn.Module):
    """Stem, stages of blocks, global average pooling, classifier.

    Input (batch, c_in, height, width) for dims=2, (batch, c_in, length) for dims=1; output logits
    (batch, num_classes). The parameters are registered in the order of the forward pass.

    Args:
        stages: number of blocks of each stage; all stages but the first start with stride 2.
        widths: of the stages; the output channels are width times the block's expansion.
        stem_width: channels of the stem.
        c_in: channels of the input.
        num_classes: number of logits.
        block: see resexp.models.blocks.BlockKind.
        parts: see resexp.models.parts.Parts; NoShortcut makes the network plain.
        stem: (parts, c_in, channels) -> first layer, pooling.
        stem_norm: whether the stem has a normalization before its activation.
        entry: of the first block, see resexp.models.blocks.ENTRIES; with `none` the stem is activated.
        shared: share convolutions among all blocks of a stage but the first; normalizations are not
            shared.
    Raises:
        ValueError: branches that are dropped, without shortcuts, or an unknown entry.
    """

    def __init__(
        self,
        stages: Sequence[int],
        *,
        widths: Sequence[int],
        stem_width: int,
        c_in: int,
        num_classes: int,
        block: BlockKind,
        parts: Parts,
        stem: Callable[..., tuple[nn.Module, nn.Module]] = small_stem,
        stem_norm: bool = True,
        entry: str = "both",
        shared: bool = False,
    ):
        super().__init__()
        if entry not in ENTRIES:
            raise ValueError(f"model.entry must be one of {', '.join(ENTRIES)}, got {entry}")
        first, pool = stem(parts, c_in, stem_width)
        norms = [parts.norm(stem_width)] if stem_norm else []
        ending = [*norms, parts.activation(stem_width)] if block.activates_stem or entry == "none" else []
        self.stem = nn.Sequential(first, *ending, pool)
        channels = parts.activated(stem_width) if ending else stem_width
        places = [
            (width, 2 if stage > 0 and index == 0 else 1, shared and index > 1)
            for stage, (count, width) in enumerate(zip(stages, widths, strict=True))
            for index in range(count)
        ]
        self.blocks = nn.ModuleList()
        for (width, stride, repeats), branch in zip(places, parts.branch(sum(stages)), strict=True):
            where = "branch" if self.blocks else entry
            made = block(parts, channels, width * block.expansion, stride, entry=where)
            made.branch = _fitting(branch, parts)
            if repeats:
                _share_weights(self.blocks[-1], made)
            self.blocks.append(made)
            channels = made.channels
        tail = self.blocks[-1].tail
        self.tail = tail() if tail else nn.Identity()
        self.head = nn.Linear(parts.activated(channels) if tail else channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(pooled(self.features(x)))

    def start(self, x: Tensor) -> Tensor:
        """Input of the first block."""
        return self.stem(as_images(x))

    def features(self, x: Tensor) -> Tensor:
        """What global average pooling receives."""
        x = self.start(x)
        for block in self.blocks:
            x = block(x)
        return self.tail(x)

    def finish(self, x: Tensor) -> Tensor:
        """Logits, given the output of the last block."""
        return self.head(pooled(self.tail(x)))


def _share_weights(source: nn.Module, target: nn.Module) -> None:
    """Make `target`, of the same architecture, share the convolution weights of `source`."""
    for own, other in zip(source.modules(), target.modules(), strict=True):
        if isinstance(own, nn.Conv2d | nn.Linear):
            other.weight, other.bias = own.weight, own.bias


def pooled(x: Tensor) -> Tensor:
    """Global average pooling: (batch, channels, ...) -> (batch, channels)."""
    if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last):
        return x.movedim(1, -1).mean(dim=(1, 2))  # so that the gradient is channels last, too
    return x.mean(dim=tuple(range(2, x.dim()))) if x.dim() > 2 else x


def _fitting(branch: nn.Module, parts: Parts) -> nn.Module:
    """The same; ValueError where it would drop the only path through a block."""
    if parts.without_shortcuts and not isinstance(branch, nn.Identity):
        raise ValueError(
            "branch=stochastic_depth and branch=drawn drop residual branches and therefore need"
            " shortcuts: use a shortcut other than none, or omit it"
        )
    return branch


def resnet(
    depth: int,
    *,
    width: int,
    c_in: int,
    num_classes: int,
    block: BlockKind,
    parts: Parts,
    shared: bool = False,
) -> ResNet:
    """Three stages of n blocks with widths w, 2w and 4w, for small images and sequences.

    Args:
        depth: weight layers without shortcuts: 6n + 2 for blocks of two layers, 9n + 2 for
            bottlenecks.
        width: of the first stage and the stem.
        c_in, num_classes, block, parts, shared: as in ResNet.
    Raises:
        ValueError: unsupported depth.
    Source: He et al. 2015 (arXiv:1512.03385), section 4.2. Departures: none for dims=2; dims=1 is
    the same network for sequences. shared: Liao and Poggio 2016 (arXiv:1604.03640), with
    time-specific batch normalization.
    """
    return ResNet(
        [blocks_per_stage(depth, block.depth)] * STAGES,
        widths=[width, 2 * width, 4 * width],
        stem_width=width,
        c_in=c_in,
        num_classes=num_classes,
        block=block,
        parts=parts,
        shared=shared,
    )


def plain(
    depth: int,
    *,
    width: int,
    c_in: int,
    num_classes: int,
    block: BlockKind,
    parts: Parts,
    shared: bool = False,
) -> ResNet:
    """The network `resnet` without shortcuts (He et al. 2015, figure 6, left).

    Raises:
        ValueError: a shortcut other than NoShortcut, stochastic depth, or unsupported depth.
    """
    parts.refuse_shortcuts("plain")
    sizes = {"width": width, "c_in": c_in, "num_classes": num_classes}
    return resnet(depth, **sizes, block=block, parts=parts, shared=shared)
