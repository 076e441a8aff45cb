"""Sweeps: every run is checked before the first one starts, and what failed is said at the end."""

import contextlib
import importlib
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, Protocol

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from resexp.config.compose import ConfigError, explain, resolve
from resexp.config.sweep import Composer, jobs
from resexp.exits import nobody_reads, refuse, refuse_unusable
from resexp.experiments import stop, workers
from resexp.experiments.runs import folder_of, settle
from resexp.records.run import FINISHED, BusyError


class Command(Protocol):
    """What a module of this room offers to be run and swept: train, measure."""

    def check(self, config: dict) -> None:
        """Raise ConfigError for what would stop a run, before anything is computed."""

    def run(self, config: dict, signals: stop.Signals) -> str:
        """Carry out one run that was checked; its status. Raises BusyError if another process does."""

    def start_workers(
        self, runs: list[dict], one: Callable[[dict], None], signals: stop.Signals
    ) -> Callable[[], object]:
        """Start what shares a sweep's runs with this process; a function that waits for it."""


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
        except BrokenPipeError:
            nobody_reads()
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
        self.command_name, self.signals = config.command, stop.Signals()
        self.max_minutes = config.train.max_minutes if config.command == "train" else None
        runs = self._checked(config)
        self.folders = [folder_of(run) for run in runs]
        if not _is(config.hydra.launcher, BasicLauncher) or not _is(config.hydra.sweeper, BasicSweeper):
            return
        if not all(folder.is_finished for folder in self.folders):
            self._carry_out(runs)
        sys.exit(self._sum_up())

    def _carry_out(self, runs: list[dict]) -> None:
        failed_before = {f.name for f in self.folders if f.recorded()["status"] == "failed"}

        def one(run: dict) -> None:
            folder = folder_of(run)
            before = folder.recorded()["status"]
            if before == "failed" and folder.name not in failed_before:
                return  # another worker has just tried
            with contextlib.suppress(BusyError):  # another worker's
                if self.command.run(run, self.signals) in FINISHED and before not in FINISHED:
                    self._say_how_far()

        try:
            wait = self.command.start_workers(runs, one, self.signals)
        except ConfigError as error:
            refuse(error)
        try:
            for run in runs:
                one(run)
            wait()
        except BaseException:  # threads shall stop, too, with a checkpoint
            self.signals.received = self.signals.received or signal.SIGINT
            raise

    def _say_how_far(self) -> None:
        finished = sum(folder.is_finished for folder in self.folders)
        print(f"{finished} of {len(self.folders)} runs finished", flush=True)

    @property
    def command(self) -> Command:
        """Imported for what is not finished."""
        return importlib.import_module(f"resexp.experiments.{self.command_name}")

    def _checked(self, config: DictConfig) -> list[dict]:
        params, overrides = dict(config.hydra.sweeper.params or {}), list(config.hydra.overrides.task)
        compose_one, runs = Composer(config), []
        try:
            for job in jobs(params, overrides):
                runs.append(settle(resolve(compose_one(job))))
                if (
                    not workers.worker_index() and not folder_of(runs[-1]).is_finished
                ):  # the first has checked for the others
                    self.command.check(runs[-1])
        except ConfigError as error:
            refuse(error)
        except (HydraException, OmegaConfBaseException) as error:
            refuse(explain(error, config.command, overrides))
        return runs

    def _sum_up(self) -> int:
        """Print how the runs have ended, once; the exit code of the sweep."""
        statuses = [folder.state()["status"] for folder in self.folders]
        if not workers.worker_index():
            counts = (f"{statuses.count(status)} {status}" for status in sorted(set(statuses)))
            print(", ".join(counts), flush=True)
        # what another terminal is at is its matter; what a worker has left behind is ours
        left = {"interrupted", "missing"} if not stop.time_is_up(self.max_minutes) else set()
        return int(bool(left.union({"failed"}).intersection(statuses)))


def _is(node: DictConfig, plugin: type) -> bool:
    return node._target_ == f"{plugin.__module__}.{plugin.__name__}"
