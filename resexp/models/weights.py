"""Transfer weights between implementations of the same network."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def load_by_position(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Copy weights and running statistics from another implementation of the same network.

    Entries are matched by position, not by name; `num_batches_tracked`, missing in older checkpoints, is
    ignored. Nothing is copied unless all shapes match.

    Args:
        model: modified in place.
        state_dict: entries in the order of the forward pass.
    Raises:
        ValueError: numbers of entries or shapes differ; the message names the first mismatch.
    """
    targets, sources = _entries(model.state_dict()), _entries(state_dict)
    for (name, target), (source_name, source) in zip(targets, sources, strict=False):
        if target.shape != source.shape:
            raise ValueError(
                f"entry {name} has shape {tuple(target.shape)}, but {source_name} at the same"
                f" position has {tuple(source.shape)}"
            )
    if len(targets) != len(sources):
        longer, owner = max((targets, "the model"), (sources, "the state dict"), key=lambda x: len(x[0]))
        name, tensor = longer[min(len(targets), len(sources))]
        raise ValueError(
            f"the model has {len(targets)} entries and the state dict {len(sources)}: only {owner}"
            f" has {name}, shape {tuple(tensor.shape)}"
        )
    with torch.no_grad():
        for (_, target), (_, source) in zip(targets, sources, strict=True):
            target.copy_(source)


def _entries(state_dict: Mapping[str, Tensor]) -> list[tuple[str, Tensor]]:
    return [(k, v) for k, v in state_dict.items() if not k.endswith("num_batches_tracked")]
