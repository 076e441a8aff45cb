"""What would stop the first step, or the first evaluation, found on a few examples that are all zero."""

import torch
from torch import nn

from resexp.config.instantiate import make
from resexp.data.source import Source
from resexp.experiments.devices import device_of
from resexp.experiments.unused import sizes_that_matter
from resexp.models.norms import GhostBatchNorm
from resexp.training.precision import autocast

MOST_VALUES = 3 * 224 * 224
ONE_VALUE = "more than 1 value per channel"  # torch's words


def check_shape(config: dict, source: Source) -> None:
    """Compare what a config says of the dataset with what was loaded.

    Raises:
        ValueError: other dimensions or channels, another size where that matters, or more classes than it
            distinguishes.
    """
    data, (channels, *size) = config["dataset"], source.shape
    found = {
        "dataset.dims": len(size),
        "dataset.c_in": channels,
        **dict.fromkeys(sizes_that_matter(config), size),
    }
    for key, value in found.items():
        section, _, leaf = key.partition(".")
        if config[section][leaf] != value:
            raise ValueError(f"{key}={config[section][leaf]}, but dataset={data['name']} has {value}")
    if source.classes > data["num_classes"]:
        raise ValueError(
            f"dataset.num_classes={data['num_classes']}, but dataset={data['name']} has {source.classes}"
        )


def try_first_step(config: dict, model: nn.Module, source: Source) -> None:
    """One training step without an update, and one evaluation, on the CPU.

    It takes as many examples as matter, one or two: a batch of one has no statistics where a layer has a
    single position, and neither has the last part of a batch that is normalized part by part. Examples of
    more than MOST_VALUES are left to the run: they would take too long here.

    Args:
        config: of the run.
        model: its network, on the meta device; it is moved and filled with zeros.
        source: the data.
    Raises:
        ValueError, RuntimeError: what the first step would raise.
    """
    x, y = source.blank(_fewest_together(model, config["batch_size"]))
    if x[0].numel() > MOST_VALUES:
        return
    _fill_with_zeros(model)
    on_cpu = device_of(config["train"]["device"]).type == "cpu"
    precision = autocast(config["precision"] if on_cpu else "float32", torch.device("cpu"))
    task = make(config["task"], "task")
    try:
        with torch.random.fork_rng(devices=[]):
            with precision:
                output = model.train()(x)
            task.loss(output, y).backward()
            with precision, torch.no_grad():
                model.eval()(x[:1])  # the last batch of a split may hold one
    except ValueError as error:
        if ONE_VALUE not in str(error):
            raise
        raise ValueError(
            f"norm={config['norm']['name']} has a single value per channel to normalize, with"
            f" batch_size={config['batch_size']} and this network, where the result is always zero: use a"
            " larger batch_size or norm.size, or another norm, such as norm=layer"
        ) from error


def _fill_with_zeros(model: nn.Module) -> None:
    """Move a network from the meta device; Module.to_empty would import torch's compiler, a second of CPU."""
    made: dict[int, torch.Tensor] = {}  # parameters that modules share stay shared
    for module in model.modules():
        for key, old in module._parameters.items():
            if old is not None:
                zeros = nn.Parameter(torch.zeros(old.shape, dtype=old.dtype), old.requires_grad)
                module._parameters[key] = made.setdefault(id(old), zeros)
        for key, old in module._buffers.items():
            if old is not None:
                module._buffers[key] = made.setdefault(id(old), torch.zeros(old.shape, dtype=old.dtype))


def _fewest_together(model: nn.Module, batch_size: int) -> int:
    """The smallest number of examples, 1 or 2, that are normalized together."""
    parts = {module.size for module in model.modules() if isinstance(module, GhostBatchNorm)}
    return min(2, batch_size, *(batch_size % size or size for size in parts))
