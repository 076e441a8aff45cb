"""Load the dataset of a config once, hold out a validation split, move it to the device."""

import functools
import json
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from resexp.config.instantiate import make
from resexp.data.source import Source
from resexp.experiments.seeds import seed_for
from resexp.training.interfaces import Batches
from resexp.training.parallel import ALONE, Alone, Together

MEASURED = {"_target_": "resexp.data.preprocess.normalizer", "_partial_": True}


def load_dataset(config: dict) -> Source:
    """The dataset of a resolved config; the last one loaded is kept in memory."""
    return _load(*_described(config))


def training_data(config: dict) -> Source:
    """The dataset with its validation split held out.

    Raises:
        ValueError: dataset.val_size is out of range.
    """
    return load_dataset(config).holding_out(config["dataset"]["val_size"])


def on_device(config: dict, device: torch.device) -> Source:
    """The dataset with its validation split, on a device; shared by runs that train concurrently."""
    return _keeper(device)(*_described(config), config["dataset"]["val_size"])


def batches(config: dict, device: torch.device, processes: Alone | Together = ALONE) -> Batches:
    """The training batches of a config, on the device; of several processes the part of this one."""
    options, seed = config["dataset"], seed_for(config["seed"], "batches")
    augmentation = {key: options[key] for key in ("crop_padding", "flip")}
    return _shard(config, device, processes).batches(config["batch_size"], **augmentation, seed=seed)


def splits(
    config: dict, device: torch.device, processes: Alone | Together = ALONE
) -> dict[str, Iterable[tuple[Tensor, Tensor]]]:
    """The splits that are evaluated every interval: name -> batches, of several processes this one's."""
    data = _shard(config, device, processes)
    size = data.evaluation_batch or config["batch_size"] // processes.size
    return {name: data.split(name, size) for name in data.split_names}


def _shard(config: dict, device: torch.device, processes: Alone | Together) -> Source:
    data = on_device(config, device)
    return data if processes.size == 1 else data.sharded(processes.rank, processes.size)


def _described(config: dict) -> tuple[str, str]:
    """Loading and normalization settings as text; older configs have no normalization and used `measured`."""
    return json.dumps(config["dataset"]["load"]), json.dumps(config.get("normalization", MEASURED))


@functools.lru_cache(maxsize=1)
def _load(load: str, normalization: str) -> Source:
    return _read(load).normalized(make(json.loads(normalization), "normalization"))


@functools.lru_cache(maxsize=2)  # sweeps over datasets alternate
def _read(load: str) -> Source:
    source = make(json.loads(load), "dataset.load")
    for line in source.remarks:
        print(line, flush=True)
    return source


@functools.cache
def _keeper(device: torch.device) -> Callable[[str, str, int], Source]:
    """Of each device the last dataset is kept: workers on several GPUs would otherwise take turns."""

    @functools.lru_cache(maxsize=1)
    def on_it(load: str, normalization: str, val_size: int) -> Source:
        return _load(load, normalization).holding_out(val_size).to(device)

    return on_it
