"""In which settings the runs of an experiment differ, and which they share."""

import pandas as pd

from resexp.report.contents import Experiment, Table, keys_of, plain

MOST_VALUES = 12  # that are listed one by one


def differing(experiment: Experiment) -> Table | None:
    """Settings with more than one value: the keys of the table, then what else differs among the runs."""
    found = {key: list(values) for key, values in experiment.settings.items()}
    for table in (experiment.table, experiment.rows):
        if table is not None:
            keys = [key for key in keys_of(table) if key != "run" and table[key].nunique() > 1]
            found = {key: _sorted(table[key]) for key in keys} | {
                key: values
                for key, values in found.items()
                if key not in keys and key.removeprefix("model.") not in keys
            }
    rows = [[key, (str(len(values)), len(values)), _listed(values)] for key, values in found.items()]
    return Table("Settings that differ among the runs", ["setting", "values", ""], rows) if rows else None


def shared(experiment: Experiment) -> Table | None:
    """The protocol: what all runs of the table have in common."""
    named = {key: value for key, value in experiment.protocol.items() if not key.endswith(("._partial_",))}
    rows = [[key, plain(value)] for key, value in named.items()]
    return Table("Settings that all runs share", ["setting", "value"], rows) if rows else None


def columns(experiment: Experiment) -> Table | None:
    """What the tables of measurements hold, column by column."""
    rows = [
        [name, (str(len(table)), len(table)), column, _described(table[column])]
        for name, table in sorted(experiment.tables.items())
        if table is not experiment.table
        for column in table
    ]
    head = ["table", "rows", "column", "values"]
    return Table("Columns of its tables", head, rows) if rows else None


def _described(column: pd.Series) -> str:
    """The values of a column if they are few, else the least and the greatest."""
    values = column.dropna()
    if values.nunique() <= MOST_VALUES:
        return _listed(_sorted(values))
    if values.dtype.kind in "if":
        return f"{values.min():.4g} to {values.max():.4g}"
    return f"{values.nunique()} different"


def _sorted(column: pd.Series) -> list:
    return sorted(column.dropna().unique().tolist())


def _listed(values: list) -> str:
    more = f", and {len(values) - MOST_VALUES} more" if len(values) > MOST_VALUES else ""
    return ", ".join(map(plain, values[:MOST_VALUES])) + more
