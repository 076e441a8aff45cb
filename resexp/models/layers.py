"""The weight layers of a residual branch, without normalizations and activations.

A branch is a list of `Layer`; the block's order (resexp.models.orders) adds normalizations and
activations.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One convolution of a branch.

    Args:
        channels: of the output.
        stride: 1 or 2.
        kernel_size: None: the network's default.
        groups: as in nn.Conv2d.
        dropout: dropout probability after the activation that follows.
    """

    channels: int
    stride: int = 1
    kernel_size: int | None = None
    groups: int = 1
    dropout: float = 0.0


@dataclass(frozen=True)
class Basic:
    """Convolutions of equal width, the first one strided (He et al. 2015, figure 5, left).

    Args:
        count: number of convolutions; two in the paper.
        dropout: probability, after the activation of each convolution but the last, i.e. directly
            before the next one (Zagoruyko and Komodakis 2016, section 2.4 and figure 1d, and the
            authors' code).
        expansion: output channels relative to the stage's width.
    Raises:
        ValueError: count or expansion below 1, dropout not in [0, 1), or dropout with a single layer.
    """

    count: int = 2
    dropout: float = 0.0
    expansion: int = 1

    def __post_init__(self):
        if self.count < 1:
            raise ValueError(f"block.layers.count must be at least 1, got {self.count}")
        if self.expansion < 1:
            raise ValueError(f"block.layers.expansion must be at least 1, got {self.expansion}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"block.layers.dropout must lie in [0, 1), got {self.dropout}")
        if self.dropout and self.count == 1:
            raise ValueError(
                "block.layers.dropout is applied between layers, but this block has only one: omit it"
            )

    def __call__(self, channels: int, stride: int) -> list[Layer]:
        strides = [stride, *[1] * (self.count - 1)]
        drops = [self.dropout] * (self.count - 1) + [0.0]
        return [Layer(channels, s, dropout=d) for s, d in zip(strides, drops, strict=True)]


@dataclass(frozen=True)
class Bottleneck:
    """Bottleneck of 1x1, 3x3 and 1x1 convolutions (He et al. 2015, figure 5, right).

    Args:
        expansion: output channels relative to the stage's width; four in the paper.
        width_factor: bottleneck channels relative to the stage's width: 2 in WRN-50-2; in ResNeXt
            cardinality times bottleneck width over the stage's width.
        groups: of the 3x3 convolution: ResNeXt's cardinality (Xie et al. 2017).
        stride_first: put the stride on the first 1x1 convolution, as published, instead of the 3x3
            one, as in torchvision and fb.resnet.torch.
    Raises:
        ValueError: expansion or groups below 1, or groups do not divide the bottleneck channels.
    """

    expansion: int = 4
    width_factor: float = 1.0
    groups: int = 1
    stride_first: bool = False
    count: int = 3

    def __post_init__(self):
        for name in ("expansion", "groups"):
            if getattr(self, name) < 1:
                raise ValueError(f"block.layers.{name} must be at least 1, got {getattr(self, name)}")

    def __call__(self, channels: int, stride: int) -> list[Layer]:
        middle = round(channels / self.expansion * self.width_factor)
        if middle < 1 or middle % self.groups:
            raise ValueError(
                f"block.layers.groups={self.groups} must divide the {middle} bottleneck channels,"
                " i.e. channels / expansion * block.layers.width_factor"
            )
        strides = (stride, 1) if self.stride_first else (1, stride)
        return [
            Layer(middle, strides[0], kernel_size=1),
            Layer(middle, strides[1], groups=self.groups),
            Layer(channels, kernel_size=1),
        ]
