"""Sweeps: every run is checked before the first one starts, and what failed is said at the end."""

import contextlib
import copy
import importlib
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from resexp.experiments import stop, workers
from resexp.experiments.compose import ConfigError, explained, resolved
from resexp.experiments.listing import CONF, command_of, groups, options
from resexp.records.run import FINISHED, BusyError, RunFolder
from resexp.refusal import refuse, refuse_unusable


class CheckedSweep(Callback):
    """Builds each run's parts before the first one starts, then carries all of them out.

    Hydra's own launcher would compose each run twice more. Where another launcher is chosen, such as
    one for a cluster, or another sweeper, it is left to that.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Exit with 2, and one sentence, for the first run that cannot be carried out.

        Otherwise exit with 0 when all runs have been gone through, and with 1 if one has failed, or was
        left unfinished while there was time.
        """
        try:
            self._start(config)
        except OSError as error:
            refuse_unusable(error)
        except Exception:  # Hydra would warn of it and launch the sweep
            traceback.print_exc()
            sys.exit(1)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Behind another launcher: sum up, exit with 1 if a run has failed."""
        if code := self._sum_up():
            sys.exit(code)

    def _start(self, config: DictConfig) -> None:
        self.command = importlib.import_module(f"resexp.experiments.{config.command}")
        self.max_minutes = config.train.max_minutes if config.command == "train" else None
        runs = self._checked(config)
        self.folders = [self.command.folder_of(run) for run in runs]
        if not _is(config.hydra.launcher, BasicLauncher) or not _is(config.hydra.sweeper, BasicSweeper):
            return
        if not all(folder.status()["status"] in FINISHED for folder in self.folders):
            self._carry_out(runs)
        sys.exit(self._sum_up())

    def _carry_out(self, runs: list[dict]) -> None:
        failed_before = {f.name for f in self.folders if f.status()["status"] == "failed"}

        def one(run: dict) -> None:
            folder = self.command.folder_of(run)
            before = folder.recorded_status()["status"]
            if before == "failed" and folder.name not in failed_before:
                return  # another worker has just tried
            with contextlib.suppress(BusyError):  # another worker's
                self.command.run(run)
                if before not in FINISHED:
                    self._say_how_far()

        try:
            wait = self.command.share(runs, one)
        except ConfigError as error:
            refuse(error)
        try:
            for run in runs:
                one(run)
            wait()
        except BaseException:  # threads shall stop, too, with a checkpoint
            stop.Signals.received = stop.Signals.received or signal.SIGINT
            raise

    def _say_how_far(self) -> None:
        finished = sum(folder.recorded_status()["status"] in FINISHED for folder in self.folders)
        print(f"{finished} of {len(self.folders)} runs finished", flush=True)

    def _checked(self, config: DictConfig) -> list[dict]:
        params, overrides = dict(config.hydra.sweeper.params or {}), list(config.hydra.overrides.task)
        compose_one, runs = _Composer(config), []
        try:
            for job in _jobs(params, overrides):
                runs.append(resolved(compose_one(job)))
                finished = self.command.folder_of(runs[-1]).status()["status"] in FINISHED
                if not finished and not workers.worker_index():  # the first has checked for the others
                    self.command.check(runs[-1])
        except ConfigError as error:
            refuse(error)
        except (HydraException, OmegaConfBaseException) as error:
            refuse(explained(error, config.command, overrides))
        return runs

    def _sum_up(self) -> int:
        """Print how the runs have ended, once; the exit code of the sweep."""
        statuses = [folder.status()["status"] for folder in self.folders]
        if not workers.worker_index():
            counts = (f"{statuses.count(status)} {status}" for status in sorted(set(statuses)))
            print(", ".join(counts), flush=True)
        # what another terminal is at is its matter; what a worker has left behind is ours
        left = {"interrupted", "missing"} if not stop.time_is_up(self.max_minutes) else set()
        return int(bool(left.union({"failed"}).intersection(statuses)))


def _is(node: DictConfig, plugin: type) -> bool:
    return node._target_ == f"{plugin.__module__}.{plugin.__name__}"


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
    base = [f"experiment={experiment}"]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            sweep = compose(command, base, return_hydra_config=True)
            with open_dict(sweep):
                sweep.hydra.job.config_name = command
            params, compose_one = dict(sweep.hydra.sweeper.params), _Composer(sweep)
            found = [resolved(compose_one(job)) for job in _jobs(params, base)]
            for config in found:  # not an override, which would give a meaning to commas and brackets
                (config["train"] if command == "train" else config)["runs"] = str(runs)
            return found, list(params)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explained(error, command, base)) from error


def folder_of(config: dict) -> RunFolder:
    """The folder of the run that a resolved config of either command describes."""
    return importlib.import_module(f"resexp.experiments.{config['command']}").folder_of(config)


def _jobs(params: dict[str, Any], overrides: list[str]) -> list[list[str]]:
    """The overrides of each run of a sweep, in the order of Hydra's basic sweeper."""
    lines = [*(f"{key}={value}" for key, value in params.items()), *overrides]
    return BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(lines), None)[0]
