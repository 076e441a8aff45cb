"""Sweeps: every run is checked before the first one starts, and what failed is said at the end."""

import sys
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from resexp.experiments import workers
from resexp.experiments.compose import ConfigError, composed, explained, resolved
from resexp.experiments.listing import options
from resexp.refusal import refuse


class CheckedSweep(Callback):
    """Builds each run's parts before the first one starts; sums up when the last one has ended.

    Hydra turns an exception in a callback into a warning; leaving with SystemExit passes through.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Exit with 2, and one sentence, for the first run that cannot be carried out."""
        from resexp.experiments import build, train

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
                self.runs.append(train.folder_of(settings))
                if self.runs[-1].status()["status"] not in train.FINISHED:
                    build.check(settings)
        except ConfigError as error:
            refuse(error)
        except (HydraException, OmegaConfBaseException) as error:
            refuse(explained(error, "train", overrides))
        self.others = workers.start_others(config.train.workers)

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
    base = [f"experiment={experiment}", f"train.runs={runs}"]
    swept = composed("train", base, with_hydra=True).hydra.sweeper.params
    return [resolved(composed("train", job)) for job in _jobs(dict(swept), base)], list(swept)


def _jobs(params: dict[str, Any], overrides: list[str]) -> list[list[str]]:
    """The overrides of each run of a sweep, in the order of Hydra's basic sweeper."""
    lines = [*(f"{key}={value}" for key, value in params.items()), *overrides]
    return BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(lines), None)[0]
