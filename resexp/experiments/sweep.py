"""Sweeps: every run is checked before the first one starts, and what failed is said at the end."""

import importlib
import sys
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from resexp.experiments import workers
from resexp.experiments.compose import ConfigError, composed, explained, resolved
from resexp.experiments.listing import CONF, options
from resexp.records.run import FINISHED, RunFolder
from resexp.refusal import refuse


class CheckedSweep(Callback):
    """Builds each run's parts before the first one starts; sums up when the last one has ended.

    Hydra turns an exception in a callback into a warning; leaving with SystemExit passes through.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Exit with 2, and one sentence, for the first run that cannot be carried out."""
        command = importlib.import_module(f"resexp.experiments.{config.command}")
        loader = GlobalHydra.instance().config_loader()
        params = dict(config.hydra.sweeper.params or {})
        overrides = list(config.hydra.overrides.task)
        self.runs = []
        try:
            for job in _jobs(params, overrides):
                one = loader.load_sweep_config(config, job)
                with open_dict(one):
                    del one["hydra"]
                settings = resolved(one)
                self.runs.append(command.folder_of(settings))
                if self.runs[-1].status()["status"] not in FINISHED:
                    command.check(settings)
        except ConfigError as error:
            refuse(error)
        except (HydraException, OmegaConfBaseException) as error:
            refuse(explained(error, config.command, overrides))
        count = config.train.workers if config.command == "train" else 1
        self.others = workers.start_others(count)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Wait for the other workers, sum up, exit with 1 if a run has failed."""
        if workers.worker_index():
            return
        for other in self.others:
            other.wait()
        statuses = [run.status()["status"] for run in self.runs]
        counts = {status: statuses.count(status) for status in sorted(set(statuses))}
        print(", ".join(f"{count} {status}" for status, count in counts.items()), flush=True)
        if "failed" in counts:
            sys.exit(1)


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
    swept = composed(command, base, with_hydra=True).hydra.sweeper.params
    return [resolved(composed(command, job)) for job in _jobs(dict(swept), base)], list(swept)


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
