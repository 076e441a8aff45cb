"""Compose the configs of all runs of a sweep."""

import copy
import re
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from resexp.config.catalog import command_of, groups, options
from resexp.config.compose import ConfigError, explain, own_hydra, resolve

SEED = re.compile(r"seed=(0|[1-9]\d{0,17})")


class Composer:
    """Compose the config of one run of a sweep; same result as Hydra, but faster.

    Composing is slow. It is done once per combination of options; overrides that only replace a
    value, such as seeds, are applied to a copy.
    """

    def __init__(self, sweep: DictConfig):
        self.sweep, self.loader = sweep, GlobalHydra.instance().config_loader()
        self.bases: dict[tuple[str, ...], DictConfig] = {}

    def __call__(self, job: list[str]) -> DictConfig:
        values = [o for o in OverridesParser.create().parse_overrides(job) if is_value(o)]
        lines = {override.input_line for override in values}
        choices = tuple(line for line in job if line not in lines)
        try:
            if choices not in self.bases:
                self.bases[choices] = self._compose(list(choices))
            config = copy.deepcopy(self.bases[choices])
            for override in values:
                OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
            return config
        except (HydraException, OmegaConfBaseException):
            return self._compose(job)  # raises Hydra's own error, which explain() understands

    def _compose(self, job: list[str]) -> DictConfig:
        config = self.loader.load_sweep_config(self.sweep, job)
        with open_dict(config):
            del config["hydra"]
        return config


def is_value(override: Override) -> bool:
    """Whether an override only replaces a value, rather than to choose an option, add a key or delete one."""
    chooses = override.key_or_group in groups() or override.is_hydra_override()
    return override.type is OverrideType.CHANGE and override.package is None and not chooses


def plan(experiment: str, runs: Path) -> tuple[list[dict], list[str]]:
    """The runs of an experiment's file, and the keys that it sweeps.

    Args:
        experiment: name of a file in conf/experiment.
        runs: folder of all runs.
    Returns:
        The resolved config of each run, and the swept keys; both empty if the file does not exist.
    """
    if experiment not in options("experiment"):
        return [], []
    command = command_of(experiment)
    base = [f"experiment={experiment}"]
    try:
        with own_hydra():
            sweep = hydra.compose(command, base, return_hydra_config=True)
            with open_dict(sweep):
                sweep.hydra.job.config_name = command
            params, compose_job = dict(sweep.hydra.sweeper.params), Composer(sweep)
            found = [resolve(compose_job(job)) for job in jobs(params, base)]
            for config in found:  # not as an override: the path may contain commas and brackets
                (config["train"] if command == "train" else config)["runs"] = str(runs)
            return found, list(params)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, command, base)) from error


def jobs(params: dict[str, Any], overrides: list[str]) -> list[list[str]]:
    """The overrides of each run of a sweep, in the order of Hydra's BasicSweeper."""
    lines = [*(f"{key}={value}" for key, value in params.items()), *overrides]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())  # for glob(*)
    return BasicSweeper.split_arguments(parser.parse_overrides(lines), None)[0]


def without_seed(job: list[str]) -> tuple[tuple[str, ...], int | None]:
    """A run's overrides but for its seed, and the seed; None: it is among the others, or is the default."""
    found = [line for line in job if SEED.fullmatch(line)]
    if len(found) != 1:
        return tuple(job), None
    return tuple(line for line in job if line != found[0]), int(found[0].partition("=")[2])


def with_seed(config: dict, seed: int | None) -> dict:
    """The resolved config of the run that differs in its seed alone; None: the same.

    It shares its sections with `config`: a sweep over a hundred thousand seeds keeps one of each.
    """
    if seed is None:
        return config
    labels = {"labels": config["labels"] | {"seed": seed}} if "labels" in config else {}
    return config | {"seed": seed} | labels
