"""Building blocks of all networks: convolutions in 0 to 2 dimensions, and the configurable parts."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from resexp.models.activations import channel_factor
from resexp.models.layers import Layer
from resexp.models.shortcuts import NoShortcut
from resexp.models.stochastic import always


def conv(
    dims: int, c_in: int, c_out: int, stride: int = 1, *, kernel_size: int = 3, groups: int = 1, bias: bool
) -> nn.Module:
    """A convolution over `dims` dimensions that preserves the size at stride 1.

    With 0 dimensions it is a fully connected layer, i.e. a convolution over a single position. Sequences are
    images of one row; see as_images.

    Raises:
        ValueError: groups > 1 in a fully connected layer.
    """
    if dims == 0:
        if groups > 1:
            raise ValueError("fully connected layers have no groups: omit block=grouped")
        return nn.Linear(c_in, c_out, bias=bias)
    if dims == 3:
        size = (kernel_size, stride, kernel_size // 2)
        return nn.Conv3d(c_in, c_out, *size, groups=groups, bias=bias)
    rows = (1, 1, 0) if dims == 1 else (kernel_size, stride, kernel_size // 2)
    sizes, strides, padding = zip(rows, (kernel_size, stride, kernel_size // 2), strict=True)
    return nn.Conv2d(c_in, c_out, sizes, strides, padding, groups=groups, bias=bias)


def as_images(x: Tensor) -> Tensor:
    """Reshape sequences (batch, channels, length) to images of one row; return images unchanged.

    torch has fast channels-last kernels for images, but not for sequences.
    """
    return x.unsqueeze(2) if x.dim() == 3 else x


def pool_if_it_fits(pool: nn.Module, x: Tensor) -> Tensor:
    """Apply the pooling, unless x is smaller than its window."""
    fits = all(size >= kernel for size, kernel in zip(x.shape[2:], pool.kernel_size, strict=True))
    return pool(x) if fits else x


def _normalization(make: Callable[[int], nn.Module], channels: int) -> nn.Module:
    """A normalization layer, marked as one for initializations and measurements."""
    layer = make(channels)
    layer.normalizes = not isinstance(layer, nn.Identity)
    return layer


def _activation(make: Callable[..., nn.Module], channels: int) -> nn.Module:
    """An activation layer, marked as one for initializations and measurements."""
    layer = make(channels) if getattr(getattr(make, "func", make), "per_channel", False) else make()
    layer.activates = True
    return layer


_activation.per_channel = True  # so that Parts can be built from the fields of other Parts


@dataclass(frozen=True)
class Parts:
    """The parts of a network, independent of its size.

    Args:
        dims: 3 for volumes, 2 for images, 1 for sequences, 0 for vectors; see conv.
        norm: channels -> normalization layer.
        activation: () -> activation layer, or channels -> activation layer if it has `per_channel`.
            The attribute of Parts takes the number of channels in both cases.
        shortcut: (c_in, c_out, stride, conv=, norm=) -> module of (x, F(x)).
        branch: number of blocks -> for each block the module applied to the output of its residual branch.
        kernel_size: default of convolutions; odd.
        bias: whether convolutions have a bias by default.
    """

    dims: int
    norm: Callable[[int], nn.Module]
    activation: Callable[..., nn.Module]
    shortcut: Callable[..., nn.Module]
    branch: Callable[[int], list[nn.Module]] = always
    kernel_size: int = 3
    bias: bool = False

    def __post_init__(self):
        object.__setattr__(self, "norm", partial(_normalization, self.norm))
        object.__setattr__(self, "activation", partial(_activation, self.activation))

    def conv(
        self,
        c_in: int,
        c_out: int,
        stride: int = 1,
        *,
        kernel_size: int | None = None,
        groups: int = 1,
        bias: bool | None = None,
    ) -> nn.Module:
        """A convolution that preserves the size at stride 1."""
        size, bias = kernel_size or self.kernel_size, self.bias if bias is None else bias
        return conv(self.dims, c_in, c_out, stride, kernel_size=size, groups=groups, bias=bias)

    def pool(self, kind: str, size: int, stride: int, padding: int = 0) -> nn.Module:
        """Pooling over the network's dimensions; `kind` is Max or Avg."""
        layer = {"Max": nn.MaxPool2d, "Avg": nn.AvgPool2d}[kind]
        rows = (1, 1, 0) if self.dims == 1 else (size, stride, padding)
        sizes, strides, paddings = zip(rows, (size, stride, padding), strict=True)
        return layer(sizes, strides, paddings)

    def weight_layer(self, layer: Layer, c_in: int) -> nn.Module:
        """The convolution described by a layer."""
        size = layer.kernel_size
        return self.conv(c_in, layer.channels, layer.stride, kernel_size=size, groups=layer.groups)

    def activated(self, channels: int) -> int:
        """Number of channels after the activation."""
        return channels * channel_factor(self.activation(1))

    @property
    def without_shortcuts(self) -> bool:
        """Whether blocks have no shortcuts."""
        return getattr(self.shortcut, "func", self.shortcut) is NoShortcut

    def refuse_shortcuts(self, network: str) -> None:
        """Check the parts of a network without residual blocks.

        Raises:
            ValueError: a shortcut or a branch module was chosen.
        """
        if not self.without_shortcuts:
            raise ValueError(f"model={network} has no shortcuts: omit shortcut=..., or use model=resnet")
        self.refuse_branches(network)

    def refuse_branches(self, network: str) -> None:
        """Check the parts of a network that does not support branch modules.

        Raises:
            ValueError: a branch module was chosen.
        """
        if getattr(self.branch, "func", self.branch) is not always:
            raise ValueError(f"model={network} does not support branch modules: omit branch=...")
