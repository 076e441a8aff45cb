"""VGG, and the conversion of its fully connected layers to convolutions."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from resexp.models.parts import Parts, as_images, pool_if_it_fits
from resexp.models.stochastic import Dropout

# Convolutions of each stage (Simonyan and Zisserman 2015, table 1, columns A, B, D and E).
STAGE_LAYERS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class _PoolIfItFits(nn.Module):
    def __init__(self, pool: nn.Module):
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        return pool_if_it_fits(self.pool, x)


class VGG(nn.Module):
    """Stages of 3x3 convolutions, each followed by max-pooling, then fully connected layers.

    Input (batch, c_in, height, width) for dims=2, (batch, c_in, length) for dims=1; output logits
    (batch, num_classes).

    Args:
        depth: weight layers of the published network: 11, 13, 16 or 19.
        width: channels of the first stage; doubled in each of the next three stages.
        hidden: units of the two hidden fully connected layers; 0: only global average pooling and a linear
            classifier, as is common for small images.
        positions: side length of the feature map that the fully connected layers receive, 7 in the paper.
        dropout: after each hidden layer.
        c_in, num_classes, parts: as in ResNet.
    Raises:
        ValueError: unsupported depth, or shortcuts.
    Source: Simonyan and Zisserman 2015 (arXiv:1409.1556), table 1; with batch normalization as in
    torchvision's vgg*_bn.
    """

    def __init__(
        self,
        depth: int,
        *,
        width: int,
        hidden: int,
        positions: int,
        dropout: float,
        c_in: int,
        num_classes: int,
        parts: Parts,
    ):
        super().__init__()
        parts.refuse_shortcuts("vgg")
        if depth not in STAGE_LAYERS:
            raise ValueError(f"model.depth must be one of {', '.join(map(str, STAGE_LAYERS))}, got {depth}")
        self.stem, self.blocks = nn.Identity(), nn.ModuleList()
        channels = c_in
        for stage, count in enumerate(STAGE_LAYERS[depth]):
            layers, wide = [], width << min(stage, 3)
            for _ in range(count):
                layers += [parts.conv(channels, wide, bias=True), parts.norm(wide), parts.activation(wide)]
                channels = parts.activated(wide)
            self.blocks.append(nn.Sequential(*layers, _PoolIfItFits(parts.pool("Max", 2, 2))))
        side = positions if hidden else 1
        self.pool = nn.AdaptiveAvgPool2d((1 if parts.dims == 1 else side, side))
        features = channels * positions**parts.dims if hidden else channels
        fully_connected: list[nn.Module] = []
        for _ in range(2 if hidden else 0):
            fully_connected += [nn.Linear(features, hidden), parts.activation(hidden), Dropout(dropout)]
            features = parts.activated(hidden)
        self.head = nn.Sequential(*fully_connected, nn.Linear(features, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.finish(self.features(x))

    def start(self, x: Tensor) -> Tensor:
        """What the first layer receives."""
        return self.stem(as_images(x))

    def finish(self, x: Tensor) -> Tensor:
        """Logits, of the last layer's output."""
        return self.head(self.pool(x).flatten(1))

    def links(self) -> list[nn.Module]:
        """The convolutions in their order, each with what follows it up to the next."""
        found = []
        for *layers, pool in self.blocks:
            found += [nn.Sequential(*layers[at : at + 3]) for at in range(0, len(layers), 3)]
            found[-1].append(pool)
        return found

    def features(self, x: Tensor) -> Tensor:
        """Output of the last stage."""
        x = self.start(x)
        for block in self.blocks:
            x = block(x)
        return x


def as_convolutions(head: nn.Sequential, shape: Sequence[int]) -> nn.Sequential:
    """Convert a fully connected head to convolutions, to apply it densely to larger feature maps.

    The first layer becomes a convolution whose kernel has the size of the head's input, the others become
    1x1 convolutions. The output at each position is the head's output for the window at this position.

    Args:
        head: linear layers, activations and dropout; its input is a feature map of `shape`, flattened.
        shape: (channels, height, width) or (channels, length).
    Raises:
        ValueError: the first layer's input features do not match `shape`.
    Source: Long et al. 2015 (arXiv:1411.4038), section 3.1; UDL section 11.5.3.
    """
    channels, *size = shape
    kind = {1: nn.Conv1d, 2: nn.Conv2d}[len(size)]
    layers, first = [], True
    for module in head:
        if not isinstance(module, nn.Linear):
            layers.append(copy.deepcopy(module))
            continue
        kernel = tuple(size) if first else 1
        c_in = channels if first else module.in_features
        if first and module.in_features != torch.Size(shape).numel():
            raise ValueError(
                f"the head has {module.in_features} input features, but shape {tuple(shape)} has"
                f" {torch.Size(shape).numel()}"
            )
        layer = kind(c_in, module.out_features, kernel, bias=module.bias is not None)
        with torch.no_grad():
            layer.weight.copy_(module.weight.view_as(layer.weight))
            if module.bias is not None:
                layer.bias.copy_(module.bias)
        layers.append(layer)
        first = False
    return nn.Sequential(*layers)
