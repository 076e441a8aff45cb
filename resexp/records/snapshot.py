"""A run's records, read once so that they are consistent."""

from dataclasses import dataclass
from pathlib import Path

from resexp.records.run import FINISHED, RunFolder, folders


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


def snapshots(root: Path) -> list[Snapshot]:
    """Snapshots of all runs in `root`, sorted by name."""
    return [_read(run) for run in folders(root)]


def _read(run: RunFolder) -> Snapshot:
    return Snapshot(run.path, run.config(), run.state(), run.provenance()["sessions"], run.rows())
