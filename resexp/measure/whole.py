"""Predictions of inputs as large as they are."""

from torch import Tensor, nn


def whole(network: nn.Module, x: Tensor, tile: int | None) -> Tensor:
    """Output of a segmentation network for every pixel or voxel of x.

    Args:
        network: of which, if tiles are asked for, `in_tiles(x, tile)` gives the same (resexp.models.unet).
        x: (batch, channels, *size).
        tile: side of the tiles, pixels; None: all at once.
    Returns:
        (batch, classes, *size).
    Raises:
        ValueError: the network cannot predict in tiles, or does not keep the size without them.
    """
    if tile is not None:
        if not hasattr(network, "in_tiles"):
            raise ValueError(f"measure.tile needs a U-Net, got {type(network).__name__}: omit it")
        return network.in_tiles(x, tile)
    output = network(x)
    if output.shape[2:] != x.shape[2:]:
        raise ValueError(
            f"the network gives {tuple(output.shape[2:])} of {tuple(x.shape[2:])} pixels: set measure.tile,"
            " the side of the tiles in which images are predicted, such as 572"
        )
    return output
