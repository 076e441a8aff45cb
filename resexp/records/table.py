"""CSV tables: written atomically and compared with the version they replace."""

from pathlib import Path

import pandas as pd

from resexp.files import atomic, write_json

# Timings vary between machines and runs.
TIMES = {"seconds", "examples_per_second", "milliseconds_per_network", "ratio_to_one_by_one"}


def write(table: pd.DataFrame, path: Path, *, digits: int) -> str:
    """Write a table with floats to `digits` significant digits; equal tables give equal bytes.

    Returns:
        The number of rows and, if `path` existed, how the table differs from the previous one.
    """
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, float_format=f"%.{digits}g", lineterminator="\n")
        changes = f", {_changes(path, temporary)}" if path.exists() else ""
    return f"{len(table)} rows{changes}"


def write_record(path: Path, content: dict) -> None:
    """Write a table's provenance next to it, to `<name>.json`."""
    write_json(path.with_suffix(".json"), content)


def rows(path: Path) -> int:
    """Number of rows of the table at this path; 0 if it does not exist."""
    return max(0, path.read_bytes().count(b"\n") - 1) if path.exists() else 0


def _changes(before: Path, after: Path) -> str:
    try:
        old, new = (pd.read_csv(path, dtype=str, keep_default_na=False) for path in (before, after))
    except ValueError:  # e.g. merge conflict markers
        return "replacing an unreadable table"
    if len(old) != len(new):
        return f"previously {len(old)}"
    # pandas reads extra fields as an index
    if list(old) != list(new) or not isinstance(old.index, pd.RangeIndex):
        return "with different columns"
    differing = {name: count for name, count in (old != new).sum().items() if count}
    if differing.keys() <= TIMES:
        return "unchanged (timings aside)" if differing else "unchanged"
    said = {name: count for name, count in differing.items() if name not in TIMES}
    where = ", ".join(name + _largest(old[name], new[name]) for name in said)
    size = new.size - len(new) * len(TIMES.intersection(new))
    return f"{sum(said.values())} of {size} values changed: {where}"


def _largest(old: pd.Series, new: pd.Series) -> str:
    """The largest difference of two numeric columns, as text; empty for other columns."""
    a, b = (pd.to_numeric(column, errors="coerce") for column in (old, new))
    largest = (a - b).abs().max()
    return f" by up to {largest:.2g}" if largest > 0 else ""
