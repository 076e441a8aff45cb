"""Final errors by setting, and the published numbers beside them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from resexp.plots.tables import final
from resexp.report.contents import Experiment, Table, keys_of, plain

ERRORS = {"test_error_percent": "test error (%)", "train_error_percent": "training error (%)"}


def varying(table: pd.DataFrame) -> list[str]:
    """The keys by which settings differ, without the seed and without those that follow from another.

    A case determines its depth and its normalization, say; then the case alone is a setting.
    """
    keys = [key for key in keys_of(table) if key not in ("seed", "run") and table[key].nunique() > 1]
    kept = list(keys)
    for key in keys:
        others = [other for other in kept if other != key]
        if any(table.groupby(other)[key].nunique().max() == 1 for other in others):
            kept.remove(key)
    return kept


def final_errors(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation of the last errors over the runs of each setting.

    Args:
        table: as `resexp collect` writes it.
    Returns:
        A row per setting: the varying keys, then of each error `<error>_mean` and `_std` (NaN of one
        run), and the counts `n` of runs that ended, `diverged` of those that did not.
    """
    settings = varying(table)
    runs = final(table, keys_of(table))
    errors = [error for error in ERRORS if error in runs]
    rows = []
    for values, mine in runs.groupby(settings, sort=True) if settings else [((), runs)]:
        good = mine[~mine["diverged"]]
        row = dict(zip(settings, values, strict=True))
        for error in errors:
            row |= {f"{error}_mean": good[error].mean(), f"{error}_std": good[error].std()}
        rows.append(row | {"n": len(good), "diverged": int(mine["diverged"].sum())})
    return pd.DataFrame(rows)


class Published:
    """The published numbers: comparisons.csv and he2015_cifar10.csv of a folder, those that exist."""

    def __init__(self, folder: Path):
        self.comparisons, self.he2015 = (
            pd.read_csv(path, dtype=str, keep_default_na=False) if path.exists() else pd.DataFrame()
            for path in (folder / "comparisons.csv", folder / "he2015_cifar10.csv")
        )

    def of(self, experiment: Experiment) -> pd.DataFrame:
        """Rows on an experiment: option, value, quantity, and where the number stands.

        `<name>_cifar10` repeats `<name>` as published, so both have the same numbers. A sweep of depths
        on CIFAR-10 has those of He et al. 2015; other comparisons follow protocols of their own.
        """
        if len(self.comparisons):
            names = (experiment.name, experiment.name.removesuffix("_cifar10"))
            mine = self.comparisons[self.comparisons["experiment"].isin(names)]
            if len(mine):
                return mine.drop(columns=["experiment", "key"], errors="ignore")
        table = experiment.table if experiment.table is not None else experiment.rows
        if not len(self.he2015) or table is None or set(table.get("dataset", ())) != {"cifar10"}:
            return pd.DataFrame()
        if not set(varying(table)) <= {"model", "depth"}:
            return pd.DataFrame()
        named = self.he2015["model"] + "-" + self.he2015["depth"]
        rest = self.he2015.drop(columns=["model", "depth"])
        rest.insert(0, "option", named)
        return rest.assign(dataset="CIFAR-10")


def number_of(row: dict, settings: Sequence[str], published: pd.DataFrame) -> str:
    """The published number of a setting: its option is one of the values, or several joined by dashes.

    What is not simply a test error, such as the best of five, says so.
    """
    if not len(published):
        return ""
    values = [plain(row[key]) for key in settings]
    network = "-".join(plain(row[key]) for key in ("model", "depth") if key in row)
    found = published[published["option"].isin({*values, "-".join(values), network})]
    kinds = (
        found.get("quantity", pd.Series("", found.index)).str.removeprefix("test error %").str.strip(" ()")
    )
    return ", ".join(f"{v} ({kind})" if kind else v for v, kind in zip(found["value"], kinds, strict=True))


def errors_table(table: pd.DataFrame, published: pd.DataFrame, source: str) -> Table:
    """Final errors by setting, and the published test errors beside them; `source` says where from."""
    settings, rows = varying(table), []
    found = final_errors(table)
    errors = [error for error in ERRORS if f"{error}_mean" in found]
    shared = {key: table[key].iloc[0] for key in ("model", "depth") if table[key].nunique() == 1}
    for row in found.to_dict("records"):
        cells = [_cell(row[key]) for key in settings]
        cells += [_mean(row[f"{error}_mean"], row[f"{error}_std"]) for error in errors]
        cells += [(str(row[count]), row[count]) for count in ("n", "diverged")]
        rows.append([*cells, number_of(shared | row, settings, published)] if len(published) else cells)
    head = [*settings, *(ERRORS[error] for error in errors), "runs", "diverged"]
    caption = f"Errors at the end, from {source}: mean ± standard deviation over the runs that ended"
    if len(published):
        head.append(f"published, {' and '.join(sorted(set(published['dataset'])))} (%)")
    return Table(caption, head, rows)


def published_table(published: pd.DataFrame) -> Table | None:
    """The published numbers as they stand in results/reference."""
    if not len(published):
        return None
    there = [column for column in published if (published[column] != "").any()]
    rows = [[row[column] for column in there] for row in published.to_dict("records")]
    return Table("Published numbers, as printed", there, rows)


def _cell(value: object) -> tuple | str:
    return (plain(value), value) if isinstance(value, int | float) else str(value)


def _mean(mean: float, spread: float) -> tuple[str, float | str]:
    if pd.isna(mean):
        return "-", ""
    return (f"{mean:.2f}" if pd.isna(spread) else f"{mean:.2f} ± {spread:.2f}"), mean
