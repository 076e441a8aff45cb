"""A run's records, read once so that they are consistent."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from resexp.files import DamagedError
from resexp.records.contents import FINISHED
from resexp.records.folders import folders
from resexp.records.identity import protocol
from resexp.records.run import RunFolder


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Contents of a run's folder at one point in time, apart from its rows.

    Args:
        path: of the folder.
        config: see RunFolder.config; empty if it is damaged.
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


def snapshots(root: Path) -> Iterator[Snapshot]:
    """All runs in `root`, sorted by name; one whose config is damaged has none, and the status `damaged`.

    Sections that are equal in several configs are kept once: runs of one experiment differ in few.
    """
    kept: dict[str, object] = {}
    for run in folders(root):
        try:
            config = run.config()
            if not isinstance(config.get("labels"), dict) and config.get("command") != "measure":
                raise DamagedError("config.json is damaged: it contains no config of a run")
        except DamagedError as error:
            why = str(error).replace(f"{run.path}/", "")
            yield Snapshot(run.path, {}, {}, {"status": "damaged", "step": 0, "steps": 0, "error": why}, [])
            continue
        state = run.state()
        sessions = run.provenance()["sessions"] if state["status"] in FINISHED else []
        # labels and seeds are each run's own
        shared = {
            sys.intern(key): value if key in ("labels", "seed") else _kept_once(value, kept)
            for key, value in config.items()
        }
        yield Snapshot(run.path, shared, _kept_once(protocol(config), kept), state, sessions)


def _kept_once(value: object, kept: dict[str, object]) -> object:
    return kept.setdefault(repr(value), value)
