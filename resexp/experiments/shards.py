"""What the processes of torchrun can train together.

A run's numbers are to be, up to rounding, those that one process computes with the whole batch. The number
of processes is then no part of the run's identity, and is recorded in its provenance, as the threads are: a
run may go on with another number of them. What would make other numbers is refused.
"""

import os

import torch
from torch import nn

from resexp.data.source import Source
from resexp.exits import copies
from resexp.experiments.devices import device_of
from resexp.models.norms import BatchNorm
from resexp.models.stochastic import RandomLayer

DRAWS = (RandomLayer, nn.modules.dropout._DropoutNd, nn.RReLU)  # random numbers for the examples of a batch


def check_shards(config: dict, model: nn.Module, data: Source) -> None:
    """Refuse what the processes of torchrun cannot train, or would train to other numbers than one process.

    Batch normalization takes its statistics over the whole batch. On GPUs torch's SyncBatchNorm does that
    (train.sync_batch_norm); for CPUs torch has none.

    Args:
        config: of a run.
        model: its network, on any device.
        data: its dataset.
    Raises:
        ValueError: see above; nothing is refused to a single process.
    """
    if (count := copies()) == 1:
        return
    execution, size = config["train"], config["batch_size"]
    if data.in_memory:
        raise ValueError(
            f"torchrun is for dataset=imagefolder, not for dataset={config['dataset']['name']}, whose"
            f" networks are small enough for one process: a batch of {size} split over {count} would change"
            f" the statistics of normalization; train.workers={count} trains {count} networks at a time"
        )
    if execution["workers"] > 1:
        raise ValueError(
            "train.workers must be 1 under torchrun, whose processes train one run after the other"
        )
    if size % count:
        raise ValueError(f"batch_size must be a multiple of the {count} processes of torchrun, got {size}")
    if execution["compile"]:
        raise ValueError("train.compile is for one process: leave it out under torchrun")
    _check_layers(config, model, _checked_device(execution["device"]))


def _checked_device(asked: str) -> torch.device:
    """The kind of device of all processes. Raises ValueError where they cannot have one each."""
    device = device_of(asked)
    if device.index is not None:
        raise ValueError(
            f"train.device={asked} names one GPU: under torchrun each process takes its own,"
            " with train.device=cuda"
        )
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    if device.type == "cuda" and here > torch.cuda.device_count():
        raise ValueError(
            f"torchrun has started {here} processes on a machine with {torch.cuda.device_count()} GPUs: start"
            " one for each GPU, or set train.device=cpu"
        )
    return device


def _check_layers(config: dict, model: nn.Module, device: torch.device) -> None:
    """Raises ValueError for layers that depend on which examples are in a process."""
    norm = f"norm={config['norm']['name']}"
    for layer in model.modules():
        if isinstance(layer, DRAWS) and getattr(layer, "probability", 1) > 0:
            raise ValueError(
                f"model={config['model']['name']} has layers that draw random numbers for a whole batch"
                f" ({type(layer).__name__}): train it by one process, without torchrun"
            )
        if not isinstance(layer, nn.modules.batchnorm._BatchNorm):
            continue
        if type(layer) is not BatchNorm or device.type == "cpu":
            raise ValueError(
                f"{norm} takes statistics over a batch, of which each process of torchrun has a part"
                " (torch gathers them for norm=batch on GPUs alone): use norm=group, layer or none, or one"
                " process"
            )
        if not config["train"]["sync_batch_norm"]:
            raise ValueError(
                f"{norm} takes statistics over a batch, of which each process of torchrun has a part: set"
                " train.sync_batch_norm=true, by which they are gathered, or use norm=group"
            )
