"""Identify a run: its settings, its data and its folder."""

import contextlib
import glob
import os
from pathlib import Path

from resexp.config.compose import ConfigError
from resexp.config.instantiate import make
from resexp.files import DamagedError
from resexp.records.folders import find
from resexp.records.identity import digest, identity
from resexp.records.run import RunFolder


def settle(settings: dict) -> dict:
    """Add what resolved settings refer to but do not determine.

    `data`: the fingerprint of data files without a published checksum. `measured`: the digests of the
    trained runs that a measurement is applied to.

    Raises:
        ConfigError: the files are missing, not the expected ones, or cannot be read, or a measured run's
            config is damaged.
    """
    if fingerprint := settings.get("dataset", {}).get("fingerprint"):
        try:
            found = make(fingerprint, "dataset.fingerprint")
        except ValueError as error:
            raise ConfigError(str(error)) from error
        except OSError as error:
            raise ConfigError(f"cannot read {error.filename}: {error.strerror}") from error
        settings = settings | ({"data": found} if found else {})
    if settings["command"] == "measure" and settings["run"] is not None:
        try:
            settings = settings | {"measured": [digest(run.config()) for run in trained_runs(settings)]}
        except DamagedError as error:
            raise ConfigError(f"{error}: leave that run out of run=...") from error
    return settings


def folder_of(settings: dict, known: dict | None = None) -> RunFolder:
    """The folder of a run or measurement, given its settled settings.

    Args:
        settings: of the run.
        known: its identity, where that has been worked out.
    Raises:
        ConfigError: it holds another run.
    """
    if settings["command"] == "measure":
        root, label = settings["runs"], settings["measure"]["name"]
    else:
        root = settings["train"]["runs"]
        label = "{model}{depth}-{dataset}-{norm}-seed{seed}".format(**settings["labels"])
    try:
        return find(Path(root) / settings["name"], label, known or identity(settings))
    except ValueError as error:
        raise ConfigError(str(error)) from error


def folders_of(plan: list[dict]) -> tuple[list[RunFolder], str]:
    """The folders of planned runs, given their resolved settings.

    Where the data that is part of their names is not at hand, there are none, and the reason is said.
    """
    try:
        return [folder_of(settle(settings)) for settings in plan], ""
    except ConfigError as error:
        return [], str(error)


def trained_runs(settings: dict) -> list[RunFolder]:
    """The finished runs that match `run`, a path or glob pattern; empty if it is null.

    Raises:
        PermissionError: a folder on the way may not be read.
    """
    return [run for run in _folders_of(settings["run"]) if run.recorded()["status"] == "done"]


def damaged_runs(settings: dict) -> list[str]:
    """What is wrong with each run that matches `run` and is damaged. Raises as trained_runs."""
    states = [run.recorded() for run in _folders_of(settings["run"])]
    return [state["error"] for state in states if state["status"] == "damaged"]


def _folders_of(pattern: str | None) -> list[RunFolder]:
    return [RunFolder(path) for path in map(Path, _matching(pattern)) if path.is_dir()] if pattern else []


def _matching(pattern: str) -> list[str]:
    """As glob.glob, sorted; which passes over what may not be read."""
    above, name = os.path.split(pattern)
    for folder in _matching(above) if above not in ("", pattern) else [above]:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if glob.has_magic(name):
                os.listdir(folder or ".")
            else:
                os.stat(os.path.join(folder, name))
    return sorted(glob.glob(pattern))
