"""A run's folder: its config, results, status and checkpoints."""

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
LOCK_TIMEOUT = 0.1  # seconds; is_held takes the lock briefly


class BusyError(Exception):
    """Another process holds the lock of this run."""


class RunFolder:
    """config.json, rows.csv, provenance.json, status.json, error.txt and checkpoints of one run.

    Args:
        path: of the folder; created on the first write.
    """

    def __init__(self, path: Path):
        self.path = path

    @property
    def name(self) -> str:
        return self.path.name

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run's lock. It is released if this process crashes.

        Raises:
            BusyError: another process holds it.
        """
        try:
            with exclusive(self.path / "lock", wait=False, timeout=LOCK_TIMEOUT):
                yield
        except LockedError:
            raise BusyError(
                f"another process is running {self.path}; wait for it, or see `resexp status`"
            ) from None

    def write_config(self, config: dict) -> None:
        write_json(self.path / "config.json", config)

    def config(self) -> dict:
        """The run's config, translated to the current version; empty if none was written."""
        return translate(self._read_json("config.json") or {})

    def write_status(self, status: str, *, step: int, steps: int, error: str = "") -> None:
        """Record status and progress; `error` is one line."""
        state = {"status": status, "step": step, "steps": steps, "error": error}
        if status != "failed":
            (self.path / "error.txt").unlink(missing_ok=True)
        write_json(self.path / "status.json", state)

    @property
    def is_finished(self) -> bool:
        """Whether the run is done or has diverged.

        Check it before a run, and again once the lock is held: another process may have finished the
        run in between.
        """
        return self.recorded()["status"] in FINISHED

    def recorded(self) -> dict:
        """The last recorded status, step, steps and error; status `missing` if there is none."""
        nothing = {"status": "missing", "step": 0, "steps": 0, "error": ""}
        return self._read_json("status.json") or nothing

    def state(self) -> dict:
        """The current state: as recorded, except that `running` without a lock means `interrupted`."""
        state = self.recorded()
        if state["status"] == "running" and not is_held(self.path / "lock"):
            state = self.recorded()  # the run may have finished in between
            if state["status"] == "running":
                state |= {"status": "interrupted", "error": "the process ended unexpectedly"}
        if state["status"] in ("running", "interrupted"):
            state["step"] = max(state["step"], self.last_step())
        return state

    def last_step(self) -> int:
        """Step of the last complete row; 0 without rows."""
        rows = self.rows()
        return int(rows[-1]["step"]) if rows else 0

    def write_failure(self, error: BaseException) -> None:
        """Write the traceback to error.txt."""
        text = "".join(traceback.format_exception(error))
        with atomic(self.path / "error.txt") as temporary:
            temporary.write_text(text)

    def write_rows(self, rows: list[dict]) -> None:
        """Replace all rows, e.g. after restoring a checkpoint."""
        with atomic(self.path / "rows.csv") as temporary:
            temporary.write_text("".join(_csv_lines(rows)))

    def append_row(self, row: dict) -> None:
        """Append one row and flush it to disk."""
        path = self.path / "rows.csv"
        lines = _csv_lines([row])
        with path.open("a") as file:
            file.write("".join(lines if file.tell() == 0 else lines[1:]))
            file.flush()
            os.fsync(file.fileno())

    def rows(self) -> list[dict]:
        """All complete rows, values as text; an incomplete last line is ignored."""
        try:
            text = (self.path / "rows.csv").read_text()
        except FileNotFoundError:
            return []
        return list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])))

    def write_table(self, name: str, *frames) -> None:
        """Write the concatenated frames to `tables/<name>.csv`."""
        import pandas as pd  # takes half a second to import; training does not need it

        with atomic(self.path / "tables" / f"{name}.csv") as temporary:
            pd.concat(frames).to_csv(temporary, index=False, lineterminator="\n")

    def tables(self) -> dict:
        """Table name -> DataFrame, for all tables."""
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
    """The folder of the run with this config: `<root>/<label>-<digest>`.

    Earlier versions computed the digest differently, so an existing folder whose run has the same
    identity is used instead.
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
    """Names of a folder's entries; `changed`, its modification time, invalidates the cache."""
    return sorted(os.listdir(root))


def folders(root: Path) -> list[RunFolder]:
    """All runs in `root`, sorted by name."""
    return [RunFolder(path.parent) for path in sorted(root.glob("*/config.json"))]


def _csv_lines(rows: list[dict]) -> list[str]:
    if not rows:
        return []
    text = io.StringIO()
    # csv writes floats with repr, the shortest text that round-trips
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().splitlines(keepends=True)
