"""One run or measurement, as Hydra hands it over."""

import sys
from collections.abc import Callable

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from resexp.experiments.compose import ConfigError, resolved
from resexp.records.run import FINISHED, BusyError, RunFolder
from resexp.refusal import refuse, refuse_unusable


def carried_out(
    config: DictConfig,
    *,
    folder_of: Callable[[dict], RunFolder],
    check: Callable[[dict], None],
    run: Callable[[dict], str],
) -> str:
    """Check the config, unless a sweep has, and carry it out.

    Args:
        config: as composed.
        folder_of, check, run: of the command, on a resolved config.
    Returns:
        How it ended; running if somebody else is at it.
    Raises:
        SystemExit: 2 and a sentence for what cannot be carried out, 1 for a single run that failed.
    """
    single = HydraConfig.get().mode == RunMode.RUN
    try:
        settings = resolved(config)
        # the runs of a sweep have been checked all together
        if single and folder_of(settings).status()["status"] not in FINISHED:
            check(settings)
        status = run(settings)
    except (ConfigError, BusyError) as error:
        if single or isinstance(error, ConfigError):
            refuse(error)
        return "running"  # the launcher goes on with the others
    except OSError as error:
        refuse_unusable(error)
    if single and status == "failed":
        sys.exit(1)
    return status
