"""A run's records, read once so that they are consistent."""

from dataclasses import dataclass
from pathlib import Path

from resexp.files import DamagedError
from resexp.records.run import FINISHED, folders


@dataclass(frozen=True)
class Snapshot:
    """Contents of a run's folder at one point in time.

    Args:
        path: of the folder.
        config: see RunFolder.config.
        state: see RunFolder.state.
        sessions: see RunFolder.provenance.
        rows: see RunFolder.rows.
    """

    path: Path
    config: dict
    state: dict
    sessions: list[dict]
    rows: list[dict]

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def status(self) -> str:
        return self.state["status"]

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED


def snapshots(root: Path) -> tuple[list[Snapshot], list[Path]]:
    """All runs in `root`, sorted by name, and the folders whose config is damaged."""
    found, damaged = [], []
    for run in folders(root):
        try:
            config = run.config()
            if not isinstance(config.get("labels"), dict):
                raise DamagedError(f"{run.path} contains no config of a run")
        except DamagedError:
            damaged.append(run.path)
            continue
        found.append(Snapshot(run.path, config, run.state(), run.provenance()["sessions"], run.rows()))
    return found, damaged
