"""Shortcut connections: classes of (c_in, c_out, stride) that combine the input with the residual branch."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resexp.models.stochastic import Dropout


class NoShortcut(nn.Module):
    """No shortcut: returns the branch only, which makes a network plain."""

    def __init__(self, c_in: int, c_out: int, stride: int, **parts: Callable[..., nn.Module]):
        super().__init__()

    def forward(self, x: Tensor, transformed: Tensor) -> Tensor:
        return transformed


class ZeroPad(nn.Module):
    """Identity shortcut; subsampled and zero-padded where shapes change (option A).

    Raises:
        ValueError: c_out is smaller than c_in.
    Source: He et al. 2015, section 4.1, option A; parameter-free. The zero channels are appended at the
    end; the paper does not specify their position.
    """

    def __init__(self, c_in: int, c_out: int, stride: int, **parts: Callable[..., nn.Module]):
        super().__init__()
        if c_out < c_in:
            raise ValueError(
                f"zero-padding needs c_out >= c_in, got c_in={c_in} and c_out={c_out};"
                " use shortcut=projection"
            )
        self.stride, self.before, self.after = stride, 0, c_out - c_in

    def forward(self, x: Tensor, transformed: Tensor) -> Tensor:
        return self.identity(x) + transformed

    def identity(self, x: Tensor) -> Tensor:
        """The input, subsampled and zero-padded to the shape of the branch's output."""
        if not (self.stride > 1 or self.before or self.after):
            return x
        steps, added = [slice(None, None, self.stride)] * (x.dim() - 2), [self.before, self.after]
        if _channels_last_images(x):
            return F.pad(x.movedim(1, -1)[:, *steps], added).movedim(-1, 1)
        return F.pad(x[..., *steps], [0, 0] * len(steps) + added)


def _channels_last_images(x: Tensor) -> bool:
    """Whether x is cut and padded as (batch, height, width, channels).

    A gradient gets the order of axes in which its input was cut. In another one than the activations' the
    backward passes of ReLU and of sums are four times slower. The values are the same; not so for sequences,
    whose outputs are channels first here, which the rounding of all later layers depends on.
    """
    return x.dim() == 4 and x.shape[2] > 1 and x.is_contiguous(memory_format=torch.channels_last)


class ZeroPadBoth(ZeroPad):
    """As ZeroPad, with half of the zero channels before and half after those of the input.

    Source: akamaster/pytorch_resnet_cifar10, resnet.py, option A; needed for weights trained there.
    """

    def __init__(self, c_in: int, c_out: int, stride: int, **parts: Callable[..., nn.Module]):
        super().__init__(c_in, c_out, stride)
        self.before = (c_out - c_in) // 2
        self.after = c_out - c_in - self.before


class Projection(nn.Module):
    """Projection shortcut: 1x1 convolution and normalization.

    Args:
        everywhere: in every block (option C); otherwise only where shapes change (option B).
        conv, norm: see resexp.models.parts.Parts; pre-activation blocks pass no normalization.
    Source: He et al. 2015, section 4.1. Option C is also the "1x1 conv shortcut" of He et al. 2016,
    table 1.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        everywhere: bool,
        conv: Callable[..., nn.Module],
        norm: Callable[[int], nn.Module],
    ):
        super().__init__()
        if everywhere or stride > 1 or c_in != c_out:
            self.projection = nn.Sequential(conv(c_in, c_out, stride, kernel_size=1), norm(c_out))
        else:
            self.projection = nn.Identity()

    def forward(self, x: Tensor, transformed: Tensor) -> Tensor:
        return self.projection(x) + transformed


class Scaled(ZeroPad):
    """Constant scaling of shortcut and branch (He et al. 2016, section 3.1).

    Args:
        shortcut_scale, branch_scale: 1/sqrt(2) for both preserves the variance (UDL 11.4.3).
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        shortcut_scale: float,
        branch_scale: float,
        **parts: Callable[..., nn.Module],
    ):
        super().__init__(c_in, c_out, stride)
        self.shortcut_scale, self.branch_scale = shortcut_scale, branch_scale

    def forward(self, x: Tensor, transformed: Tensor) -> Tensor:
        return self.shortcut_scale * self.identity(x) + self.branch_scale * transformed


class Gated(ZeroPad):
    """Gated shortcut: (1 - g) * input + g * branch with g(x) = sigmoid(W x + b).

    Args:
        gate_bias: initial b; negative values open the shortcut.
        exclusive: weight the branch by g, as in highway networks; otherwise by 1.
        conv: builds W, a 1x1 convolution.
    Source: He et al. 2016 (arXiv:1603.05027), sections 3.2 and 3.3, "exclusive gating" and
    "shortcut-only gating"; Srivastava et al. 2015 (arXiv:1505.00387) with T = g. The paper does
    not say what happens where shapes change; here the input is zero-padded and the gate is strided.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        gate_bias: float,
        exclusive: bool,
        conv: Callable[..., nn.Module],
        **parts: Callable[..., nn.Module],
    ):
        super().__init__(c_in, c_out, stride)
        self.exclusive, self.gate_bias = exclusive, gate_bias
        self.gate = conv(c_in, c_out, stride, kernel_size=1, bias=True)

    def reset_bias(self) -> None:
        """Set b to gate_bias; called by initializations, which zero all biases."""
        nn.init.constant_(self.gate.bias, self.gate_bias)

    def weights(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of the shortcut and of the branch, for each channel and position."""
        gate = torch.sigmoid(self.gate(x))
        return 1 - gate, gate if self.exclusive else torch.ones_like(gate)

    def forward(self, x: Tensor, transformed: Tensor) -> Tensor:
        of_shortcut, of_branch = self.weights(x)
        branch = of_branch * transformed if self.exclusive else transformed
        return of_shortcut * self.identity(x) + branch


class DropoutShortcut(ZeroPad):
    """Dropout on the shortcut (He et al. 2016, section 3.5).

    Args:
        probability: dropout probability.
    Raises:
        ValueError: probability not in [0, 1).
    """

    def __init__(
        self, c_in: int, c_out: int, stride: int, *, probability: float, **parts: Callable[..., nn.Module]
    ):
        super().__init__(c_in, c_out, stride)
        if not 0 <= probability < 1:
            raise ValueError(f"shortcut.probability must lie in [0, 1), got {probability}")
        self.dropout = Dropout(probability)

    def forward(self, x: Tensor, transformed: Tensor) -> Tensor:
        return self.dropout(self.identity(x)) + transformed
