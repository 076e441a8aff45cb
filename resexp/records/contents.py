"""What a run's folder says: its config, results and status, as they are read."""

import csv
import hashlib
import io
from contextlib import suppress
from pathlib import Path

from resexp.files import DamagedError, is_held, read_json, read_regular
from resexp.records.older import translate

FINISHED = ("done", "diverged")
CHECKSUMS = {"config_sha256", "results_sha256"}  # in status.json
TAIL = 2**16  # bytes; a row is far shorter


class Contents:
    """A run's folder, to be read.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path):
        self.path = path

    @property
    def name(self) -> str:
        return self.path.name

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
            if found.get("results_sha256") not in (None, checksum(*self.results())):
                raise DamagedError(f"{self.path}: rows or tables were altered after the run")
        except DamagedError as error:
            return state | {"status": "damaged", "error": str(error)}
        except OSError as error:
            return state | {"status": "damaged", "error": f"cannot read {error.filename}: {error.strerror}"}
        return state

    def _refuse_altered_config(self, state: dict) -> None:
        """Raise DamagedError unless the config is that of this status; earlier versions took no checksum."""
        path = self.path / "config.json"
        if state.get("config_sha256") not in (None, checksum(path)):
            raise DamagedError(f"{path} was altered after the run")

    def results(self) -> list[Path]:
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

    def rows(self) -> list[dict]:
        """All complete rows, values as text; an incomplete last line is ignored."""
        path = self.path / "rows.csv"
        try:
            text = path.read_text(encoding="utf-8") if path.is_file() else ""  # a pipe would be waited for
        except (OSError, UnicodeDecodeError):
            return []
        return list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])))

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


def checksum(*paths: Path) -> str:
    found = hashlib.sha256()
    for path in paths:
        with suppress(FileNotFoundError):
            found.update(read_regular(path))
    return found.hexdigest()


def _is_state(state: dict) -> bool:
    kinds = {"status": str, "step": int, "steps": int, "error": str}
    return all(isinstance(state.get(key), kind) for key, kind in kinds.items())
