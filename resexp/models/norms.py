"""Normalization layers that torch.nn does not offer for a channel count and any shape."""

from torch import Tensor, nn


def group(channels: int, *, groups: int) -> nn.GroupNorm:
    """Group normalization (Wu and He 2018) over `groups` groups of channels.

    Raises:
        ValueError: groups does not divide channels.
    """
    if channels % groups:
        raise ValueError(f"norm.groups must divide the {channels} channels, got {groups}")
    return nn.GroupNorm(groups, channels)


def layer(channels: int) -> nn.GroupNorm:
    """Layer normalization (Ba et al. 2016) over channels and positions, scale per channel."""
    return nn.GroupNorm(1, channels)


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalization over the batch and all positions, be there none, one or two dimensions."""

    def _check_input_dim(self, input) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected (batch, channels, ...), got shape {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() == 3:  # as images of one row: torch is fast at those in any memory order
            return super().forward(input.unsqueeze(2)).squeeze(2)
        return super().forward(input)
