"""What Hydra calls: one run, or one measurement.

What computes is imported when there is something to compute: printing a config, completing a word or
finding that all is done needs no torch.
"""

import sys
from importlib import import_module

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from resexp.experiments.compose import ConfigError, resolved
from resexp.experiments.listing import CONF
from resexp.experiments.runs import folder_of, settled
from resexp.records.run import BusyError
from resexp.refusal import refuse, refuse_unusable


@hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")
def train(config: DictConfig) -> str:
    """Hydra's task of `resexp train`: one run; returns how it ended."""
    return _carried_out(config)


@hydra.main(config_path=str(CONF), config_name="measure", version_base="1.3")
def measure(config: DictConfig) -> str:
    """Hydra's task of `resexp measure`: one measurement; returns how it ended."""
    return _carried_out(config)


def _carried_out(config: DictConfig) -> str:
    """Exits with 2 and a sentence for what cannot be carried out, with 1 for a single run that failed."""
    single = HydraConfig.get().mode == RunMode.RUN
    try:
        settings = settled(resolved(config))
        folder = folder_of(settings)
        if folder.is_finished:
            status = folder.recorded()["status"]
            print(f"{folder.name}: {status} already", flush=True)
            return status
        command = import_module(f"resexp.experiments.{settings['command']}")
        if single:  # the runs of a sweep have been checked all together
            command.check(settings)
        status = command.run(settings)
    except (ConfigError, BusyError) as error:
        if single or isinstance(error, ConfigError):
            refuse(error)
        return "running"  # by somebody else; the launcher goes on with the others
    except OSError as error:
        refuse_unusable(error)
    if single and status == "failed":
        sys.exit(1)
    return status
