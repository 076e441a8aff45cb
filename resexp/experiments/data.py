"""From a config to its data: loaded once, held out, put on the device, in batches."""

import functools
import json

import torch
from torch import Tensor

from resexp.config.instantiate import make
from resexp.data.batches import Batches, Split
from resexp.data.dataset import Dataset, hold_out
from resexp.data.imagefolder import ImageFolders, StreamedBatches, TestImages
from resexp.data.preprocess import crop_and_flip, normalizer
from resexp.experiments.seeds import generator, seed_for

EVALUATION_BATCH = 1000


def load_dataset(config: dict) -> Dataset | ImageFolders:
    """The dataset of a resolved config, in memory or as files; kept while the same one is asked for again."""
    return _load_dataset(json.dumps(config["dataset"]["load"]))


@functools.lru_cache(maxsize=1)
def _load_dataset(load: str) -> Dataset | ImageFolders:
    return make(json.loads(load), "dataset.load")


def training_examples(config: dict) -> int:
    """How many there are once some have been held out.

    Raises:
        ValueError: more held out than there are, or of a dataset that holds nothing out.
    """
    loaded, held_out = load_dataset(config), config["dataset"]["val_size"]
    if not isinstance(loaded, ImageFolders):
        return len(hold_out(loaded, held_out)[0].targets)
    if held_out:
        raise ValueError("dataset=imagefolder holds nothing out: leave dataset.val_size at 0")
    return len(loaded.train)


def batches(config: dict, device: torch.device) -> tuple[Batches | StreamedBatches, dict]:
    """The training batches, and the splits to be evaluated."""
    options, loaded = config["dataset"], load_dataset(config)
    if isinstance(loaded, ImageFolders):
        seed, size = seed_for(config["seed"], "batches"), config["batch_size"]
        streamed = StreamedBatches(loaded, batch_size=size, seed=seed, device=device)
        return streamed, {"test": TestImages(loaded, batch_size=size, device=device)}
    data, val_inputs, val_targets = _on_device(json.dumps(options["load"]), options["val_size"], device)
    normalize = normalizer(data.inputs)
    augmented = options["crop_padding"] or options["flip"]

    def prepare(x, generator):
        x = normalize(x)
        if not augmented:
            return x
        flags = {name: options[key] for name, key in (("padding", "crop_padding"), ("flip", "flip"))}
        return crop_and_flip(x, **flags, generator=generator)

    splits = {"test": Split(data.test_inputs, data.test_targets, normalize, EVALUATION_BATCH)}
    if len(val_targets):
        splits["val"] = Split(val_inputs, val_targets, normalize, EVALUATION_BATCH)
    draws = generator(config["seed"], "batches", device)
    return Batches(data.inputs, data.targets, config["batch_size"], prepare, draws), splits


@functools.lru_cache(maxsize=1)
def _on_device(load: str, val_size: int, device: torch.device) -> tuple[Dataset, Tensor, Tensor]:
    """The training data and what is held out; shared by the runs that are trained side by side."""
    data, inputs, targets = hold_out(_load_dataset(load), val_size)
    return data.to(device), inputs.to(device), targets.to(device)
