"""Import weights that were trained elsewhere as a finished run."""

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
from resexp.files import chunks
from resexp.models.weights import load_by_position
from resexp.records.identity import digest
from resexp.records.run import RunFolder
from resexp.training import checkpoint
from resexp.training.evaluate import Evaluator
from resexp.training.precision import autocast, channels_last

# It is unknown how the weights were trained, so these settings are not part of an imported run.
OF_TRAINING = ("optimizer", "schedule", "batch_size", "interval")
ENTRIES = ("state_dict", "model")  # keys of the weights in common checkpoint formats


def run(config: dict, weights: Path) -> RunFolder:
    """Import weights as a finished run, unless they have been imported before.

    The checksum of the file is part of the run's identity; its name and location are not.

    Args:
        config: resolved config of `resexp train`.
        weights: a state dict written by torch.save, or a checkpoint that contains one.
    Returns:
        The folder of the run; its only row has the errors measured on import.
    Raises:
        ConfigError: a setting is invalid.
        ValueError: the file contains no state dict, or that of another network.
        BusyError: another process is importing it.
    """
    try:
        checksum = hashlib.sha256()
        for chunk in chunks(weights):
            checksum.update(chunk)
        source = {"file": weights.name, "sha256": checksum.hexdigest()}
    except OSError as error:
        raise ValueError(f"cannot read {weights}: {error.strerror}") from error
    check(config | {"batch_size": 2})  # no training batch is needed
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
    """The state dict in a file; only tensors and plain values are unpickled.

    Raises:
        ValueError: the file cannot be read in this way, or contains no state dict.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # the type depends on the contents of the file
        raise ValueError(
            f"{path} cannot be read as weights without executing code: it is damaged, or contains"
            " other objects; save its state dict with torch.save(model.state_dict(), file)"
        ) from error
    for entry in ENTRIES:
        if isinstance(found, Mapping) and isinstance(found.get(entry), Mapping):
            found = found[entry]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(
            f"{path} contains no state dict, neither at the top level nor under {' or '.join(ENTRIES)}"
        )
    return found


def _work(config: dict, folder: RunFolder, model: torch.nn.Module, device: torch.device) -> tuple[str, int]:
    evaluate = Evaluator(
        model,
        make(config["task"], "task"),
        autocast=autocast(config["precision"], device),
        channels_last=channels_last(config["train"]["channels_last"], config["precision"], device),
    )
    row: dict[str, float] = {"step": 0}
    for name, batches in splits(config, device).items():
        row |= {f"{name}_{key}": value for key, value in evaluate(batches).items()}
    folder.write_rows([row])
    checkpoint.save(folder.path, 0, {"model": model.state_dict()}, run=digest(config))
    return "done", 0
