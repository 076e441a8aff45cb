"""FractalNet: deep networks without residual connections; columns of different depth, joined by averaging."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from resexp.models.parts import Parts, as_images, pool_if_it_fits
from resexp.models.resnet import pooled
from resexp.models.stochastic import Dropout, RandomLayer


class Column(RandomLayer):
    """Sample the column that global drop-path keeps: 0 is the deepest; -1: no global drop-path.

    Args:
        columns: number of columns.
        fraction: of batches with global drop-path.
    """

    def __init__(self, columns: int, fraction: float):
        super().__init__()
        self.columns, self.fraction = columns, fraction

    def forward(self, device: torch.device) -> Tensor:
        if not self.training:
            return torch.full((), -1, device=device)  # no copy from the host
        chance, place = torch.rand(2, device=device, generator=self.generator)
        return torch.where(chance < self.fraction, (place * self.columns).long(), -1)


class Join(RandomLayer):
    """Mean of the kept paths; of all paths in evaluation mode.

    If a column is given, only its path is kept (global drop-path). Otherwise each path is dropped with
    probability drop_path, but at least one is kept (local drop-path).
    """

    def __init__(self, drop_path: float):
        super().__init__()
        self.drop_path = drop_path

    def forward(self, paths: Sequence[Tensor], column: Tensor) -> Tensor:
        stacked = torch.stack(list(paths))
        if not self.training:
            return stacked.mean(dim=0)
        draws = torch.rand(len(paths), device=stacked.device, generator=self.generator)
        kept = (draws >= self.drop_path) | (draws == draws.max())
        # paths are sorted from shallow to deep; the kept column may not pass through this join
        own = torch.arange(len(paths) - 1, -1, -1, device=stacked.device) == column
        kept = torch.where(own.any(), own, kept)
        weights = kept.to(stacked.dtype) / kept.sum()
        return (stacked * weights.view(-1, *[1] * paths[0].dim())).sum(dim=0)


class Fractal(nn.Module):
    """f_C(x) = join(f_{C-1}(f_{C-1}(x)), f_1(x)), where f_1 is a single convolution.

    forward returns the paths before the final join.
    """

    def __init__(
        self, parts: Parts, columns: int, c_in: int, channels: int, *, drop_path: float, dropout: float
    ):
        super().__init__()
        weight = parts.conv(c_in, channels)
        self.short = nn.Sequential(weight, Dropout(dropout), parts.norm(channels), parts.activation(channels))
        c_mid = parts.activated(channels)
        if columns > 1:
            drops = {"drop_path": drop_path, "dropout": dropout}
            self.first = Fractal(parts, columns - 1, c_in, channels, **drops)
            self.join = Join(drop_path)
            self.second = Fractal(parts, columns - 1, c_mid, channels, **drops)
        self.columns = columns

    def forward(self, x: Tensor, column: Tensor) -> list[Tensor]:
        paths = [self.short(x)]
        if self.columns > 1:
            paths += self.second(self.join(self.first(x, column), column), column)
        return paths


class FractalNet(nn.Module):
    """Fractal blocks, each max-pooled before its final join; global average pooling, classifier.

    Input and output as in ResNet.

    Args:
        depth: weight layers of the deepest path: blocks times 2^(columns - 1).
        columns: C, per block.
        widths: channels of each block.
        drop_path: probability of dropping a path at a join (local drop-path).
        global_drop_path: fraction of batches in which a single column is kept instead.
        dropout: in the last block, after each convolution; increases linearly from 0 in the first.
        c_in, num_classes, parts: as in ResNet.
    Raises:
        ValueError: shortcuts; unsupported depth; drop_path or dropout not in [0, 1); global_drop_path
            not in [0, 1].
    Source: Larsson et al. 2017 (arXiv:1605.07648), sections 2 to 4: five blocks, three or four
    columns, local drop-path 0.15 in half of the batches and global in the other half, dropout 0, 0.1,
    ..., 0.4. Widths and the placement of dropout and pooling: the authors' code
    (github.com/gustavla/fractalnet). Departure: normalization has a learned scale and shift, as in all
    networks here; the authors' convolutions have biases instead.
    """

    def __init__(
        self,
        depth: int,
        *,
        columns: int,
        widths: Sequence[float],
        drop_path: float,
        global_drop_path: float,
        dropout: float,
        c_in: int,
        num_classes: int,
        parts: Parts,
    ):
        super().__init__()
        parts.refuse_shortcuts("fractal")
        deepest = len(widths) * 2 ** (columns - 1)
        if depth != deepest:
            raise ValueError(
                f"model.depth must be {deepest} for {len(widths)} blocks of {columns} columns, got {depth};"
                " set model.columns and the length of model.widths"
            )
        for name, value in (("drop_path", drop_path), ("dropout", dropout)):
            if not 0 <= value < 1:
                raise ValueError(f"model.{name} must lie in [0, 1), got {value}")
        if not 0 <= global_drop_path <= 1:
            raise ValueError(f"model.global_drop_path must lie in [0, 1], got {global_drop_path}")
        self.column = Column(columns, global_drop_path)
        self.stem = nn.Identity()
        self.blocks = nn.ModuleList()
        channels = c_in
        for index, width in enumerate(widths):
            here = dropout * index / max(len(widths) - 1, 1)
            fractal = Fractal(parts, columns, channels, int(width), drop_path=drop_path, dropout=here)
            self.blocks.append(_Pooled(fractal, parts.pool("Max", 2, 2), Join(drop_path)))
            channels = parts.activated(int(width))
        self.head = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x, column = self.stem(as_images(x)), self.column(x.device)
        for block in self.blocks:
            x = block(x, column)
        return self.head(pooled(x))


class _Pooled(nn.Module):
    def __init__(self, fractal: Fractal, pool: nn.Module, join: Join):
        super().__init__()
        self.fractal, self.pool, self.join = fractal, pool, join

    def forward(self, x: Tensor, column: Tensor) -> Tensor:
        return self.join([pool_if_it_fits(self.pool, path) for path in self.fractal(x, column)], column)
