"""Prediction of whole images and volumes tile by tile, in memory bounded by a tile's."""

from collections.abc import Callable, Iterator
from itertools import product

import torch
from torch import Tensor


def overlapping(network: Callable[[Tensor], Tensor], x: Tensor, *, tile: int, side: int, step: int) -> Tensor:
    """Outputs for every pixel by a network that loses its margins; beyond the image it is mirrored.

    Args:
        network: (batch, c_in, tile, ...) -> (batch, channels, side, ...).
        x: (batch, c_in, *size), of any size.
        tile, side: of a tile's input and output, pixels.
        step: between tiles, at most side.
    Returns:
        (batch, channels, *size).
    Source: Ronneberger et al. 2015 (arXiv:1505.04597), section 2 and figure 2.
    """
    size, margin = x.shape[2:], (tile - side) // 2
    counts = [-(-length // step) for length in size]
    behind = [(n - 1) * step + tile - margin - length for n, length in zip(counts, size, strict=True)]
    for axis, after in enumerate(behind, start=2):
        x = _mirrored(x, axis, margin, after)
    found = None
    for place in product(*(range(0, count * step, step) for count in counts)):
        out = network(x[(..., *(slice(at, at + tile) for at in place))])
        if found is None:
            found = out.new_empty(*out.shape[:2], *((n - 1) * step + side for n in counts))
        found[(..., *(slice(at, at + side) for at in place))] = out
    return found[(..., *(slice(length) for length in size))]


def within(network: Callable[[Tensor], Tensor], x: Tensor, *, side: int, margin: int) -> Tensor:
    """Outputs for every pixel by a network that keeps the size of its input and pads it by itself.

    A tile is read with a margin on all sides, but not beyond the image; the margin's output is dropped.

    Args:
        network: (batch, c_in, *any) -> (batch, channels, *any).
        x: (batch, c_in, *size).
        side: of a tile without its margin, pixels.
        margin: as far as an output depends on the input, pixels.
    Returns:
        (batch, channels, *size).
    """
    found = None
    for tile in product(*(_reads(length, side, margin) for length in x.shape[2:])):
        read, kept, write = zip(*tile, strict=True)
        out = network(x[(..., *read)])
        if found is None:
            found = out.new_empty(*out.shape[:2], *x.shape[2:])
        found[(..., *write)] = out[(..., *kept)]
    return found


def _reads(length: int, side: int, margin: int) -> Iterator[tuple[slice, slice, slice]]:
    """Along one axis: what a tile reads, what of its output is kept, and where that belongs."""
    for start in range(0, length, side):
        stop, first = min(start + side, length), max(start - margin, 0)
        yield slice(first, stop + margin), slice(start - first, stop - first), slice(start, stop)


def _mirrored(x: Tensor, axis: int, before: int, behind: int) -> Tensor:
    """Reflected as often as it takes: torch reflects less than one side at a time."""
    length = x.shape[axis]
    period = max(2 * (length - 1), 1)
    at = torch.arange(-before, length + behind, device=x.device).remainder(period)
    return x.index_select(axis, torch.minimum(at, period - at).clamp(max=length - 1))
