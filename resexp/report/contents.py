"""What a page is made of: an experiment as its command found it, and the tables that the page shows."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

FAILURES = ("failed", "diverged", "damaged", "interrupted")


@dataclass(frozen=True)
class Run:
    """A run or a measurement.

    Args:
        name: of its folder.
        labels: what tells it from others, such as its model and its seed.
        status, step, steps, error: see resexp.records.run.RunFolder.recorded.
        sessions: see resexp.records.provenance.session.
    """

    name: str
    labels: Mapping
    status: str
    step: int
    steps: int | None
    error: str
    sessions: Sequence[Mapping]

    @property
    def failure(self) -> str:
        """First line of what went wrong; empty if nothing did, or nothing was noted."""
        return next(iter(self.error.strip().splitlines()), "")

    @property
    def minutes(self) -> float | None:
        """Of all sessions that have ended; None where there is none."""
        spans = [(_time(session.get("start")), _time(session.get("end"))) for session in self.sessions]
        whole = [(end - start).total_seconds() / 60 for start, end in spans if start and end]
        return sum(whole) if whole else None


@dataclass(frozen=True)
class Experiment:
    """What is known of one experiment; anything but its name may be missing.

    Args:
        name: of its file, its folder of runs and its tables.
        about: what it shows, in a line.
        commands: that repeat it.
        tables: name -> table, as `resexp collect` wrote them.
        protocol: the settings that the runs of its table share.
        settings: setting -> its values, of those in which the runs in the runs folder differ.
        runs: in the runs folder; if there are none, those of the table.
        collected: the runs that its tables were collected from.
        rows: of the training runs in the runs folder: a column `run`, then as in a table.
        notes: sentences on what is missing or left out.
    """

    name: str
    about: str = ""
    commands: Sequence[str] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    protocol: Mapping = field(default_factory=dict)
    settings: Mapping[str, Sequence] = field(default_factory=dict)
    runs: Sequence[Run] = ()
    collected: Sequence[Run] = ()
    rows: pd.DataFrame | None = None
    notes: Sequence[str] = ()

    @property
    def table(self) -> pd.DataFrame | None:
        """The table of its training runs, if it has one."""
        found = self.tables.get(self.name)
        return found if found is not None and is_of_training(found) else None

    @property
    def failures(self) -> list[Run]:
        """The runs that did not end well."""
        return [run for run in self.runs if run.status in FAILURES]


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Args:
        caption: what it holds.
        head: titles of the columns.
        rows: a cell is a text, or a text and the number that it is sorted by.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence]


def is_of_training(table: pd.DataFrame) -> bool:
    """Whether a table has the errors of training runs, step by step."""
    return {"step", "test_error_percent"} <= set(table)


def keys_of(table: pd.DataFrame) -> list[str]:
    """The columns that tell the runs of a training table apart: those before `step`."""
    return list(table.columns[: table.columns.get_loc("step")])


def plain(value: object) -> str:
    """A value as a person writes it: 20, not 20.0; lists with commas."""
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _time(text: object) -> datetime.datetime | None:
    """A moment; None of what is none, since anything may stand in a file."""
    try:
        return datetime.datetime.fromisoformat(str(text)).astimezone(datetime.UTC)
    except (OverflowError, ValueError):
        return None
