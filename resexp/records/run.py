"""A run's folder, to be written and locked; contents.py reads it."""

import csv
import io
import itertools
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resexp.files import (
    LockedError,
    atomic,
    exclusive,
    is_same_file,
    named,
    write_json,
)
from resexp.records.contents import FINISHED, Contents

LOCK_TIMEOUT = 0.1  # seconds; is_held takes the lock briefly


class BusyError(Exception):
    """Another process holds the lock of this run."""


class RemovedError(RuntimeError):
    """A run's folder was removed during the run."""


class RunFolder(Contents):
    """config.json, rows.csv, provenance.json, status.json, error.txt, tree.diff, checkpoints of one run.

    Args:
        path: of the folder; created on the first write.
    """

    def __init__(self, path: Path):
        super().__init__(path)
        self._lock = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run's lock. It is released if this process crashes.

        Raises:
            BusyError: another process holds it.
        """
        try:
            with exclusive(self.path / "lock", wait=False, timeout=LOCK_TIMEOUT) as lock:
                self._lock = lock
                yield
        except LockedError:
            raise BusyError(
                f"another process is running {self.path}; wait for it, or see `resexp status`"
            ) from None

    def refuse_if_removed(self) -> None:
        """Raise RemovedError if the folder that this process has locked was removed or replaced."""
        if self._lock is not None and not is_same_file(self._lock, self.path / "lock"):
            raise RemovedError(f"{self.path} was removed during the run")

    def write_config(self, config: dict) -> None:
        write_json(self.path / "config.json", config)

    def write_status(self, status: str, *, step: int, steps: int, error: str = "") -> None:
        """Record status and progress, a one-line error, and checksums of the config and of final results."""
        state = {"status": status, "step": step, "steps": steps, "error": error}
        if status != "failed":
            (self.path / "error.txt").unlink(missing_ok=True)
        state["config_sha256"] = self._config_checksum()
        if status in FINISHED:
            state["results_sha256"] = self._results_checksum()
        write_json(self.path / "status.json", state)

    def write_failure(self, error: BaseException) -> None:
        """Write the traceback to error.txt."""
        text = "".join(traceback.format_exception(error))
        with atomic(self.path / "error.txt") as temporary:
            temporary.write_text(text, encoding="utf-8")

    def write_rows(self, rows: list[dict]) -> None:
        """Replace all rows, e.g. after restoring a checkpoint."""
        self.refuse_if_removed()
        with atomic(self.path / "rows.csv") as temporary:
            temporary.write_text("".join(_csv_lines(rows)), encoding="utf-8")

    def append_row(self, row: dict) -> None:
        """Append one row and flush it to disk."""
        self.refuse_if_removed()
        path = self.path / "rows.csv"
        lines = _csv_lines([row])
        with named(path), path.open("a", encoding="utf-8") as file:
            file.write("".join(lines if file.tell() == 0 else lines[1:]))
            file.flush()
            os.fsync(file.fileno())

    def write_table(self, name: str, *frames) -> None:
        """Write the concatenated frames to `tables/<name>.csv`."""
        import pandas as pd  # takes half a second to import; training does not need it

        with atomic(self.path / "tables" / f"{name}.csv") as temporary:
            pd.concat(frames).to_csv(temporary, index=False, lineterminator="\n")

    def write_provenance(self, provenance: dict) -> None:
        write_json(self.path / "provenance.json", provenance)

    def keep_diff(self, diff: bytes) -> str:
        """Keep how the code of a session differs from its commit; return the file's name.

        It is tree.diff, and of later sessions with other code tree-2.diff, tree-3.diff, ...
        """
        for number in itertools.count(1):
            path = self.path / (f"tree-{number}.diff" if number > 1 else "tree.diff")
            if not path.exists():
                with atomic(path) as temporary:
                    temporary.write_bytes(diff)
                return path.name
            if path.is_file() and path.read_bytes() == diff:
                return path.name


def _csv_lines(rows: list[dict]) -> list[str]:
    if not rows:
        return []
    text = io.StringIO()
    # csv writes floats with repr, the shortest text that round-trips
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().splitlines(keepends=True)
