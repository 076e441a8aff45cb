"""Sources of figures: tables, their provenance, published numbers."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

# Tables of a figure. A name is a required table; a sequence of names is optional, and the first existing
# table of it is drawn.
Wanted = Sequence[str | Sequence[str]]


class MissingTableError(Exception):
    """A table that a figure requires is missing."""


@dataclass(frozen=True)
class Folders:
    """Input and output folders of figures."""

    tables: Path
    reference: Path
    figures: Path


class Tables:
    """The tables of one figure, by name; each is read once, on first access.

    Args:
        wanted: a script's TABLES.
        folders: that contain them.
    Raises:
        MissingTableError: a required table is missing, or all tables are; the message gives the commands
            that create it.
    """

    def __init__(self, wanted: Wanted, folders: Folders):
        self.folders, self.names = folders, []
        for item in wanted:
            existing = [name for name in _alternatives(item) if self.path(name).exists()]
            if isinstance(item, str) and not existing:
                raise MissingTableError(self._hint(item))
            self.names += existing[:1]
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
        """Path of a table."""
        return self.folders.tables / f"{name}.csv"

    def reference(self, name: str) -> pd.DataFrame:
        """A table of published numbers."""
        return pd.read_csv(self.folders.reference / f"{name}.csv")

    def record(self, experiment: str) -> dict:
        """The provenance that `collect` wrote beside an experiment's tables."""
        return json.loads((self.folders.tables / f"{experiment}.json").read_text(encoding="utf-8"))

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
            f"{self.path(name)} is missing: run its experiment with `resexp train -m experiment=...` or"
            " `resexp measure -m experiment=...`, then `resexp collect` it; results/README.md lists"
            " the experiment of each table"
        )


def inputs(wanted: Wanted, reference: Iterable[str], folders: Folders) -> list[Path]:
    """The existing files that a figure is drawn from."""
    names = [name for item in wanted for name in _alternatives(item)]
    found = [folders.tables / f"{name}.csv" for name in names]
    found += [folders.reference / f"{name}.csv" for name in reference]
    records = [path for name in names for path in folders.tables.glob("*.json") if name.startswith(path.stem)]
    return [path for path in [*found, *records] if path.exists()]


def final(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The last row of every run, and whether the run diverged.

    Args:
        table: as written by `resexp collect`; a diverged run ends with a row without numbers.
        keys: columns that together identify a run.
    Returns:
        keys, test_error_percent, train_error_percent (except for imported runs), val_error_percent (where there
        is such a split), diverged.
    Raises:
        ValueError: several runs have the same keys.
    """
    measured = table.dropna(subset="test_error_percent")
    if measured.duplicated([*keys, "step"]).any():
        raise ValueError(
            f"{', '.join(keys)} do not distinguish the runs of this table; collect those of one dataset and"
            " one depth with `resexp collect NAME --only dataset=... --only model.depth=...`"
        )
    ends = last(table, keys)
    ends = ends.assign(diverged=ends["test_error_percent"].isna())
    errors = [f"{split}_error_percent" for split in ("test", "train", "val")]
    return ends[[*keys, *(column for column in errors if column in ends), "diverged"]]


def last(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The last row of every run; keys together identify one."""
    return table.sort_values([*keys, "step"]).groupby(list(keys), dropna=False).tail(1)


def published(comparisons: pd.DataFrame, experiment: str) -> dict[str, str]:
    """Option -> published number with its unit, or the published text if it is not a number."""
    rows = comparisons[comparisons["experiment"] == experiment]
    pairs = zip(rows["option"], rows["value"].astype(str), strict=True)
    return {option: f"{v} %" if re.fullmatch(r"[\d.]+", v) else v for option, v in pairs}


def _alternatives(item: str | Sequence[str]) -> Sequence[str]:
    return [item] if isinstance(item, str) else item


def seeds(table: pd.DataFrame) -> list[int]:
    """The seeds of a table, for a caption."""
    return sorted(int(seed) for seed in table["seed"].unique())
