"""What a run's folder says: its config, results and status, as they are read."""

import csv
import hashlib
import io
import os
from functools import cache
from pathlib import Path

from resexp.files import DamagedError, chunks, is_held, read_json, read_regular
from resexp.records import shape
from resexp.records.older import translate

FINISHED = ("done", "diverged")
MOST = 10**18  # steps
CHECKSUMS = {"config_sha256", "results_sha256"}  # in status.json


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

    def _at(self, name: str) -> str:
        return f"{self.path}/{name}"  # pathlib takes longer than to read the file

    def _read(self, path: str) -> bytes:
        return read_regular(path)

    def config_file(self) -> bytes:
        """Its config as it is written. Raises DamagedError or OSError."""
        return self._read(self._at("config.json"))

    def config(self) -> dict:
        """The run's config, translated to the current version.

        Raises:
            DamagedError: the file cannot be read, contains no config, or was altered after the run.
        """
        path = self._at("config.json")
        try:
            config = read_json(path, self._read, translate) or {}
            right = shape.is_config(config)
        except (AttributeError, KeyError, TypeError):
            right = False
        if not right:
            raise DamagedError(f"{path} is damaged: it contains no config")
        try:
            state = read_json(self._at("status.json"), self._read) or {}
        except DamagedError:  # no word on the config
            state = {}
        self._refuse_altered_config(state)
        return config

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
        path = self._at("status.json")
        try:
            found = read_json(path, self._read)
            if found is None:
                return nothing
            if not shape.is_state(found, MOST):
                raise DamagedError(f"{path} is damaged")
            state = {key: value for key, value in found.items() if key not in CHECKSUMS}
            self._refuse_altered_config(found)
            self._refuse_altered_results(found)
        except DamagedError as error:
            return state | {"status": "damaged", "error": str(error)}
        except OSError as error:
            return state | {"status": "damaged", "error": f"cannot read {error.filename}: {error.strerror}"}
        return state

    def _refuse_altered_config(self, state: dict) -> None:
        """Raise DamagedError unless the config is that of this status; earlier versions took no checksum."""
        if state.get("config_sha256") not in (None, self._config_checksum()):
            raise DamagedError(f"{self._at('config.json')} was altered after the run")

    def _refuse_altered_results(self, state: dict) -> None:
        """Raise DamagedError unless rows and tables are those of this status.

        Earlier versions took no checksum: of theirs the rows are numbers, up to the step of the status.
        """
        if "results_sha256" in state:
            right = state["results_sha256"] == self._results_checksum()
        elif state["status"] in FINISHED:
            last = state["step"] if state["status"] == "done" else None
            tables = os.path.isdir(self._at("tables"))
            rows = self.rows()
            right = shape.are_rows(rows, last if rows or not tables else None)
        else:
            right = True
        if not right:
            raise DamagedError(f"{self.path}: rows or tables were altered after the run")

    def _config_checksum(self) -> str:
        return hashlib.sha256(self._if_there("config.json")).hexdigest()

    def _results_checksum(self) -> str:
        """Of a training run's rows or a measurement's tables."""
        found, tables = hashlib.sha256(self._if_there("rows.csv")), self._at("tables")
        if os.path.isdir(tables):
            for name in sorted(os.listdir(tables)):
                for chunk in chunks(f"{tables}/{name}") if name.endswith(".csv") else ():
                    found.update(chunk)
        return found.hexdigest()

    def _if_there(self, name: str) -> bytes:
        try:
            return self._read(self._at(name))
        except FileNotFoundError:
            return b""

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
            return min(MOST, max(0, int(self.last_row()["step"])))
        except (KeyError, TypeError, ValueError):
            return 0

    def last_row(self) -> dict:
        """The last of `rows`, without parsing the others; empty if there is none."""
        try:
            header, _, rows = self._if_there("rows.csv").rpartition(b"\n")[0].partition(b"\n")
            lines = [header.decode(), rows.rpartition(b"\n")[2].decode()]
            return dict(zip(*csv.reader(lines), strict=False))  # a tenth of the time of a DictReader
        except (OSError, DamagedError, UnicodeDecodeError, csv.Error):
            return {}

    def rows(self) -> list[dict]:
        """All complete rows, values as text; an incomplete last line is ignored."""
        try:
            text = self._if_there("rows.csv").decode()
            return list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1], newline="")))
        except (OSError, DamagedError, UnicodeDecodeError, csv.Error):
            return []

    def tables(self) -> dict:
        """Table name -> DataFrame, for all tables. Raises DamagedError if one is none."""
        import pandas as pd

        found = {}
        for path in sorted((self.path / "tables").glob("*.csv")):
            try:
                found[path.stem] = pd.read_csv(path, keep_default_na=False, na_values=[""])
            except ValueError as error:
                raise DamagedError(f"{path} is damaged: it is no table") from error
        return found

    def provenance(self) -> dict:
        """The sessions of the run; empty if the file is damaged, since no result depends on them."""
        try:
            found = read_json(self._at("provenance.json"), self._read) or {}
        except DamagedError:
            found = {}
        return found | {"sessions": shape.sessions(found)}


class ReadOnce(Contents):
    """A run's folder at one moment: from one look at its status to the next, each file is read once."""

    def __init__(self, path: Path):
        super().__init__(path)
        self._read = cache(read_regular)

    def recorded(self) -> dict:
        self._read.cache_clear()
        return super().recorded()
