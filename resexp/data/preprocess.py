"""Normalization and augmentation of batches."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def channel_statistics(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel over all examples and positions.

    Args:
        inputs: uint8, (examples, channels, height, width); values are scaled to [0, 1].
    Returns:
        Two float64 tensors of shape (channels,).
    """
    total, squares = (moment.mean(dim=(1, 2)) / len(inputs) for moment in _moments(inputs))
    return total / 255, (squares - total**2).sqrt() / 255


def normalizer(inputs: Tensor) -> Callable[[Tensor], Tensor]:
    """A function that normalizes batches with the statistics of the training inputs.

    Images (uint8): subtract the per-pixel mean, then divide each channel by its standard deviation.
    Sequences (float) are returned unchanged: MNIST-1D is already standardized.

    Source: He et al. 2015, section 4.2 ("per-pixel mean subtracted"). Departure: the paper does not
    mention a scale. Batch normalization after the first convolution cancels a common factor, but not the
    differences between the channels' standard deviations (7 % on CIFAR-10).
    """
    if inputs.dtype != torch.uint8:
        return lambda x: x
    std = 255 * channel_statistics(inputs)[1]
    scale = (1 / std).view(-1, 1, 1)
    offset = (_moments(inputs)[0] / len(inputs) * scale).float()
    scale = scale.float()
    return lambda x: x.float() * scale - offset


def by_channel(inputs: Tensor, *, mean: Sequence[float], std: Sequence[float]) -> Callable[[Tensor], Tensor]:
    """A function that normalizes batches with given statistics, e.g. those used with imported weights.

    Args:
        inputs: uint8, (examples, channels, height, width); only their shape and device matter.
        mean, std: of each channel, for intensities in [0, 1].
    Raises:
        ValueError: the inputs are not images, or the number of channels differs.
    Source: torchvision's transforms.Normalize after ToTensor.
    """
    channels = inputs.shape[1]
    if inputs.dtype != torch.uint8 or not len(mean) == len(std) == channels:
        raise ValueError(
            f"normalization.mean and normalization.std are for images of {len(mean)} and {len(std)} channels;"
            f" the inputs are {inputs.dtype} with {channels} channels"
        )
    shift, scale = (torch.tensor(values, device=inputs.device).view(-1, 1, 1) for values in (mean, std))
    return lambda x: (x.float() / 255 - shift) / scale


def crop_and_flip(x: Tensor, *, padding: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Pad with zeros, crop randomly to the original size, flip horizontally with probability 1/2.

    Args:
        x: (batch, channels, height, width), normalized, so that zero is the mean.
        padding: pixels on each side; 0: no cropping.
        flip: flip left and right with probability 1/2.
        generator: on x's device.
    Returns:
        Of x's shape; channels last in memory.
    Source: He et al. 2015, section 4.2 (after Lee et al. 2015): padding 4, crop 32x32, flip.
    """
    batch, channels, height, width = x.shape
    places = torch.randint(0, 2 * padding + 1, (2, batch, 1), generator=generator, device=x.device)
    rows = places[0] + torch.arange(height, device=x.device)  # (batch, height)
    columns = places[1] + torch.arange(width, device=x.device)
    if flip:
        mirrored = torch.rand((batch, 1), generator=generator, device=x.device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    padded = F.pad(x.movedim(1, -1), [0, 0, *[padding] * 4])
    first = torch.arange(batch, device=x.device).view(-1, 1) * padded.shape[1]  # row of each image
    pixels = ((first + rows) * padded.shape[2])[:, :, None] + columns[:, None]
    found = padded.flatten(0, 2).index_select(0, pixels.flatten())  # three times as fast as an index per axis
    return found.view(batch, height, width, channels).movedim(-1, 1)


def _moments(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Exact sums of x and x^2 over the examples, each (channels, height, width)."""
    total = squares = 0
    for chunk in inputs.split(256):  # 256 * 255^2 < 2^24: float32 sums these integers exactly
        x = chunk.float()
        total = total + x.sum(0).double()
        squares = squares + x.square().sum(0).double()
    return total, squares
