"""A run's folder: what was asked, what was measured, how it ended."""

import csv
import io
import json
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from resexp.files import LockedError, atomic, exclusive, is_held, write_json
from resexp.records.identity import digest, identity
from resexp.records.older import translate

FINISHED = ("done", "diverged")
PATIENCE = 0.1  # seconds; somebody may just be looking whether a run is held


class BusyError(Exception):
    """Another process works on this run."""


class RunFolder:
    """config.json, rows.csv, provenance.json, status.json, error.txt and checkpoints of one run.

    Args:
        path: of the folder; made when first written to.
    """

    def __init__(self, path: Path):
        self.path = path

    @property
    def name(self) -> str:
        return self.path.name

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes off this run; a crash of the holder frees it.

        Raises:
            BusyError: another process holds it.
        """
        try:
            with exclusive(self.path / "lock", wait=False, patience=PATIENCE):
                yield
        except LockedError:
            raise BusyError(
                f"another process works on {self.path}; wait for it, or look at `resexp status`"
            ) from None

    def write_config(self, config: dict) -> None:
        write_json(self.path / "config.json", config)

    def config(self) -> dict:
        """What the run is of, in the words of this version."""
        return translate(self._read_json("config.json") or {})

    def write_status(self, status: str, *, step: int, steps: int, error: str = "") -> None:
        """Record how far the run is; `error` is one line."""
        state = {"status": status, "step": step, "steps": steps, "error": error}
        if status != "failed":
            (self.path / "error.txt").unlink(missing_ok=True)
        write_json(self.path / "status.json", state)

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to do: the run is done or has diverged.

        The one question before a run, and again once it is held, since another process may have
        finished it meanwhile.
        """
        return self.recorded()["status"] in FINISHED

    def recorded(self) -> dict:
        """What was last written: status, step, steps, error; `missing` if nothing was."""
        nothing = {"status": "missing", "step": 0, "steps": 0, "error": ""}
        return self._read_json("status.json") or nothing

    def state(self) -> dict:
        """How the run is now: as recorded, but a running one that no process holds is interrupted."""
        state = self.recorded()
        if state["status"] == "running" and not is_held(self.path / "lock"):
            state = self.recorded()  # its holder may have finished it just now
            if state["status"] == "running":
                state |= {"status": "interrupted", "error": "the process ended unexpectedly"}
        if state["status"] in ("running", "interrupted"):
            state["step"] = max(state["step"], self.last_step())
        return state

    def last_step(self) -> int:
        """Step of the last complete row; 0 where there is none."""
        rows = self.rows()
        return int(rows[-1]["step"]) if rows else 0

    def write_failure(self, error: BaseException) -> None:
        """Keep the traceback."""
        text = "".join(traceback.format_exception(error))
        with atomic(self.path / "error.txt") as temporary:
            temporary.write_text(text)

    def write_rows(self, rows: list[dict]) -> None:
        """Replace all rows, as after going back to a checkpoint."""
        with atomic(self.path / "rows.csv") as temporary:
            temporary.write_text("".join(_csv_lines(rows)))

    def append_row(self, row: dict) -> None:
        """Add one row; it is whole in the file before this returns."""
        path = self.path / "rows.csv"
        lines = _csv_lines([row])
        with path.open("a") as file:
            file.write("".join(lines if file.tell() == 0 else lines[1:]))
            file.flush()
            os.fsync(file.fileno())

    def rows(self) -> list[dict]:
        """All complete rows, as text; a last line without its end is passed over."""
        try:
            text = (self.path / "rows.csv").read_text()
        except FileNotFoundError:
            return []
        return list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])))

    def write_table(self, name: str, *frames) -> None:
        """Write `tables/<name>.csv`, one frame below the other."""
        import pandas as pd  # half a second that training does not need

        with atomic(self.path / "tables" / f"{name}.csv") as temporary:
            pd.concat(frames).to_csv(temporary, index=False, lineterminator="\n")

    def tables(self) -> dict:
        """All tables by their name."""
        import pandas as pd

        paths = sorted((self.path / "tables").glob("*.csv"))
        return {path.stem: pd.read_csv(path, keep_default_na=False, na_values=[""]) for path in paths}

    def provenance(self) -> dict:
        return self._read_json("provenance.json") or {"sessions": []}

    def write_provenance(self, provenance: dict) -> None:
        write_json(self.path / "provenance.json", provenance)

    def _read_json(self, name: str) -> dict | None:
        try:
            return json.loads((self.path / name).read_text())
        except FileNotFoundError:
            return None


def find(root: Path, label: str, config: dict) -> RunFolder:
    """The folder of what a config describes: `<root>/<label>-<digest>`.

    Earlier versions named their folders by other digests. Where one holds a run of the same identity, it
    is that one.
    """
    path = root / f"{label}-{digest(config)}"
    if not path.exists() and root.is_dir():
        wanted = identity(config)
        for name in _names(root, root.stat().st_mtime_ns):
            if name.rpartition("-")[0] == label and identity(RunFolder(root / name).config()) == wanted:
                return RunFolder(root / name)
    return RunFolder(path)


@lru_cache(maxsize=8)
def _names(root: Path, changed: int) -> list[str]:
    """What a folder holds; `changed` is the time of its last change, so that the answer is never old."""
    return sorted(os.listdir(root))


def folders(root: Path) -> list[RunFolder]:
    """Every run below `root`, sorted by name."""
    return [RunFolder(path.parent) for path in sorted(root.glob("*/config.json"))]


def _csv_lines(rows: list[dict]) -> list[str]:
    if not rows:
        return []
    text = io.StringIO()
    # repr of a float is the shortest text that reads back to the same number
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().splitlines(keepends=True)
