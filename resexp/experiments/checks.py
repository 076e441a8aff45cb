"""What would stop a run, found before anything is computed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from resexp.config.catalog import default_of, option
from resexp.config.compose import ConfigError
from resexp.config.instantiate import make
from resexp.data.batches import check_batch_size
from resexp.experiments.data import training_examples
from resexp.experiments.devices import device_of
from resexp.training.checkpoint import kept_steps
from resexp.training.precision import autocast, channels_last, cudnn_benchmark
from resexp.training.sgd import parameter_groups

MAY_BE_ZERO = {"hidden"}  # of a model's sizes


def check(config: dict) -> None:
    """Find what would stop a run, before anything is computed.

    Raises:
        ConfigError: says what is wrong and what is allowed.
    """
    with refused_in_a_sentence():
        if config["interval"] < 1:
            raise ValueError(f"interval must be at least 1, got {config['interval']}")
        refuse_zero_or_less(
            {f"train.{key}": config["train"][key] for key in ("workers", "threads", "max_minutes")}
        )
        if (minutes := config["train"]["checkpoint_minutes"]) < 0:  # 0: after every step
            raise ValueError(f"train.checkpoint_minutes must be at least 0, got {minutes}")
        kept_steps(config["train"]["keep"], config["schedule"]["steps"])
        check_name_and_seed(config)
        _check_data_settings(config["dataset"])
        _check_normalization(config["normalization"], config["dataset"])
        refuse_sizes_below_one("model", config["model"])
        refuse_unused_block(config)
        with torch.device("meta"), _NothingIsDrawn():  # shapes and settings are checked
            model = make(config["model"], "model")
            make(config["init"], "init")(model, None)
        make(config["tracker"], "tracker")
        make(config["schedule"], "schedule")  # its rate is the optimizer's
        make(config["optimizer"], "optimizer")(parameter_groups(model))
        device = device_of(config["train"]["device"])
        autocast(config["precision"], device)
        for choice in (channels_last, cudnn_benchmark):
            choice(config["train"][choice.__name__], config["precision"], device)
        check_batch_size(config["batch_size"], training_examples(config))


@contextmanager
def refused_in_a_sentence() -> Iterator[None]:
    """Turn what stands in the way of settings into a ConfigError.

    Our own refusals are sentences already; torch's classes have words of their own.
    """
    try:
        yield
    except ValueError as error:
        raise ConfigError(str(error)) from error
    except (ArithmeticError, AttributeError, RuntimeError, TypeError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"these settings do not go together: {said}") from error


class _NothingIsDrawn(TorchFunctionMode):
    """Leaves tensors as they are: the meta device has nothing to fill, but torch is slow to see it."""

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        if function in (Tensor.normal_, Tensor.uniform_):
            return arguments[0]
        return function(*arguments, **(keywords or {}))


def check_name_and_seed(config: dict) -> None:
    """What every command's config has.

    Raises:
        ValueError: a name or a label that cannot be a folder's, or a seed that torch does not take.
    """
    labels = {f"label {key}": value for key, value in config.get("labels", {}).items()}
    for key, value in {"name": config["name"], **labels}.items():
        if isinstance(value, str) and not re.fullmatch(r"\w[\w.-]*", value):
            raise ValueError(
                f"{key} must consist of letters, digits, '.', '-' and '_', as it becomes part of a folder's"
                f" name; got {value!r}"
            )
    if not 0 <= config["seed"] < 2**63:
        raise ValueError(f"seed must lie between 0 and 2^63 - 1, got {config['seed']}")


def refuse_zero_or_less(values: dict[str, float | None]) -> None:
    """For settings that may be left out.

    Raises:
        ValueError: one is neither above 0 nor None.
    """
    for key, value in values.items():
        if value is not None and not value > 0:
            raise ValueError(f"{key} must be above 0, got {value}")


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


def _check_normalization(settings: dict, data: dict) -> None:
    given = {len(settings[key]) for key in ("mean", "std") if key in settings}
    if given and (data["dims"] != 2 or given != {data["c_in"]}):
        raise ValueError(
            f"normalization={settings['name']} is for images of {max(given)} channels, which"
            f" dataset={data['name']} does not have: leave it out, or set normalization.mean and .std"
        )


def refuse_unused_block(config: dict) -> None:
    """For networks that are built without blocks.

    Raises:
        ValueError: another block than the default was asked for.
    """
    model = config["model"]
    if "block" not in model and config["block"] != option("block", default_of("block")):
        raise ValueError(f"model={model['name']} has no residual blocks: leave out block=...")
