"""Tables as CSV files: written whole, and compared with what they take the place of."""

from pathlib import Path

import pandas as pd

from resexp.files import atomic

TIMES = ("seconds", "examples_per_second")  # differ from machine to machine, and from run to run


def write(table: pd.DataFrame, path: Path, *, digits: int) -> str:
    """Write a table, its floats to so many digits; the same table gives the same bytes.

    Returns:
        The number of rows and, if there was a table, how it differs from that.
    """
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, float_format=f"%.{digits}g", lineterminator="\n")
        changes = f", {_changes(path, temporary)}" if path.exists() else ""
    return f"{len(table)} rows{changes}"


def rows(path: Path) -> int:
    """Rows of the table at this path; 0 without one."""
    return len(path.read_text().splitlines()) - 1 if path.exists() else 0


def _changes(before: Path, after: Path) -> str:
    try:
        old, new = (pd.read_csv(path).drop(columns=[*TIMES], errors="ignore") for path in (before, after))
    except ValueError:  # as with the marks of a merge in it
        return "where there was no readable table"
    if len(old) != len(new):
        return f"where there were {len(old)}"
    if list(old) != list(new):
        return "with other columns than before"
    differs = (old != new) & ~(old.isna() & new.isna())
    count = differs.to_numpy().sum()
    if not count:
        return "as before" if before.read_bytes() == after.read_bytes() else "as before but for times"
    where = ", ".join(_in_words(old[name], new[name]) for name in new if differs[name].any())
    return f"{count} of {new.size} values not as before: {where}"


def _in_words(old: pd.Series, new: pd.Series) -> str:
    if not all(pd.api.types.is_numeric_dtype(column) for column in (old, new)):
        return new.name
    largest = (old - new).abs().max()
    return f"{new.name} by up to {largest:.2g}" if largest > 0 else new.name
