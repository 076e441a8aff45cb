"""A finished run from weights that were trained elsewhere."""

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from resexp.config.instantiate import make
from resexp.experiments.build import build_model
from resexp.experiments.checks import check
from resexp.experiments.data import splits
from resexp.experiments.devices import device_of, threads_of
from resexp.experiments.recorded import record
from resexp.experiments.runs import folder_of, settle
from resexp.models.weights import load_by_position
from resexp.records.identity import digest
from resexp.records.run import RunFolder
from resexp.training import checkpoint
from resexp.training.evaluate import evaluate
from resexp.training.precision import autocast, channels_last

# How the weights were trained is not known: these settings are no part of an imported run.
OF_TRAINING = ("optimizer", "schedule", "batch_size", "interval")
ENTRIES = ("state_dict", "model")  # under which a checkpoint may keep its weights


def run(config: dict, weights: Path) -> RunFolder:
    """Import weights as a finished run, unless that has been done.

    The run's identity holds the checksum of the file, and neither its name nor its place.

    Args:
        config: resolved, of `resexp train`.
        weights: a state dict written by torch.save, or a checkpoint that holds one.
    Returns:
        The folder of the run; its only row has the errors measured here.
    Raises:
        ConfigError: settings that cannot be carried out.
        ValueError: a file that holds no state dict, or not one of this network.
        BusyError: another process imports it.
    """
    check(config | {"batch_size": 1})  # no batch is drawn from the training examples
    try:
        with weights.open("rb") as file:
            source = {"file": weights.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    except OSError as error:
        raise ValueError(f"cannot read {weights}: {error.strerror}") from error
    kept = {key: value for key, value in config.items() if key not in OF_TRAINING}
    settings = settle(kept | {"imported": {"sha256": source["sha256"]}})
    folder, device = folder_of(settings), device_of(config["train"]["device"])
    if folder.is_finished:
        return folder
    torch.set_num_threads(threads_of(config["train"]["threads"]))
    model = build_model(settings, device)
    try:
        load_by_position(model, read(weights))
    except ValueError as error:
        raise ValueError(f"{weights.name} does not fit model={config['model']['name']}: {error}") from error
    with folder.held():
        folder.write_provenance(folder.provenance() | {"imported": source})
        record(folder, settings, device, 0, partial(_work, settings, folder, model, device))
    return folder


def read(path: Path) -> Mapping[str, Tensor]:
    """The state dict that a file holds; nothing but tensors and plain values is unpickled.

    Raises:
        ValueError: the file cannot be read so, or holds no state dict.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # of a dozen kinds, by what the file holds instead
        raise ValueError(
            f"{path} is not a file of weights that can be read without running code: it is damaged, or"
            " holds other objects; save its state dict with torch.save(model.state_dict(), file)"
        ) from error
    for entry in ENTRIES:
        if isinstance(found, Mapping) and isinstance(found.get(entry), Mapping):
            found = found[entry]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"{path} holds no state dict, neither by itself nor under {' or '.join(ENTRIES)}")
    return found


def _work(config: dict, folder: RunFolder, model: torch.nn.Module, device: torch.device) -> tuple[str, int]:
    row: dict[str, float] = {"step": 0}
    for name, batches in splits(config, device).items():
        found = evaluate(
            model,
            batches,
            make(config["task"], "task"),
            autocast=autocast(config["precision"], device),
            channels_last=channels_last(config["train"]["channels_last"], config["precision"], device),
        )
        row |= {f"{name}_{key}": value for key, value in found.items()}
    folder.write_rows([row])
    checkpoint.save(folder.path, 0, {"model": model.state_dict()}, run=digest(config))
    return "done", 0
