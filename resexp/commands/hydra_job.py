"""Shared by `train` and `measure`: Hydra composes a config, then one run or measurement is executed.

torch is imported only once a run has to be executed: printing a config, tab completion and skipping
finished runs work without it.
"""

import logging
import os
import re
import sys
from collections.abc import Callable
from importlib import import_module

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from resexp.config.catalog import CONF, command_of, groups, options, swept_by
from resexp.config.compose import ConfigError, explain, resolve
from resexp.config.overrides import check_overrides, quoted
from resexp.exits import COMPLETION, go_on_without, refuse, refuse_unusable
from resexp.experiments import planned
from resexp.experiments.objective import objective
from resexp.experiments.runs import folder_of, settle
from resexp.experiments.stop import Signals
from resexp.experiments.sweep import is_expanded
from resexp.records.run import BusyError, RunFolder

DRY_RUN = {"--dry-run": "hydra.callbacks.checked.dry_run=true"}  # a flag that Hydra does not know


def run(command: str, job: Callable[[], None], arguments: list[str]) -> None:
    """Pass the arguments to Hydra; report invalid ones in a single line."""
    arguments = [DRY_RUN.get(argument, argument) for argument in arguments]
    try:
        for line in remarks(command, arguments):
            print(line, flush=True)
    except ConfigError as error:
        refuse(error)
    # completion scripts are installed for the name `resexp`
    completing = arguments[:1] and arguments[0] in COMPLETION
    if completing and not re.match(r"(install|uninstall|query)=(bash|fish|zsh)$", "".join(arguments[1:2])):
        refuse(f"{arguments[0]} is followed by install=bash, uninstall=bash or query=bash (fish, zsh)")
    arguments = arguments if completing else settings_first(arguments)
    sys.argv = ["resexp" if completing else f"resexp {command}", *arguments]
    logging.raiseExceptions = False  # it would print the traceback of a lost stream
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing; explain() is shorter
    try:
        job()
    except (HydraException, OmegaConfBaseException) as error:
        overrides = [a for a in arguments if "=" in a and not a.startswith("-")]
        refuse(explain(error, command, overrides))
    except ValueError as error:
        if "Only one of --run" not in str(error):
            raise
        refuse("-m cannot be combined with --cfg or --info")  # Hydra's own flags


def settings_first(arguments: list[str]) -> list[str]:
    """The same with flags such as -m behind the settings: Hydra takes settings in one piece only."""
    parser = get_args_parser()
    parser.error = lambda message: refuse(f"{message}; see --help")
    settings = parser.parse_intermixed_args(arguments).overrides
    left, flags = list(settings), []
    for argument in arguments:
        if left[:1] == [argument]:
            del left[0]
        else:
            flags.append(argument)
    return [*quoted(settings), *flags]


@hydra.main(config_path=str(CONF), config_name="train", version_base="1.3")
def train(config: DictConfig) -> float:
    """Hydra's task function of `resexp train`: execute one run and return its objective."""
    return objective(*_execute(config))


@hydra.main(config_path=str(CONF), config_name="measure", version_base="1.3")
def measure(config: DictConfig) -> str:
    """Hydra's task function of `resexp measure`: execute one measurement and return its status."""
    return _execute(config)[1]


def _execute(config: DictConfig) -> tuple[RunFolder, str]:
    """Execute one run; return its folder and status.

    Exit codes: 2 with a one-line message for invalid settings, 1 if a single run failed; 0 at once after
    --dry-run.
    """
    single = HydraConfig.get().mode == RunMode.RUN
    try:
        settings = settle(resolve(config))
        folder = folder_of(settings)
        if HydraConfig.get().callbacks["checked"].dry_run:
            if not folder.is_finished:
                planned.check(import_module(f"resexp.experiments.{settings['command']}"), settings)
            print("\n".join(planned.lines([settings], [folder])))
            sys.exit(0)
        if folder.is_finished:
            status = folder.recorded()["status"]
            print(f"{folder.name}: already {status}", flush=True)
            return folder, status
        command = import_module(f"resexp.experiments.{settings['command']}")
        if single or not is_expanded(HydraConfig.get()):  # others were checked before the sweep started
            command.check(settings)
        go_on_without(sys.stdout)
        status = command.run(settings, Signals())
    except (ConfigError, BusyError) as error:
        if single or isinstance(error, ConfigError):
            refuse(error)
        return folder, "running"  # in another process; the launcher continues with the other runs
    except OSError as error:
        refuse_unusable(error)
    if single and status == "failed":
        sys.exit(1)
    return folder, status


def remarks(command: str, arguments: list[str]) -> list[str]:
    """Hints and checks on arguments that Hydra would misinterpret.

    Raises:
        ConfigError: a flag was given instead of a setting, or an experiment of another command.
    """
    for argument in arguments:
        key, _, value = argument.partition("=")
        if key.startswith("--") and key[2:].partition(".")[0] in groups():
            raise ConfigError(f"settings are written without dashes: {key[2:]}={value or '...'}")
    check_overrides(arguments)
    chosen = [a.partition("=")[2] for a in arguments if a.startswith("experiment=")]
    found = []
    for name in sorted(
        {name for names in chosen for name in names.split(",")} & options("experiment").keys()
    ):
        if (of := command_of(name)) != command:
            raise ConfigError(f"experiment={name} belongs to `resexp {of}`: resexp {of} -m experiment={name}")
        if swept_by(name) and not any(a.startswith(("-", "hydra.mode")) for a in arguments):
            found.append(
                f"running a single run; with -m, experiment={name} sweeps over {', '.join(swept_by(name))}"
            )
    return found
