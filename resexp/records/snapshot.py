"""A run's records, read once so that they are consistent."""

import sys
from dataclasses import dataclass
from pathlib import Path

from resexp.files import DamagedError
from resexp.records.folders import folders
from resexp.records.identity import protocol
from resexp.records.run import FINISHED, RunFolder


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Contents of a run's folder at one point in time, apart from its rows.

    Args:
        path: of the folder.
        config: see RunFolder.config.
        protocol: of the config.
        state: see RunFolder.state.
        sessions: see RunFolder.provenance; none of a run that is not finished.
    """

    path: Path
    config: dict
    protocol: dict
    state: dict
    sessions: list[dict]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def status(self) -> str:
        return self.state["status"]

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED

    def rows(self) -> list[dict]:
        """The rows of a finished run; they are read when they are used, as they are most of a run.

        Raises:
            ValueError: the results have changed since the snapshot was taken.
        """
        run = RunFolder(self.path)
        rows = run.rows()
        if run.recorded() != self.state:
            raise ValueError(f"{self.path} has changed in the meantime: collect again")
        return rows


def snapshots(root: Path) -> tuple[list[Snapshot], dict[Path, str]]:
    """All runs in `root`, sorted by name, and the folders whose config is damaged, with what is wrong.

    Sections that are equal in several configs are kept once: runs of one experiment differ in few.
    """
    found, damaged, kept = [], {}, {}
    for run in folders(root):
        try:
            config = run.config()
            if not isinstance(config.get("labels"), dict) and config.get("command") != "measure":
                raise DamagedError("config.json is damaged: it contains no config of a run")
        except DamagedError as error:
            damaged[run.path] = str(error).replace(f"{run.path}/", "")
            continue
        state = run.state()
        sessions = run.provenance()["sessions"] if state["status"] in FINISHED else []
        shared = {sys.intern(key): _kept_once(value, kept) for key, value in config.items()}
        found.append(Snapshot(run.path, shared, _kept_once(protocol(config), kept), state, sessions))
    return found, damaged


def _kept_once(value: object, kept: dict[str, object]) -> object:
    return kept.setdefault(repr(value), value)
