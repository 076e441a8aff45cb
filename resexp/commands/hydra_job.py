"""What `train` and `measure` share: Hydra composes a config, and one run or measurement is executed.

torch is imported only once a run has to be executed: printing a config, completing a word or finding that
all runs are finished needs none.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from resexp.config.catalog import CONF, command_of, groups, options, swept_by
from resexp.config.compose import ConfigError, explain, refuse_no_names, resolve
from resexp.exits import COMPLETION, refuse, refuse_unusable
from resexp.experiments.runs import folder_of, settle
from resexp.experiments.stop import Signals
from resexp.records.run import BusyError


def run(command: str, job: Callable[[], None], arguments: list[str]) -> None:
    """Hand the arguments to Hydra, and say what is wrong with them in one sentence."""
    try:
        for line in remarks(command, arguments):
            print(line, flush=True)
    except ConfigError as error:
        refuse(error)
    # the script for completion is one for the program's name
    completing = arguments[:1] and arguments[0] in COMPLETION
    sys.argv = ["resexp" if completing else f"resexp {command}", *arguments]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing; we say it shorter
    try:
        job()
    except (HydraException, OmegaConfBaseException) as error:
        overrides = [a for a in arguments if "=" in a and not a.startswith("-")]
        refuse(explain(error, command, overrides))
    except ValueError as error:
        if "Only one of --run" not in str(error):
            raise
        refuse("-m does not go with --cfg or --info: leave one out")  # Hydra's own flags


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
        settings = settle(resolve(config))
        folder = folder_of(settings)
        if folder.is_finished:
            status = folder.recorded()["status"]
            print(f"{folder.name}: {status} already", flush=True)
            return status
        command = import_module(f"resexp.experiments.{settings['command']}")
        if single:  # the runs of a sweep have been checked all together
            command.check(settings)
        status = command.run(settings, Signals())
    except (ConfigError, BusyError) as error:
        if single or isinstance(error, ConfigError):
            refuse(error)
        return "running"  # by somebody else; the launcher goes on with the others
    except OSError as error:
        refuse_unusable(error)
    if single and status == "failed":
        sys.exit(1)
    return status


def remarks(command: str, arguments: list[str]) -> list[str]:
    """What to say of the words typed behind a command before Hydra takes them in another sense.

    Raises:
        ConfigError: an option where a setting is meant, or an experiment of another command.
    """
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key.startswith("--") and key[2:].partition(".")[0] in groups():
            raise ConfigError(f"settings have no dashes: write {key[2:]}={value or '...'}")
    refuse_no_names(arguments)
    chosen = [a.partition("=")[2] for a in arguments if a.startswith("experiment=")]
    found = []
    for name in sorted(
        {name for names in chosen for name in names.split(",")} & options("experiment").keys()
    ):
        if (of := command_of(name)) != command:
            raise ConfigError(f"experiment={name} is one of `resexp {of}`: resexp {of} -m experiment={name}")
        if swept_by(name) and not any(a.startswith(("-", "hydra.mode")) for a in arguments):
            found.append(f"one run: with -m, experiment={name} sweeps over {', '.join(swept_by(name))}")
    return found
