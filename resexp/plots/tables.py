"""What figures are drawn from: tables, their provenance, published numbers."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

# A table that a figure needs, or alternatives of which the first that exists is drawn, if any does.
Wanted = Sequence[str | Sequence[str]]


class MissingTableError(Exception):
    """A table that a figure cannot do without."""


@dataclass(frozen=True)
class Folders:
    """Where figures read and write."""

    tables: Path
    reference: Path
    figures: Path


class Tables:
    """The tables of one figure, by their names; read once, when they are asked for.

    Args:
        wanted: as a script's TABLES.
        folders: where they lie.
    Raises:
        MissingTableError: a needed one is missing, or all are; says how to make it.
    """

    def __init__(self, wanted: Wanted, folders: Folders):
        self.folders, self.names = folders, []
        for item in wanted:
            there = [name for name in _alternatives(item) if self.path(name).exists()]
            if isinstance(item, str) and not there:
                raise MissingTableError(self._hint(item))
            self.names += there[:1]
        if not self.names:
            first = _alternatives(wanted[0])[0]
            raise MissingTableError(self._hint(first))
        self._read: dict[str, pd.DataFrame] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._read:
            self._read[name] = pd.read_csv(self.path(name), keep_default_na=False, na_values=[""])
        return self._read[name].copy()

    def path(self, name: str) -> Path:
        """Of a table."""
        return self.folders.tables / f"{name}.csv"

    def reference(self, name: str) -> pd.DataFrame:
        """A table of published numbers."""
        return pd.read_csv(self.folders.reference / f"{name}.csv")

    def record(self, experiment: str) -> dict:
        """The provenance that `collect` wrote beside an experiment's tables."""
        return json.loads((self.folders.tables / f"{experiment}.json").read_text())

    def made_with(self, *experiments: str) -> dict:
        """Devices, torch versions and commits of the experiments' runs, for a figure's facts."""
        records = [self.record(experiment) for experiment in experiments]
        sessions = [session for record in records for run in record["runs"] for session in run["sessions"]]
        return {
            "devices": sorted({session["device"] for session in sessions}),
            "torch": sorted({session["versions"]["torch"] for session in sessions}),
            "commits": sorted({str(session["commit"]) for session in sessions}),
        }

    def _hint(self, name: str) -> str:
        return (
            f"no {self.path(name)}: run its experiment, `resexp train -m experiment=...` or"
            " `resexp measure -m experiment=...`, and `resexp collect` it; results/README.md says"
            " which experiment each table is of"
        )


def inputs(wanted: Wanted, reference: Iterable[str], folders: Folders) -> list[Path]:
    """The files that a figure is drawn from, those that exist."""
    names = [name for item in wanted for name in _alternatives(item)]
    found = [folders.tables / f"{name}.csv" for name in names]
    found += [folders.reference / f"{name}.csv" for name in reference]
    records = [path for name in names for path in folders.tables.glob("*.json") if name.startswith(path.stem)]
    return [path for path in [*found, *records] if path.exists()]


def final(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The last row of every run, and whether the run diverged before the end.

    Args:
        table: as `resexp collect` writes it.
        keys: columns that tell runs apart.
    Returns:
        keys, test_error_percent, train_error_percent (but for imported runs), diverged. A run that
        diverged ends with a row without numbers.
    Raises:
        ValueError: keys that do not tell the runs apart.
    """
    there = table.dropna(subset="test_error_percent")
    if there.duplicated([*keys, "step"]).any():
        raise ValueError(
            f"{', '.join(keys)} do not tell the runs of this table apart; collect those of one dataset and"
            " one depth with `resexp collect NAME --only dataset=... --only model.depth=...`"
        )
    last = table.sort_values([*keys, "step"]).groupby(list(keys), dropna=False).tail(1)
    last = last.assign(diverged=last["test_error_percent"].isna())
    errors = [f"{split}_error_percent" for split in ("test", "train")]
    return last[[*keys, *(column for column in errors if column in last), "diverged"]]


def published(comparisons: pd.DataFrame, experiment: str) -> dict[str, str]:
    """Option -> the published number with its unit, and words as they were printed."""
    rows = comparisons[comparisons["experiment"] == experiment]
    pairs = zip(rows["option"], rows["value"].astype(str), strict=True)
    return {option: f"{v} %" if re.fullmatch(r"[\d.]+", v) else v for option, v in pairs}


def _alternatives(item: str | Sequence[str]) -> Sequence[str]:
    return [item] if isinstance(item, str) else item
