"""A run's folder: its config, results, status and checkpoints."""

import csv
import hashlib
import io
import itertools
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from resexp.files import (
    DamagedError,
    LockedError,
    atomic,
    exclusive,
    is_held,
    is_same_file,
    named,
    read_json,
    read_regular,
    write_json,
)
from resexp.records.older import translate

FINISHED = ("done", "diverged")
CHECKSUMS = {"config_sha256", "results_sha256"}  # in status.json
TAIL = 2**16  # bytes; a row is far shorter
LOCK_TIMEOUT = 0.1  # seconds; is_held takes the lock briefly


class BusyError(Exception):
    """Another process holds the lock of this run."""


class RemovedError(RuntimeError):
    """A run's folder was removed during the run."""


class RunFolder:
    """config.json, rows.csv, provenance.json, status.json, error.txt, tree.diff, checkpoints of one run.

    Args:
        path: of the folder; created on the first write.
    """

    def __init__(self, path: Path):
        self.path, self._lock = path, None

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

    def config(self) -> dict:
        """The run's config, translated to the current version.

        Raises:
            DamagedError: the file cannot be read, contains no config, or was altered after the run.
        """
        path = self.path / "config.json"
        config = read_json(path) or {}
        try:
            state = read_json(self.path / "status.json") or {}
        except DamagedError:  # no word on the config
            state = {}
        self._refuse_altered_config(state)
        try:
            return translate(config)
        except (AttributeError, KeyError, TypeError) as error:
            raise DamagedError(f"{path} is damaged: it contains no config") from error

    def write_status(self, status: str, *, step: int, steps: int, error: str = "") -> None:
        """Record status and progress, a one-line error, and checksums of the config and of final results."""
        state = {"status": status, "step": step, "steps": steps, "error": error}
        if status != "failed":
            (self.path / "error.txt").unlink(missing_ok=True)
        state["config_sha256"] = _checksum(self.path / "config.json")
        if status in FINISHED:
            state["results_sha256"] = _checksum(*self._results())
        write_json(self.path / "status.json", state)

    @property
    def is_finished(self) -> bool:
        """Whether the run is done or has diverged, and its results are undamaged.

        Check it before a run, and again once the lock is held: another process may have finished the
        run in between.
        """
        return self.recorded()["status"] in FINISHED

    def recorded(self) -> dict:
        """The recorded status, step, steps and error; status `missing` if nothing is recorded.

        The status is `damaged` if the status file, the config, or the results of a finished run were altered
        or cannot be read. Rerunning the command restores the rows from the checkpoint, or repeats the
        measurement.
        """
        state = nothing = {"status": "missing", "step": 0, "steps": 0, "error": ""}
        try:
            found = read_json(self.path / "status.json")
            if found is None:
                return nothing
            if not _is_state(found):
                raise DamagedError(f"{self.path / 'status.json'} is damaged")
            state = {key: value for key, value in found.items() if key not in CHECKSUMS}
            self._refuse_altered_config(found)
            if found.get("results_sha256") not in (None, _checksum(*self._results())):
                raise DamagedError(f"{self.path}: rows or tables were altered after the run")
        except DamagedError as error:
            return state | {"status": "damaged", "error": str(error)}
        except OSError as error:
            return state | {"status": "damaged", "error": f"cannot read {error.filename}: {error.strerror}"}
        return state

    def _refuse_altered_config(self, state: dict) -> None:
        """Raise DamagedError unless the config is that of this status; earlier versions took no checksum."""
        path = self.path / "config.json"
        if state.get("config_sha256") not in (None, _checksum(path)):
            raise DamagedError(f"{path} was altered after the run")

    def _results(self) -> list[Path]:
        """A training run's rows or a measurement's tables."""
        tables = self.path / "tables"
        # glob is slow if the folder does not exist
        return [self.path / "rows.csv", *(sorted(tables.glob("*.csv")) if tables.is_dir() else ())]

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
        """Step of the last complete row; 0 if there is none."""
        try:
            return int(self.last_row()["step"])
        except (KeyError, TypeError, ValueError):
            return 0

    def last_row(self) -> dict:
        """The last of `rows`, without reading the others; empty if there is none."""
        path = self.path / "rows.csv"
        try:
            if not path.is_file():  # a pipe would be waited for
                return {}
            with path.open("rb") as file:
                header = file.readline()
                file.seek(max(file.tell(), path.stat().st_size - TAIL))
                lines = file.read().split(b"\n")[-2:-1]
            found = list(csv.DictReader([header.decode(), *(line.decode() for line in lines)]))
        except (OSError, UnicodeDecodeError, csv.Error):
            return {}
        return found[0] if found else {}

    def write_failure(self, error: BaseException) -> None:
        """Write the traceback to error.txt."""
        text = "".join(traceback.format_exception(error))
        with atomic(self.path / "error.txt") as temporary:
            temporary.write_text(text, encoding="utf-8")

    def write_rows(self, rows: list[dict]) -> None:
        """Replace all rows, e.g. after restoring a checkpoint."""
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

    def rows(self) -> list[dict]:
        """All complete rows, values as text; an incomplete last line is ignored."""
        path = self.path / "rows.csv"
        try:
            text = path.read_text(encoding="utf-8") if path.is_file() else ""  # a pipe would be waited for
        except (OSError, UnicodeDecodeError):
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
        """The sessions of the run; empty if the file is damaged, since no result depends on them."""
        try:
            found = read_json(self.path / "provenance.json") or {}
        except DamagedError:
            found = {}
        return found if isinstance(found.get("sessions"), list) else {"sessions": []}

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


def _checksum(*paths: Path) -> str:
    found = hashlib.sha256()
    for path in paths:
        with suppress(FileNotFoundError):
            found.update(read_regular(path))
    return found.hexdigest()


def _is_state(state: dict) -> bool:
    kinds = {"status": str, "step": int, "steps": int, "error": str}
    return all(isinstance(state.get(key), kind) for key, kind in kinds.items())


def _csv_lines(rows: list[dict]) -> list[str]:
    if not rows:
        return []
    text = io.StringIO()
    # csv writes floats with repr, the shortest text that round-trips
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().splitlines(keepends=True)
