"""Sweeps: every run is checked before the first one starts, and what failed is said at the end."""

import sys
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from resexp.experiments.compose import composed, resolved
from resexp.experiments.listing import options


class CheckedSweeper(BasicSweeper):
    """Hydra's basic sweeper that also builds each run's parts before the first one starts."""

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Raises ConfigError for the first run that cannot be carried out."""
        from resexp.experiments import build, train

        for overrides in batch:
            config = self.hydra_context.config_loader.load_sweep_config(self.config, list(overrides))
            config = _without_hydra(config)
            if train.folder_of(config).status()["status"] not in train.FINISHED:
                build.check(config)

    def sweep(self, arguments: list[str]) -> None:
        """Raises SystemExit(1) at the end if a run failed."""
        jobs = [job for batch in super().sweep(arguments) for job in batch]
        statuses = [job.return_value for job in jobs]
        counts = {status: statuses.count(status) for status in dict.fromkeys(statuses)}
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
    whole = composed("train", base, with_hydra=True)
    swept = OmegaConf.to_container(whole.hydra.sweeper.params)
    parsed = OverridesParser.create().parse_overrides([f"{k}={v}" for k, v in swept.items()])
    jobs = BasicSweeper.split_arguments(parsed, None)[0]
    return [resolved(composed("train", base + list(job))) for job in jobs], list(swept)


def _without_hydra(config: DictConfig) -> dict:
    with open_dict(config):
        del config["hydra"]
    return resolved(config)
