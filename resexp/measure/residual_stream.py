"""The simplest residual network: one layer per block (UDL figure 11.6)."""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

THREE = {"kernel_size": 3, "padding": 1}


class Branch(nn.Module):
    """h' = sum_scale (h + branch_scale last(W relu(first(h))))."""

    def __init__(
        self, layer: nn.Module, first: nn.Module, last: nn.Module, *, branch_scale: float, sum_scale: float
    ):
        super().__init__()
        self.first, self.activation, self.layer, self.last = first, nn.ReLU(), layer, last
        self.branch_scale, self.sum_scale = branch_scale, sum_scale

    def branch(self, h: Tensor) -> Tensor:
        """The term that is added to the stream."""
        return self.branch_scale * self.last(self.layer(self.activation(self.first(h))))

    def forward(self, h: Tensor) -> Tensor:
        return self.sum_scale * (h + self.branch(h))


class ResidualStream(nn.Module):
    """A first layer, then blocks of one layer each with constant width; no output layer.

    Input (batch, c_in) for dims=0 (fully connected), (batch, c_in, length) for 1 and
    (batch, c_in, height, width) for 2 (3x3 convolutions); output of the same shape with `width`
    channels. Weights have variance 2 / fan_in in the blocks (He et al. 2015b) and 1 / fan_in in the
    first layer, which is not preceded by a ReLU; there are no biases.

    Args:
        depth: number of blocks.
        width: units or channels.
        dims: 0, 1 or 2.
        c_in: features or channels of the input.
        first: channels -> normalization at the start of each branch.
        last: channels -> normalization at the end of each branch.
        branch_scale: multiplies each branch; null: 1 / sqrt(depth).
        sum_scale: multiplies each sum.
        zero_gamma: initialize the scale of the last normalization to zero.
    Raises:
        ValueError: depth below 1, or zero_gamma without a learned scale at the end of the branch.
    Source: UDL section 11.4.3 and figure 11.6; notebook 11.3. zero_gamma: Goyal et al. 2017,
    section 5.1; branch_scale 0: SkipInit (De and Smith 2020); 1 / sqrt(depth): derived both in the
    analysis of SkipInit and in Fixup (Zhang et al. 2019, for two-layer branches).
    """

    def __init__(
        self,
        depth: int,
        *,
        width: int,
        dims: int,
        c_in: int,
        first: Callable[[int], nn.Module],
        last: Callable[[int], nn.Module],
        branch_scale: float | None,
        sum_scale: float,
        zero_gamma: bool,
    ):
        super().__init__()
        if depth < 1:
            raise ValueError(f"model.depth must be at least 1, got {depth}")
        scale = depth**-0.5 if branch_scale is None else branch_scale
        self.stem = self._layer(dims, c_in, width, gain=1)
        self.blocks = nn.ModuleList(
            Branch(
                self._layer(dims, width, width, gain=2),
                first(width),
                last(width),
                branch_scale=scale,
                sum_scale=sum_scale,
            )
            for _ in range(depth)
        )
        if zero_gamma:
            for block in self.blocks:
                if getattr(block.last, "weight", None) is None:
                    raise ValueError(
                        "model.zero_gamma needs a normalization with a learned scale at the end of the branch"
                    )
                nn.init.zeros_(block.last.weight)

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x)
        for block in self.blocks:
            h = block(h)
        return h

    @staticmethod
    def _layer(dims: int, c_in: int, c_out: int, *, gain: int) -> nn.Module:
        layer = {0: nn.Linear, 1: partial(nn.Conv1d, **THREE), 2: partial(nn.Conv2d, **THREE)}[dims](
            c_in, c_out, bias=False
        )
        nn.init.normal_(layer.weight, std=(gain / layer.weight[0].numel()) ** 0.5)
        return layer
