"""Normalization layers that torch.nn does not offer with the channel count first."""

from torch import nn


def group(channels: int, *, groups: int) -> nn.GroupNorm:
    """Group normalization (Wu and He 2018) over `groups` groups of channels.

    Raises:
        ValueError: groups does not divide channels.
    """
    if channels % groups:
        raise ValueError(f"norm.groups must divide the {channels} channels, got {groups}")
    return nn.GroupNorm(groups, channels)
