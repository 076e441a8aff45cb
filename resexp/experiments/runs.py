"""What names a run: its settings, its data, and the folder that it is kept in."""

import glob
from pathlib import Path

from resexp.config.compose import ConfigError
from resexp.config.instantiate import make
from resexp.config.sweep import plan
from resexp.records.identity import digest
from resexp.records.run import RunFolder, find


def settle(settings: dict) -> dict:
    """Resolved settings, and beside them the data that they name but do not determine.

    `data` is the fingerprint of files whose contents nobody has published, `measured` the digests of the
    trained runs that a measurement is made on.

    Raises:
        ConfigError: the files are missing, or not what they should be.
    """
    if fingerprint := settings.get("dataset", {}).get("fingerprint"):
        try:
            found = make(fingerprint, "dataset.fingerprint")
        except ValueError as error:
            raise ConfigError(str(error)) from error
        settings = settings | ({"data": found} if found else {})
    if settings["command"] == "measure" and settings["run"] is not None:
        settings = settings | {"measured": [digest(run.config()) for run in trained_runs(settings)]}
    return settings


def folder_of(settings: dict) -> RunFolder:
    """The folder of what settled settings of either command describe."""
    if settings["command"] == "measure":
        return find(Path(settings["runs"]) / settings["name"], settings["measure"]["name"], settings)
    label = "{model}{depth}-{dataset}-{norm}-seed{seed}".format(**settings["labels"])
    return find(Path(settings["train"]["runs"]) / settings["name"], label, settings)


def plan_of(experiment: str, runs: Path) -> tuple[list[dict], list[str]]:
    """The settled settings of the runs that an experiment's file describes, and the keys that it sweeps.

    Both are empty for a name that has no file. See resexp.config.sweep.plan.
    """
    configs, swept = plan(experiment, runs)
    return [settle(settings) for settings in configs], swept


def trained_runs(settings: dict) -> list[RunFolder]:
    """The finished runs that `run` names, a path or a pattern; none if it is null."""
    if settings["run"] is None:
        return []
    found = [RunFolder(path) for path in map(Path, sorted(glob.glob(settings["run"]))) if path.is_dir()]
    return [run for run in found if run.recorded()["status"] == "done"]
