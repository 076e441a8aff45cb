"""Sweeps: every run is checked before the first one starts, and what failed is said at the end."""

import copy
import importlib
import sys
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from resexp.experiments import workers
from resexp.experiments.compose import ConfigError, explained, resolved
from resexp.experiments.listing import CONF, groups, options
from resexp.records.run import FINISHED, RunFolder
from resexp.refusal import refuse


class CheckedSweep(Callback):
    """Builds each run's parts before the first one starts; sums up when the last one has ended.

    Hydra turns an exception in a callback into a warning; leaving with SystemExit passes through.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Exit with 2, and one sentence, for the first run that cannot be carried out.

        Exit with 0 where all runs are finished: Hydra would compose each of them twice more.
        """
        command = importlib.import_module(f"resexp.experiments.{config.command}")
        params = dict(config.hydra.sweeper.params or {})
        overrides = list(config.hydra.overrides.task)
        compose_one, self.runs, planned = _Composer(config), [], []
        try:
            for job in _jobs(params, overrides):
                settings = resolved(compose_one(job))
                planned.append(settings)
                self.runs.append(command.folder_of(settings))
                if self.runs[-1].status()["status"] not in FINISHED:
                    command.check(settings)
        except ConfigError as error:
            refuse(error)
        except (HydraException, OmegaConfBaseException) as error:
            refuse(explained(error, config.command, overrides))
        if all(run.status()["status"] in FINISHED for run in self.runs):
            if not workers.worker_index():
                self._sum_up()
            sys.exit(0)
        self.wait = command.share(planned)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Wait for the other workers, sum up, exit with 1 if a run has failed."""
        self.wait()
        if workers.worker_index():
            return
        counts = self._sum_up()
        if "failed" in counts:
            sys.exit(1)

    def _sum_up(self) -> dict[str, int]:
        statuses = [run.status()["status"] for run in self.runs]
        counts = {status: statuses.count(status) for status in sorted(set(statuses))}
        print(", ".join(f"{count} {status}" for status, count in counts.items()), flush=True)
        return counts


class _Composer:
    """Overrides of one run of a sweep -> its config, as Hydra composes it but in less time.

    Composing is slow. It is done once for each choice of options; settings that only replace a
    value, such as seeds, are put into a copy.
    """

    def __init__(self, sweep: DictConfig):
        self.sweep, self.loader = sweep, GlobalHydra.instance().config_loader()
        self.bases: dict[tuple[str, ...], DictConfig] = {}

    def __call__(self, job: list[str]) -> DictConfig:
        values = [o for o in OverridesParser.create().parse_overrides(job) if self._is_value(o)]
        lines = {override.input_line for override in values}
        choices = tuple(line for line in job if line not in lines)
        try:
            if choices not in self.bases:
                self.bases[choices] = self._composed(list(choices))
            config = copy.deepcopy(self.bases[choices])
            for override in values:
                OmegaConf.update(config, override.key_or_group, override.value(), merge=True)
            return config
        except (HydraException, OmegaConfBaseException):
            return self._composed(job)  # says what is wrong in the words that are explained

    def _composed(self, job: list[str]) -> DictConfig:
        config = self.loader.load_sweep_config(self.sweep, job)
        with open_dict(config):
            del config["hydra"]
        return config

    @staticmethod
    def _is_value(override: Override) -> bool:
        chooses = override.key_or_group in groups() or override.is_hydra_override()
        return override.type is OverrideType.CHANGE and override.package is None and not chooses


def planned(experiment: str, runs: Path) -> tuple[list[dict], list[str]]:
    """The runs that an experiment's file describes, and the keys that it sweeps.

    Args:
        experiment: name of a file in conf/experiment.
        runs: folder of all runs.
    Returns:
        The resolved config of each run; empty for a name that has no file.
    """
    if experiment not in options("experiment"):
        return [], []
    command = command_of(experiment)
    base = [f"experiment={experiment}", f"train.runs={runs}" if command == "train" else f"runs={runs}"]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            sweep = compose(command, base, return_hydra_config=True)
            with open_dict(sweep):
                sweep.hydra.job.config_name = command
            params, compose_one = dict(sweep.hydra.sweeper.params), _Composer(sweep)
            return [resolved(compose_one(job)) for job in _jobs(params, base)], list(params)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explained(error, command, base)) from error


def command_of(experiment: str) -> str:
    """The command that an experiment's file is for: train, unless it says `command: measure`."""
    return OmegaConf.load(CONF / "experiment" / f"{experiment}.yaml").get("command", "train")


def folder_of(config: dict) -> RunFolder:
    """The folder of the run that a resolved config of either command describes."""
    return importlib.import_module(f"resexp.experiments.{config['command']}").folder_of(config)


def _jobs(params: dict[str, Any], overrides: list[str]) -> list[list[str]]:
    """The overrides of each run of a sweep, in the order of Hydra's basic sweeper."""
    lines = [*(f"{key}={value}" for key, value in params.items()), *overrides]
    return BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(lines), None)[0]
