"""Sweeps: check all runs before the first one starts, and report failures at the end."""

import contextlib
import importlib
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from resexp.config.compose import ConfigError, explain, resolve
from resexp.config.sweep import Composer, jobs, with_seed, without_seed
from resexp.exits import OutputError, copies, go_on_without, nobody_reads, refuse, refuse_unusable
from resexp.experiments import board, expected, planned, stop, workers
from resexp.experiments.progress import Overview
from resexp.experiments.runs import folder_of, settle
from resexp.records.contents import FINISHED
from resexp.records.identity import identity
from resexp.records.run import BusyError

MANY = 1000  # runs: from here on it is said that they are checked


class Command(Protocol):
    """Interface of the modules that implement a command: train, measure."""

    def check(self, config: dict) -> None:
        """Raise ConfigError if the config is invalid, before anything is computed."""

    def run(self, config: dict, signals: stop.Signals) -> str:
        """Execute one checked run; return its status. Raises BusyError if another process holds it."""

    def start_workers(
        self, runs: list[dict], one: Callable[[dict], None], signals: stop.Signals
    ) -> Callable[[], object]:
        """Start the other workers of a sweep; return a function that waits for them."""


class CheckedSweep(Callback):
    """Check all runs of a sweep before the first one starts, then execute them.

    This replaces Hydra's basic launcher, which would compose each run twice more. Other launchers, e.g.
    for a cluster, and other sweepers are left to execute the runs themselves.

    Args:
        dry_run: print what would be executed, and exit.
    """

    def __init__(self, dry_run: bool = False):
        self.dry_run = dry_run

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Execute the sweep and exit.

        Exit codes: 2, with a one-line message, if a run's config is invalid; 1 if a run failed or was
        left unfinished although time remained; else 0.
        """
        try:
            self._start(config)
        except BrokenPipeError:
            nobody_reads()
        except OSError as error:
            refuse_unusable(error)
        except OutputError as error:
            refuse(error)
        except Exception:  # Hydra would only warn and launch the sweep anyway
            traceback.print_exc()
            sys.exit(1)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """After another launcher: print a summary; exit with 1 if a run failed."""
        if self.folders and (code := self._sum_up()):
            sys.exit(code)

    def _start(self, config: DictConfig) -> None:
        self.command_name, self.signals, self.folders = config.command, stop.Signals(), []
        if copies() > 1 and not (is_expanded(config.hydra) and _is(config.hydra.launcher, BasicLauncher)):
            refuse("torchrun trains one run after the other: leave out hydra/launcher and hydra/sweeper")
        self.max_minutes = config.train.max_minutes if config.command == "train" else None
        if not is_expanded(config.hydra):
            if self.dry_run:
                refuse("--dry-run: this sweeper chooses its runs by the results so far; none is known before")
            return  # what its expressions mean, the sweeper knows alone
        runs = self._check_all(config)
        finished = all(folder.is_finished for folder in self.folders)
        if self.dry_run:
            print("\n".join(planned.lines(runs, self.folders, workers.asked(runs))), flush=True)
            sys.exit(0)
        if not finished and not _is(config.hydra.launcher, BasicLauncher):
            return
        go_on_without(sys.stdout)
        if not finished:
            self._carry_out(runs)
        sys.exit(self._sum_up())

    def _carry_out(self, runs: list[dict]) -> None:
        failed_before = {f.name for f in self.folders if f.recorded()["status"] == "failed"}

        def one(run: dict) -> None:
            folder = folder_of(run)
            before = folder.recorded()["status"]
            if before == "failed" and folder.name not in failed_before:
                return  # another worker just retried it
            with contextlib.suppress(BusyError):  # held by another worker
                if self.command.run(run, self.signals) in FINISHED and before not in FINISHED:
                    self._print_progress()

        names = [folder.name for folder in self.folders]
        overview = Overview(self.folders, dict(zip(names, runs, strict=True)))
        runs = expected.longest_first(runs, expected.recorded(zip(runs, self.folders, strict=True)))
        with board.on_terminal(overview, workers.asked(runs)):
            self._share(runs, one)

    def _share(self, runs: list[dict], one: Callable[[dict], None]) -> None:
        """Execute all runs, in this order, together with the workers that the config asks for."""
        try:
            wait = self.command.start_workers(runs, one, self.signals)
        except ConfigError as error:
            refuse(error)
        try:
            for run in runs:
                one(run)
            wait()
        except BaseException:  # make the threads stop, too, each with a checkpoint
            self.signals.received = self.signals.received or signal.SIGINT
            raise

    def _print_progress(self) -> None:
        if workers.is_drawn():
            return
        finished = sum(folder.is_finished for folder in self.folders)
        print(f"{finished} of {len(self.folders)} runs finished", flush=True)

    @property
    def command(self) -> Command:
        """The command's module; imported only if a run is unfinished, since it imports torch."""
        return importlib.import_module(f"resexp.experiments.{self.command_name}")

    def _check_all(self, config: DictConfig) -> list[dict]:
        """Settled configs of all runs, checked; runs that differ only in their seed are checked once."""
        params, overrides = dict(config.hydra.sweeper.params or {}), list(config.hydra.overrides.task)
        compose_one, settled, identities, unchecked, runs = Composer(config), {}, {}, {}, []
        try:
            asked = jobs(params, overrides)
            for job in _counted("composing their settings", asked):
                others, seed = without_seed(job)
                if others not in settled:
                    settled[others] = settle(resolve(compose_one(job)))
                    identities[others] = identity(settled[others])  # most of the time of a hundred thousand
                runs.append(with_seed(settled[others], seed))
                self.folders.append(folder_of(runs[-1], identities[others] | {"seed": runs[-1]["seed"]}))
                if others not in unchecked and not self.folders[-1].is_finished:
                    unchecked[others] = runs[-1]
            if not workers.worker_index():  # worker 0 checks for the others
                for run in _counted("checking their settings", list(unchecked.values())):
                    planned.check(self.command, run) if self.dry_run else self.command.check(run)
        except ConfigError as error:
            refuse(error)
        except (HydraException, OmegaConfBaseException) as error:
            refuse(explain(error, config.command, overrides))
        return runs

    def _sum_up(self) -> int:
        """Print how many runs ended with which status (worker 0 only); return the exit code of the sweep."""
        statuses = [folder.state()["status"] for folder in self.folders]
        if not workers.worker_index():
            counts = (f"{statuses.count(status)} {status}" for status in sorted(set(statuses)))
            print(", ".join(counts), flush=True)
        # running: held by another process, which reports it itself
        left = {"interrupted", "missing"} if not stop.time_is_up(self.max_minutes) else set()
        return int(bool(left.union({"failed"}).intersection(statuses)))


def is_expanded(hydra: DictConfig) -> bool:
    """Whether all runs of a sweep are known, and checked, before the first one starts.

    Not with another sweeper, such as Optuna's, which chooses settings by the results so far.
    """
    return _is(hydra.sweeper, BasicSweeper)


def _counted(what: str, items: list) -> Iterator:
    """The same items; of many it is said how many there are, and how long it takes to go through them."""
    if len(items) < MANY or workers.worker_index():
        yield from items
        return
    print(f"{len(items):,} runs: {what}", flush=True)
    started = begun = time.monotonic()
    next_word = 0.3
    for done, item in enumerate(items):
        if done == 1:
            begun = time.monotonic()  # the first one composes, or imports, what the others share
        elif (passed := time.monotonic() - begun) > next_word and done:
            print(f"{done:,} done, {passed / (done - 1) * (len(items) - done):.0f} s left", flush=True)
            next_word = 5 * passed
        yield item
    print(f"{what} took {time.monotonic() - started:.0f} s", flush=True)


def _is(node: DictConfig, plugin: type) -> bool:
    return node._target_ == f"{plugin.__module__}.{plugin.__name__}"
