"""Inception-v4: modules A, B and C, reductions, and the network composed of them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from resexp.models.parts import Parts
from resexp.models.resnet import pooled
from resexp.models.stochastic import Dropout

# A path is a sequence of steps: a convolution (channels, kernel size, stride), padded at stride 1 unless
# "valid"; "avg" or "max" pooling; or a list of paths, which are concatenated.
A = ([(96, 1, 1)], [(64, 1, 1), (96, 3, 1)], [(64, 1, 1), (96, 3, 1), (96, 3, 1)], ["avg", (96, 1, 1)])
REDUCTION_A = ([(384, 3, 2)], [(192, 1, 1), (224, 3, 1), (256, 3, 2)], ["max"])
B = (
    [(384, 1, 1)],
    [(192, 1, 1), (224, (1, 7), 1), (256, (7, 1), 1)],
    [(192, 1, 1), (192, (7, 1), 1), (224, (1, 7), 1), (224, (7, 1), 1), (256, (1, 7), 1)],
    ["avg", (128, 1, 1)],
)
REDUCTION_B = (
    [(192, 1, 1), (192, 3, 2)],
    [(256, 1, 1), (256, (1, 7), 1), (320, (7, 1), 1), (320, 3, 2)],
    ["max"],
)
SPLIT = [[(256, (1, 3), 1)], [(256, (3, 1), 1)]]
C = (
    [(256, 1, 1)],
    [(384, 1, 1), SPLIT],
    [(384, 1, 1), (448, (3, 1), 1), (512, (1, 3), 1), SPLIT],
    ["avg", (256, 1, 1)],
)
STEM = (
    [(32, 3, 2), (32, 3, 1, "valid"), (64, 3, 1), [["max"], [(96, 3, 2)]]],
    [
        [
            [(64, 1, 1), (96, 3, 1, "valid")],
            [(64, 1, 1), (64, (1, 7), 1), (64, (7, 1), 1), (96, 3, 1, "valid")],
        ]
    ],
    [[[(192, 3, 2)], ["max"]]],
)
COUNTS = (4, 7, 3)  # of modules A, B and C
DEPTH = 76  # weight layers on the longest path


class Paths(nn.Module):
    """Paths of convolutions, each followed by normalization and activation, and pooling; concatenated.

    Args:
        parts: for two dimensions.
        c_in: channels of the input.
        paths: see A.
    """

    def __init__(self, parts: Parts, c_in: int, paths: Sequence[Sequence]):
        super().__init__()
        made = [_path(parts, c_in, path) for path in paths]
        self.paths = nn.ModuleList(path for path, _ in made)
        self.channels = sum(channels for _, channels in made)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([path(x) for path in self.paths], dim=1)


def _path(parts: Parts, channels: int, steps: Sequence) -> tuple[nn.Sequential, int]:
    """A path, and the channels of its output."""
    modules: list[nn.Module] = []
    for step in steps:
        if step == "avg":
            modules.append(nn.AvgPool2d(3, 1, 1, count_include_pad=False))
        elif step == "max":
            modules.append(nn.MaxPool2d(3, 2))
        elif isinstance(step, list):
            modules.append(Paths(parts, channels, step))
            channels = modules[-1].channels
        else:
            width, size, stride, *valid = step
            size = size if isinstance(size, tuple) else (size, size)
            padding = 0 if valid or stride > 1 else tuple(s // 2 for s in size)
            convolution = nn.Conv2d(channels, width, size, stride, padding, bias=False)
            modules += [convolution, parts.norm(width), parts.activation(width)]
            channels = parts.activated(width)
    return nn.Sequential(*modules), channels


class InceptionV4(nn.Module):
    """Inception-v4: a stem, 4 modules A, 7 modules B and 3 modules C with reductions in between.

    Input (batch, c_in, height, width), at least 75 pixels wide; output logits (batch, num_classes).

    Args:
        depth: weight layers on the longest path through the network, 76.
        c_in, num_classes, parts: as in ResNet.
        dropout: before the classifier; 0.2 in the paper.
    Raises:
        ValueError: unsupported depth, sequences, or shortcuts.
    Source: Szegedy et al. 2017 (arXiv:1602.07261), figures 3 to 9, with the details of
    tensorflow/models, research/slim/nets/inception_v4.py. Departures: no auxiliary classifier; normalization
    has a learned scale.
    """

    def __init__(self, depth: int, *, dropout: float, c_in: int, num_classes: int, parts: Parts):
        super().__init__()
        parts.refuse_shortcuts("inception_v4")
        if parts.dims != 2:
            raise ValueError("model=inception_v4 needs images, with dataset=cifar10, imagefolder, ...")
        if depth != DEPTH:
            raise ValueError(f"model.depth must be {DEPTH}, got {depth}")
        self.blocks = nn.ModuleList()
        stages = [[A] * COUNTS[0], [REDUCTION_A], [B] * COUNTS[1], [REDUCTION_B], [C] * COUNTS[2]]
        stem, channels = [], c_in
        for steps in STEM:
            path, channels = _path(parts, channels, steps)
            stem.append(path)
        self.stem = nn.Sequential(*stem)
        for paths in (paths for stage in stages for paths in stage):
            self.blocks.append(Paths(parts, channels, paths))
            channels = self.blocks[-1].channels
        self.dropout, self.head = Dropout(dropout), nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(self.dropout(pooled(x)))
