"""Prediction of whole images and volumes by a network that loses its margins, tile by tile."""

from itertools import product

import torch
from torch import Tensor

from resexp.models.unet import UNet, sides


@torch.no_grad()
def overlap_tile(model: UNet, depth: int, x: Tensor, tile: int) -> Tensor:
    """Logits for every pixel, from tiles whose inputs overlap; beyond the image it is mirrored.

    Memory is bounded by a tile's, whatever the size of the image. The result is that of one pass over the
    whole mirrored image, as far as tiles meet the poolings alike: the side of a tile's output must be a
    multiple of 2^poolings for that, and is 388 = 4 (mod 16) as published, so that results differ by a shift
    of the pooling grid.

    Args:
        model: in evaluation mode, with padding=valid.
        depth: of the network, see resexp.models.unet.poolings.
        x: (batch, c_in, *size), of any size.
        tile: side of a tile's input, 572 as published.
    Returns:
        (batch, num_classes, *size).
    Raises:
        ValueError: a network without margins, or a tile that it cannot pool.
    Source: Ronneberger et al. 2015 (arXiv:1505.04597), section 2 and figure 2.
    """
    if model.padding != "valid":
        raise ValueError("tiles overlap where a network loses its margins: set model.padding=valid")
    side, size = sides(tile, depth, "valid")[-1], x.shape[2:]
    margin = (tile - side) // 2
    counts = [-(-length // side) for length in size]
    behind = [count * side - length for count, length in zip(counts, size, strict=True)]
    pads = [value for extra in reversed(behind) for value in (margin, margin + extra)]
    mirrored = _mirror(x, pads)
    found = x.new_zeros(len(x), model.head.out_channels, *(count * side for count in counts))
    for place in product(*(range(count) for count in counts)):
        read = tuple(slice(at * side, at * side + tile) for at in place)
        write = tuple(slice(at * side, (at + 1) * side) for at in place)
        found[(..., *write)] = model(mirrored[(..., *read)])
    return found[(..., *(slice(length) for length in size))]


def _mirror(x: Tensor, pads: list[int]) -> Tensor:
    """Reflected as often as it takes: torch reflects less than one side at a time."""
    for axis in range(2, x.dim()):
        before, behind = pads[2 * (x.dim() - 1 - axis)], pads[2 * (x.dim() - 1 - axis) + 1]
        length = x.shape[axis]
        at = torch.arange(-before, length + behind, device=x.device)
        period = max(2 * (length - 1), 1)
        at = at.remainder(period)
        x = x.index_select(axis, torch.minimum(at, period - at).clamp(max=length - 1))
    return x
