"""Dataclass schema of the configs: unknown keys and wrong types are rejected before anything runs."""

import os
from dataclasses import dataclass, field, is_dataclass
from typing import Any, get_type_hints

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from resexp.config.kinds import in_words


@dataclass
class Protocol:
    """Training protocol published for a dataset, or ours if there is none."""

    steps: int = MISSING
    batch_size: int = MISSING
    interval: int = MISSING


@dataclass
class Dataset:
    """A generated dataset."""

    name: str = MISSING
    dims: int = MISSING
    c_in: int = MISSING
    size: list[int] = MISSING
    num_classes: int = MISSING
    load: dict[str, Any] = field(default_factory=dict)
    val_size: int = MISSING
    crop_padding: int = MISSING
    flip: bool = MISSING
    fingerprint: dict[str, Any] | None = None  # identifies the contents, if the settings do not
    protocol: Protocol = field(default_factory=Protocol)


@dataclass
class DatasetInFiles(Dataset):
    """A dataset read from files."""

    root: str = MISSING
    download: bool = MISSING


@dataclass
class Execution:
    """How a run is executed; not part of its digest."""

    device: str = MISSING
    workers: int = MISSING
    threads: int | None = None
    channels_last: bool | str = MISSING
    cudnn_benchmark: bool | str = MISSING
    compile: bool = MISSING
    capture: bool = MISSING
    sync_batch_norm: bool = MISSING
    max_minutes: float | None = None
    checkpoint_minutes: float = MISSING
    keep: Any = None
    runs: str = MISSING


@dataclass
class Train:
    """Primary config of `resexp train`.

    Parts are nodes with a `_target_`; its signature is their schema (see instantiate.py).
    """

    command: str = MISSING
    name: str = MISSING
    case: str | None = None
    seed: int = MISSING
    precision: str = MISSING
    batch_size: int = MISSING
    interval: int = MISSING
    labels: dict[str, Any] = field(default_factory=dict)
    train: Execution = field(default_factory=Execution)
    task: dict[str, Any] = field(default_factory=dict)
    tracker: dict[str, Any] = field(default_factory=dict)
    dataset: Dataset = field(default_factory=Dataset)
    normalization: dict[str, Any] = field(default_factory=dict)
    norm: dict[str, Any] = field(default_factory=dict)
    block: dict[str, Any] = field(default_factory=dict)
    shortcut: dict[str, Any] = field(default_factory=dict)
    branch: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)
    activation: dict[str, Any] = field(default_factory=dict)
    init: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)


@dataclass
class Measure:
    """Primary config of `resexp measure`."""

    command: str = MISSING
    name: str = MISSING
    seed: int = MISSING
    run: str | None = None
    device: str = MISSING
    threads: int | None = None
    runs: str = MISSING
    measure: dict[str, Any] = field(default_factory=dict)


@dataclass
class Bench:
    """Primary config of `resexp bench`."""

    command: str = MISSING
    name: str | None = None
    device: str = MISSING
    precisions: list[str] | None = None
    members: list[int] | None = None
    compile: bool = MISSING
    repetitions: int = MISSING
    seconds: float = MISSING
    fixed_costs: bool = MISSING
    tables: str = MISSING
    runs: str = MISSING
    cases: list[str] = MISSING
    measures: list[str] = MISSING
    studies: list[str] = MISSING


PRIMARY = {"train": Train, "measure": Measure, "bench": Bench}


def kind_of(command: str, key: str) -> str:
    """What a setting may be, in words: `an integer or null`; of a whole section, that it is one.

    Args:
        command: train, measure or bench.
        key: dotted, of the command's config.
    """
    kind = PRIMARY[command]
    for name in key.split("."):
        if not is_dataclass(kind):  # a part, whose signature is its schema
            return "of the kind that it is in conf/"
        kind = get_type_hints(DatasetInFiles if kind is Dataset else kind)[name]
    return in_words(kind)


# Resolvers for derived settings. by_dims: (dims, value for sequences, value for images).
OmegaConf.register_new_resolver("by_dims", lambda dims, *sizes: sizes[dims - 1], replace=True)
# false for what is no number, so that the invalid setting itself is reported
OmegaConf.register_new_resolver("at_least", lambda a, b: isinstance(a, int | float) and a >= b, replace=True)
OmegaConf.register_new_resolver("quotient", lambda a, b: a // b, replace=True)
# an empty variable is one that is not set
OmegaConf.register_new_resolver("env", lambda name, default: os.environ.get(name) or default, replace=True)
OmegaConf.register_new_resolver("share", lambda whole, part, of: whole * part / of, replace=True)

store = ConfigStore.instance()
store.store(name="train_schema", node=Train)
store.store(name="measure_schema", node=Measure)
store.store(name="bench_schema", node=Bench)
store.store(group="dataset", name="schema", node=Dataset)
store.store(group="dataset", name="files_schema", node=DatasetInFiles)
