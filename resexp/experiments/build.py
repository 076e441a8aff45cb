"""From a config to the things that it names: model, data, optimizer, schedule, trainer."""

import functools
import hashlib
import importlib
import inspect
import json
import os
import re
import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from resexp.data.augment import crop_and_flip, normalizer
from resexp.data.batches import Batches, Split, check_batch_size
from resexp.data.dataset import Dataset, hold_out
from resexp.data.imagefolder import ImageFolders, StreamedBatches, TestImages
from resexp.experiments.compose import ConfigError, composed, resolved
from resexp.models.random_layers import RandomLayer
from resexp.training.loop import Trainer
from resexp.training.precision import autocast

ALLOWED_TARGETS = ("resexp.", "torch.nn.", "torch.optim.")
EVALUATION_BATCH = 1000
# Layers draw from the global generator as they are built, and so does whatever shares it.
_BUILDING = threading.Lock()
MAY_BE_ZERO = {"hidden"}  # of a model's sizes
# Keys that do not change what a run computes.
OUTSIDE_DIGEST = {
    "name", "case", "command", "train", "device", "threads", "runs",
    "dataset.root", "dataset.download", "dataset.load.root", "dataset.load.download", "dataset.load.workers",
}  # fmt: skip


def settings(config: dict) -> dict:
    """The part of a resolved config that decides what a run computes; its digest names the run."""

    def kept(node: Any, path: str) -> Any:
        if not isinstance(node, dict):
            return node
        inside = {key: (f"{path}.{key}" if path else key) for key in node}
        return {k: kept(node[k], p) for k, p in inside.items() if p not in OUTSIDE_DIGEST}

    return kept(config, "")


def make(node: Any, key: str = "") -> Any:
    """What a config node describes: the target called with the other keys, or a partial of it.

    `name` is the node's label and is not passed on.

    Args:
        node: resolved; nodes with `_target_` are made, innermost first.
        key: of the node, for messages.
    Raises:
        ValueError: a target outside resexp, torch.nn and torch.optim, an argument that it does
            not take or of another type, or whatever the target itself refuses.
    """
    if isinstance(node, list):
        return [make(item, key) for item in node]
    if not isinstance(node, dict):
        return node
    if "_target_" not in node:
        return {name: make(value, name) for name, value in node.items()}
    target = _locate(node["_target_"], key)
    special = {"_target_", "_partial_", "name"}
    arguments = {name: make(value, name) for name, value in node.items() if name not in special}
    _check_arguments(target, arguments, key)
    if node.get("_partial_"):
        return functools.partial(target, **arguments)
    return target(**arguments)


def build_model(config: dict, device: torch.device | str = "cpu") -> nn.Module:
    """The network of a resolved config, its weights drawn from the config's seed.

    No global random state is changed.
    """
    _refuse_unused_block(config)
    refuse_sizes_below_one("model", config["model"])
    with torch.random.fork_rng(devices=[]):  # layers draw as they are built, before init does
        torch.manual_seed(_seed(config["seed"], "layers"))
        model = make(config["model"], "model")
    make(config["init"], "init")(model, generator(config["seed"], "init"))
    return model.to(device)


def check_name_and_seed(config: dict) -> None:
    """What every command's config has.

    Raises:
        ValueError: a name that is no folder's, or a seed that torch does not take.
    """
    if not re.fullmatch(r"\w[\w.-]*", config["name"]):
        raise ValueError(
            f"name={config['name']} is to be a folder's name: write it with letters, digits, ., - and _"
        )
    if not 0 <= config["seed"] < 2**63:
        raise ValueError(f"seed must lie between 0 and 2^63 - 1, got {config['seed']}")


def refuse_sizes_below_one(section: str, settings: dict) -> None:
    """For the whole numbers of a section, `model` or `measure`.

    Raises:
        ValueError: one is below 1.
    """
    for key, value in settings.items():
        if isinstance(value, int) and not isinstance(value, bool) and value < 1 and key not in MAY_BE_ZERO:
            raise ValueError(f"{section}.{key} must be at least 1, got {value}")


def _check_data_settings(data: dict) -> None:
    if data["crop_padding"] < 0:
        raise ValueError(f"dataset.crop_padding must be at least 0, got {data['crop_padding']}")
    if data["dims"] != 2 and (data["crop_padding"] or data["flip"]):
        raise ValueError(
            f"dataset={data['name']} has sequences, which are not cropped or mirrored: leave out"
            " dataset.crop_padding and dataset.flip"
        )


def _refuse_unused_block(config: dict) -> None:
    model = config["model"]
    if "block" not in model and config["block"] != resolved(composed("train", []))["block"]:
        raise ValueError(f"model={model['name']} has no residual blocks: leave out block=...")


def model_by_name(name: str, **choices: Any) -> nn.Module:
    """See resexp.build_model."""
    if "model" in choices:
        raise ValueError(f"two networks, {name} and {choices['model']}: name one")
    overrides = [f"model={name}", *(f"{k.replace('__', '.')}={v}" for k, v in choices.items())]
    return build_model(resolved(composed("train", overrides)))


def load_dataset(config: dict) -> Dataset | ImageFolders:
    """The dataset of a resolved config, in memory or as files; kept while the same one is asked for again."""
    return _load_dataset(json.dumps(config["dataset"]["load"]))


@functools.lru_cache(maxsize=1)
def _load_dataset(load: str) -> Dataset | ImageFolders:
    return make(json.loads(load), "dataset.load")


def check(config: dict) -> None:
    """Find what would stop a run, before anything is computed.

    Raises:
        ConfigError: says what is wrong and what is allowed.
    """
    try:
        if config["interval"] < 1:
            raise ValueError(f"interval must be at least 1, got {config['interval']}")
        for key in ("workers", "threads", "max_minutes"):
            if (value := config["train"][key]) is not None and value <= 0:
                raise ValueError(f"train.{key} must be above 0, got {value}")
        if (minutes := config["train"]["checkpoint_minutes"]) < 0:  # 0: after every step
            raise ValueError(f"train.checkpoint_minutes must be at least 0, got {minutes}")
        check_name_and_seed(config)
        _check_data_settings(config["dataset"])
        refuse_sizes_below_one("model", config["model"])
        _refuse_unused_block(config)
        with torch.device("meta"), _NothingIsDrawn():  # shapes and settings are checked
            model = make(config["model"], "model")
            make(config["init"], "init")(model, None)
        make(config["optimizer"], "optimizer")(model.parameters())
        make(config["schedule"], "schedule")
        autocast(config["precision"], device_of(config["train"]["device"]))
        check_batch_size(config["batch_size"], _training_examples(config))
    except ValueError as error:
        raise ConfigError(str(error)) from error


class _NothingIsDrawn(TorchFunctionMode):
    """Leaves tensors as they are: the meta device has nothing to fill, but torch is slow to see it."""

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        if function in (Tensor.normal_, Tensor.uniform_):
            return arguments[0]
        return function(*arguments, **(keywords or {}))


def _training_examples(config: dict) -> int:
    loaded, held_out = load_dataset(config), config["dataset"]["val_size"]
    if not isinstance(loaded, ImageFolders):
        return len(hold_out(loaded, held_out)[0].targets)
    if held_out:
        raise ValueError("dataset=imagefolder holds nothing out: leave dataset.val_size at 0")
    return len(loaded.train)


def threads_of(asked: int | None, workers: int = 1) -> int:
    """CPU threads of a process: as asked, else as OMP_NUM_THREADS says, else its share of the cores."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return asked or (int(said) if said.isdecimal() else 0) or max(1, len(os.sched_getaffinity(0)) // workers)


def device_of(asked: str) -> torch.device:
    """The device that `train.device`, or `device` of a measurement, asks for.

    Raises:
        ValueError: no such device, here or at all.
    """
    if asked == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(asked)
    except RuntimeError:
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got {asked!r}") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={asked}: this machine has {torch.cuda.device_count()} CUDA devices; use auto or cpu"
        )
    return device


def trainer(config: dict, device: torch.device) -> Trainer:
    """Everything that a run needs, at its first step. Threads may call it side by side."""
    with _BUILDING:
        made = _trainer(config, device)
        if device.type == "cuda":  # other threads, with streams of their own, may share its data
            torch.cuda.current_stream(device).synchronize()
        return made


def _trainer(config: dict, device: torch.device) -> Trainer:
    execution = config["train"]
    batches, splits = _batches(config, device)
    model = build_model(config, device)
    layer_draws = generator(config["seed"], "layers", device)
    for module in model.modules():
        if isinstance(module, RandomLayer):
            module.generator = layer_draws
    if execution["channels_last"]:
        model = model.to(memory_format=torch.channels_last)
    return Trainer(
        model,
        batches,
        make(config["optimizer"], "optimizer")(model.parameters()),
        make(config["schedule"], "schedule"),
        splits=splits,
        autocast=autocast(config["precision"], device),
        draws=layer_draws,
        channels_last=execution["channels_last"],
        compiled=execution["compile"],
        # a rate that is a tensor needs the fused update
        captured=execution["capture"] and device.type == "cuda" and config["optimizer"].get("fused", False),
    )


def _batches(config: dict, device: torch.device) -> tuple[Batches | StreamedBatches, dict]:
    """The training batches, and the splits to be evaluated."""
    options, loaded = config["dataset"], load_dataset(config)
    if isinstance(loaded, ImageFolders):
        seed, size = _seed(config["seed"], "batches"), config["batch_size"]
        batches = StreamedBatches(loaded, batch_size=size, seed=seed, device=device)
        return batches, {"test": TestImages(loaded, batch_size=size, device=device)}
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


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for one purpose, independent of those for others."""
    return torch.Generator(device).manual_seed(_seed(seed, purpose))


def _seed(seed: int, purpose: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:7])


def _locate(path: str, key: str) -> Any:
    if not path.startswith(ALLOWED_TARGETS):
        raise ValueError(f"{key}._target_ must begin with {', '.join(ALLOWED_TARGETS)}, got {path}")
    module, _, name = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        raise ValueError(f"{key}._target_: there is no {path}") from None


def _check_arguments(target: Any, arguments: dict, key: str) -> None:
    parameters = inspect.signature(target).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name, value in arguments.items():
        if name in parameters:
            _check_type(f"{key}.{name}", value, parameters[name].annotation)
        elif not open_ended:
            allowed = ", ".join(set(parameters) - {"args", "kwargs"})
            raise ValueError(f"there is no key {key}.{name}; {key} takes {allowed}")


def _check_type(key: str, value: Any, annotation: Any) -> None:
    """Refuse what plainly is of another type; annotations beyond these few pass."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        int: number and not isinstance(value, float),
        float: number,
        bool: isinstance(value, bool),
        str: isinstance(value, str),
        Sequence[float]: isinstance(value, list) and all(isinstance(x, int | float) for x in value),
    }
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    if not fits.get(annotation, True):
        raise ValueError(f"{key} must be {names.get(annotation, 'a list of numbers')}, got {value!r}")
