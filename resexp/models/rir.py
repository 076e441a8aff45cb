"""ResNet in ResNet (RiR): parallel residual and transient streams."""

import torch
from torch import Tensor, nn

from resexp.models.orders import no_norm
from resexp.models.parts import Parts, as_images
from resexp.models.resnet import pooled

STAGES = (4, 6, 6)  # blocks


class GeneralizedBlock(nn.Module):
    """r' = act(norm(W_rr r + W_tr t + shortcut(r))), t' = act(norm(W_rt r + W_tt t)).

    The residual stream r has a shortcut, as a residual block of one layer; the transient stream t has none,
    as a plain layer. With W_tr = W_rt = 0 they are a residual and a plain network in parallel.

    Args:
        parts: the shortcut is used in the residual stream only.
        c_in, channels: of each stream.
        stride: of the block.
    """

    def __init__(self, parts: Parts, c_in: int, channels: int, stride: int):
        super().__init__()
        # from (r, t) to r and from (r, t) to t; convolutions of concatenated streams are sums of convolutions
        self.to_residual = parts.conv(2 * c_in, channels, stride)
        self.to_transient = parts.conv(2 * c_in, channels, stride)
        self.shortcut = parts.shortcut(c_in, channels, stride, conv=parts.conv, norm=no_norm)
        self.ends = nn.ModuleList(
            nn.Sequential(parts.norm(channels), parts.activation(channels)) for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        residual = self.shortcut(x.chunk(2, dim=1)[0], self.to_residual(x))
        return torch.cat([self.ends[0](residual), self.ends[1](self.to_transient(x))], dim=1)


class RiR(nn.Module):
    """Two streams through three stages of blocks, a 1x1 convolution to the classes, global average pooling.

    Input and output as in ResNet. Both streams are concatenated in one tensor, the residual one first.

    Args:
        depth: weight layers, 18.
        width: channels of each stream in the first stage, 48 in the paper's wide network.
        c_in, num_classes, parts: as in ResNet.
    Raises:
        ValueError: another depth, no shortcut, stochastic depth, or activation=crelu.
    Source: Targ et al. 2016 (arXiv:1603.08029), sizes as in osmr/imgclsmob, rir_cifar.py. Departures:
    none with shortcut=projection, whose normalization is omitted here, since the sum is normalized.
    """

    def __init__(self, depth: int, *, width: int, c_in: int, num_classes: int, parts: Parts):
        super().__init__()
        if depth != sum(STAGES) + 2:
            raise ValueError(f"model.depth must be {sum(STAGES) + 2}, got {depth}")
        if parts.without_shortcuts:
            raise ValueError("model=rir needs a shortcut: omit shortcut=none, or use model=plain")
        parts.refuse_branches("rir")
        if parts.activated(1) != 1:
            raise ValueError("model=rir needs an activation that keeps the number of channels, not crelu")
        self.stem = nn.Sequential(
            parts.conv(c_in, 2 * width), parts.norm(2 * width), parts.activation(2 * width)
        )
        self.blocks, channels = nn.ModuleList(), width
        for stage, count in enumerate(STAGES):
            for index in range(count):
                stride = 2 if stage and not index else 1
                self.blocks.append(GeneralizedBlock(parts, channels, width << stage, stride))
                channels = width << stage
        self.head = nn.Sequential(
            parts.conv(2 * channels, num_classes, kernel_size=1), parts.norm(num_classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(as_images(x))
        for block in self.blocks:
            x = block(x)
        return pooled(self.head(x))
