"""Densely connected networks: each layer receives the outputs of all preceding layers."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from resexp.models.imagenet import imagenet_stem
from resexp.models.layers import Layer
from resexp.models.parts import Parts, as_images
from resexp.models.resnet import pooled, small_stem
from resexp.models.stochastic import Dropout

# Layers of each dense block for images of 224x224 (Huang et al. 2017, table 1).
IMAGENET_BLOCKS = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32), 161: (6, 12, 36, 24)}


class WithInput(nn.Module):
    """Concatenation of the input and its transform."""

    def __init__(self, transform: nn.Module):
        super().__init__()
        self.transform = transform

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.transform(x)], dim=1)


class DenseLayer(WithInput):
    """norm-act-conv, preceded by norm-act-conv1x1 with a bottleneck; concatenated with its input.

    Dropout follows each convolution.
    """

    def __init__(self, parts: Parts, c_in: int, growth: int, *, bottleneck: bool, dropout: float):
        layers = [Layer(4 * growth, kernel_size=1)] if bottleneck else []
        layers.append(Layer(growth))
        modules, channels = [], c_in
        for layer in layers:
            modules += [parts.norm(channels), parts.activation(channels)]
            modules += [parts.weight_layer(layer, parts.activated(channels)), *_dropout(dropout)]
            channels = layer.channels
        super().__init__(nn.Sequential(*modules))
        if hasattr(first := modules[1], "inplace"):
            first.inplace = False  # with norm=none it would modify the input, which is concatenated
        self.channels = c_in + growth


class DenseNet(nn.Module):
    """Stem, dense blocks with transitions in between, global average pooling, classifier.

    Input and output as in ResNet; parameters are registered in the order of the forward pass.

    Args:
        counts: layers of each dense block.
        growth: growth rate k, the channels added per layer.
        stem_width: channels of the stem.
        bottleneck: a 1x1 convolution to 4k channels before each 3x3 one (DenseNet-B).
        compression: theta, the fraction of channels kept by a transition.
        dropout: after each convolution but the first; 0.2 in the paper without augmentation.
        keep_input: concatenate the stem's output to its input, so that all layers receive the input.
        c_in, num_classes, parts, stem: as in ResNet.
    Raises:
        ValueError: compression not in (0, 1], dropout not in [0, 1), or shortcuts.
    Source: Huang et al. 2017 (arXiv:1608.06993), sections 3 and 4.2. keep_input: UDL figure 11.9, where
    layers of 32 channels extend the 3 channels of an image to 35 and 67.
    """

    def __init__(
        self,
        counts: Sequence[int],
        *,
        growth: int,
        stem_width: int,
        bottleneck: bool,
        compression: float,
        dropout: float,
        c_in: int,
        num_classes: int,
        parts: Parts,
        stem: Callable[..., tuple[nn.Module, nn.Module]] = small_stem,
        keep_input: bool = False,
    ):
        super().__init__()
        parts.refuse_shortcuts("densenet")
        if not 0 <= dropout < 1:
            raise ValueError(f"model.dropout must lie in [0, 1), got {dropout}")
        if not 0 < compression <= 1:
            raise ValueError(f"model.compression must lie in (0, 1], got {compression}")
        first, pool = stem(parts, c_in, stem_width)
        strided = not isinstance(pool, nn.Identity)  # only the ImageNet stem has a norm
        ending = [parts.norm(stem_width), parts.activation(stem_width)] if strided else []
        self.stem = nn.Sequential(first, *ending, pool)
        channels = parts.activated(stem_width) if strided else stem_width
        if keep_input:
            self.stem, channels = WithInput(self.stem), c_in + channels
        self.blocks = nn.ModuleList()
        for number, count in enumerate(counts):
            layers = []
            for _ in range(count):
                layers.append(DenseLayer(parts, channels, growth, bottleneck=bottleneck, dropout=dropout))
                channels = layers[-1].channels
            self.blocks.append(nn.Sequential(*layers))
            if number < len(counts) - 1:
                kept = int(channels * compression)
                self.blocks.append(transition(parts, channels, kept, dropout))
                channels = kept
        self.tail = nn.Sequential(parts.norm(channels), parts.activation(channels))
        self.head = nn.Linear(parts.activated(channels), num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(as_images(x))
        for block in self.blocks:
            x = block(x)
        return self.head(pooled(self.tail(x)))


def transition(parts: Parts, c_in: int, c_out: int, dropout: float) -> nn.Sequential:
    """norm-act-conv1x1, dropout, 2x average pooling."""
    weight = parts.conv(parts.activated(c_in), c_out, kernel_size=1)
    pool = parts.pool("Avg", 2, 2)
    return nn.Sequential(parts.norm(c_in), parts.activation(c_in), weight, *_dropout(dropout), pool)


def _dropout(probability: float) -> list[nn.Module]:
    return [Dropout(probability)] if probability else []


def densenet(
    depth: int,
    *,
    growth: int,
    bottleneck: bool,
    compression: float,
    dropout: float,
    c_in: int,
    num_classes: int,
    parts: Parts,
    keep_input: bool = False,
) -> DenseNet:
    """Three equal dense blocks for small images and sequences.

    Args:
        depth: weight layers: 3n + 4, with bottlenecks 6n + 4.
        growth, bottleneck, compression, dropout, c_in, num_classes, parts: as in DenseNet. The
            stem has 16 channels, or 2k with bottlenecks and compression.
        keep_input: as in DenseNet; the stem is then a layer of k channels like all others.
    Raises:
        ValueError: unsupported depth.
    """
    step = 6 if bottleneck else 3
    count, rest = divmod(depth - 4, step)
    if count < 1 or rest:
        raise ValueError(f"model.depth must be {step}n+4 ({step + 4}, {2 * step + 4}, ...), got {depth}")
    compressed = bottleneck and compression < 1
    return DenseNet(
        [count] * 3,
        growth=growth,
        stem_width=growth if keep_input else 2 * growth if compressed else 16,
        bottleneck=bottleneck,
        compression=compression,
        dropout=dropout,
        c_in=c_in,
        num_classes=num_classes,
        parts=parts,
        keep_input=keep_input,
    )


def imagenet(
    depth: int, *, growth: int, stem_width: int, dropout: float, c_in: int, num_classes: int, parts: Parts
) -> DenseNet:
    """DenseNet-BC for images of 224x224 (table 1): growth 32 and stem 64, or 48 and 96 for 161 layers.

    Raises:
        ValueError: unsupported depth.
    """
    if depth not in IMAGENET_BLOCKS:
        raise ValueError(f"model.depth must be one of {', '.join(map(str, IMAGENET_BLOCKS))}, got {depth}")
    return DenseNet(
        IMAGENET_BLOCKS[depth],
        growth=growth,
        stem_width=stem_width,
        bottleneck=True,
        compression=0.5,
        dropout=dropout,
        c_in=c_in,
        num_classes=num_classes,
        parts=parts,
        stem=imagenet_stem,
    )
