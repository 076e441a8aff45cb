"""Weights that travel between implementations of one network."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def load_by_position(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Copy the weights and statistics of another implementation of the same network.

    Entries are paired in order, whatever their names; batch counters (`num_batches_tracked`),
    which older checkpoints lack, are passed over. Nothing is copied unless everything fits.

    Args:
        model: receives the values in place.
        state_dict: entries in the order of the forward pass.
    Raises:
        ValueError: another number of entries, or another shape; names the first entry that
            differs and both shapes.
    """
    ours = _entries(model.state_dict())
    theirs = _entries(state_dict)
    for (name, target), (their_name, source) in zip(ours, theirs, strict=False):
        if target.shape != source.shape:
            raise ValueError(
                f"entry {name} has shape {tuple(target.shape)}, but {their_name} at the same"
                f" position has {tuple(source.shape)}"
            )
    if len(ours) != len(theirs):
        longer, owner = max((ours, "the model"), (theirs, "the state dict"), key=lambda x: len(x[0]))
        name, tensor = longer[min(len(ours), len(theirs))]
        raise ValueError(
            f"the model has {len(ours)} entries and the state dict {len(theirs)}: only {owner}"
            f" has {name}, shape {tuple(tensor.shape)}"
        )
    with torch.no_grad():
        for (_, target), (_, source) in zip(ours, theirs, strict=True):
            target.copy_(source)


def _entries(state_dict: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    return [(k, v) for k, v in state_dict.items() if not k.endswith("num_batches_tracked")]
