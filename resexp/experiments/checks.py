"""Validate a training run's config before anything is computed."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from resexp.config.compose import ConfigError
from resexp.config.instantiate import make
from resexp.data.batches import check_batch_size
from resexp.experiments.data import load_dataset, training_data
from resexp.experiments.devices import device_of
from resexp.experiments.first_step import check_shape, try_first_step
from resexp.experiments.shards import check_shards
from resexp.experiments.sizes import network
from resexp.experiments.unused import (
    refuse_unused_augmentation,
    refuse_unused_block,
    refuse_unused_rate,
)
from resexp.training.checkpoint import kept_steps
from resexp.training.precision import autocast, channels_last, cudnn_benchmark
from resexp.training.sgd import parameter_groups

LONGEST = 200  # bytes of a name; file systems allow 255 for a folder's
MOST_THREADS = 1024
PREDICTS = {"planes": "model=unet", "joints": "model=hourglass", "boxes": "model=pyramid"}  # kind: a network
MAY_BE_ZERO = {"hidden", "transformers"}  # sizes for which 0 is allowed


def check(config: dict) -> None:
    """Validate the config of a training run before anything is computed.

    Raises:
        ConfigError: a setting is invalid; the message says what is allowed.
    """
    with refused_in_a_sentence():
        if config["interval"] < 1:
            raise ValueError(f"interval must be at least 1, got {config['interval']}")
        execution = config["train"]
        refuse_zero_or_less({f"train.{key}": execution[key] for key in ("workers", "max_minutes")})
        check_threads("train.threads", execution["threads"])
        if not (minutes := execution["checkpoint_minutes"]) >= 0:  # 0: after every step
            raise ValueError(f"train.checkpoint_minutes must be at least 0, got {minutes}")
        kept_steps(config["train"]["keep"], config["schedule"]["steps"])
        check_name_and_seed(config)
        _check_data_settings(config["dataset"])
        _check_normalization(config["normalization"], config["dataset"])
        refuse_sizes_below_one("model", config["model"])
        refuse_unused_block(config)
        with torch.device("meta"), _SkipDraws():  # shapes and settings are checked
            model = network(config)
            make(config["init"], "init")(model, None)
        _check_task(config, model)
        _check_tracker(config["tracker"])
        make(config["schedule"], "schedule")  # before the optimizer, which uses its learning rate
        refuse_unused_rate(config)
        refuse_unbounded("optimizer", config["optimizer"])
        make(config["optimizer"], "optimizer")(parameter_groups(model))
        device = device_of(execution["device"])
        autocast(config["precision"], device)
        for choice in (channels_last, cudnn_benchmark):
            choice(execution[choice.__name__], config["precision"], device)
        data = training_data(config)
        check_batch_size(config["batch_size"], data.examples)
        refuse_unused_augmentation(config["dataset"], data)
        check_shape(config, data)
        check_shards(config, model, data)
        try_first_step(config, model, data)


@contextmanager
def refused_in_a_sentence() -> Iterator[None]:
    """Convert errors raised by invalid settings to a ConfigError with a one-line message.

    Our own messages are passed on; those of torch's classes need an introduction.
    """
    try:
        yield
    except ValueError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"cannot read {error.filename}: {error.strerror}") from error
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"invalid combination of settings: {said}") from error


class _SkipDraws(TorchFunctionMode):
    """Skip random initialization, which is slow even on the meta device, where it has no effect."""

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        if function in (Tensor.normal_, Tensor.uniform_):
            return arguments[0]
        return function(*arguments, **(keywords or {}))


def check_name_and_seed(config: dict) -> None:
    """Check name, labels and seed, which the configs of all commands have.

    Raises:
        ValueError: a name or label that cannot be part of a folder's name, or a seed out of range.
    """
    labels = {f"label {key}": value for key, value in config.get("labels", {}).items()}
    for key, value in {"name": config["name"], **labels}.items():
        if isinstance(value, str) and not re.fullmatch(r"\w[\w.-]*", value):
            raise ValueError(
                f"{key} must consist of letters, digits, '.', '-' and '_', as it becomes part of a folder's"
                f" name; got {value!r}"
            )
        if isinstance(value, str) and len(value.encode()) > LONGEST:
            raise ValueError(f"{key} must have at most {LONGEST} bytes, got {len(value.encode())}: {value!r}")
    if not 0 <= config["seed"] < 2**63:
        raise ValueError(f"seed must lie between 0 and 2^63 - 1, got {config['seed']}")


def refuse_zero_or_less(values: dict[str, float | None]) -> None:
    """Check optional positive numbers.

    Raises:
        ValueError: a value is neither above 0 nor None.
    """
    for key, value in values.items():
        if value is not None and not value > 0:
            raise ValueError(f"{key} must be above 0, got {value}")


def check_threads(key: str, asked: int | None) -> None:
    """For the CPU threads of a process; None: as many as fit.

    Raises:
        ValueError: none, or so many that the process cannot start them.
    """
    if asked is not None and not 1 <= asked <= MOST_THREADS:
        raise ValueError(f"{key} must lie in 1..{MOST_THREADS}, got {asked}")


def refuse_unbounded(section: str, settings: dict) -> None:
    """For the numbers of a section.

    Raises:
        ValueError: one is infinite, or not a number.
    """
    for key, value in settings.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{section}.{key} must be a finite number, got {value}")


def refuse_sizes_below_one(section: str, settings: dict) -> None:
    """Check all integers of a section, `model` or `measure`.

    Raises:
        ValueError: an integer is below 1.
    """
    for key, value in settings.items():
        if isinstance(value, int) and not isinstance(value, bool) and value < 1 and key not in MAY_BE_ZERO:
            raise ValueError(f"{section}.{key} must be at least 1, got {value}")


def refuse_repeated(section: str, settings: dict) -> None:
    """For the lists of a section, each of whose values is a point of its own.

    Raises:
        ValueError: a list has a value twice.
    """
    for key, values in settings.items():
        points = values if isinstance(values, list) else []
        if repeated := [value for index, value in enumerate(points) if value in points[:index]]:
            raise ValueError(f"{section}.{key} has {repeated[0]} more than once: give each value once")


def _check_task(config: dict, model: nn.Module) -> None:
    """Raises ValueError where dataset, task and network are not of one kind; see Source.kind."""
    task, data = make(config["task"], "task").kind, load_dataset(config).kind
    if task != data:
        raise ValueError(
            f"task={config['task']['name']} reads targets of the kind {task} and dataset="
            f"{config['dataset']['name']} has {data}: leave out task=..., which each dataset chooses"
        )
    if (network := getattr(model, "kind", "class")) != task:
        raise ValueError(
            f"model={config['model']['name']} predicts the kind {network}, and"
            f" task={config['task']['name']} needs {task}: take "
            + PREDICTS.get(task, "another, such as model=resnet20")
        )


def _check_data_settings(data: dict) -> None:
    if data["crop_padding"] < 0:
        raise ValueError(f"dataset.crop_padding must be at least 0, got {data['crop_padding']}")
    if data["dims"] != 2 and (data["crop_padding"] or data["flip"]):
        raise ValueError(
            f"dataset={data['name']} has sequences, which are not cropped or flipped: omit"
            " dataset.crop_padding and dataset.flip"
        )


def _check_normalization(settings: dict, data: dict) -> None:
    make(settings, "normalization")  # of the kinds that it takes
    given = {len(settings[key]) for key in ("mean", "std") if key in settings}
    if given and (data["dims"] != 2 or given != {data["c_in"]}):
        raise ValueError(
            f"normalization={settings['name']} is for images of {max(given)} channels, which"
            f" dataset={data['name']} does not have: omit it, or set normalization.mean and .std"
        )
    if not all(value > 0 for value in settings.get("std", ())):
        raise ValueError(f"normalization.std must be above 0 in each channel, got {settings['std']}")


def _check_tracker(node: dict) -> None:
    if "_target_" in node:  # there is none otherwise
        tracker = make(node, "tracker")
        tracker.func.check(**tracker.keywords)
