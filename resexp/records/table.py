"""Tables as CSV files: written whole, and compared with what they take the place of."""

from pathlib import Path

import pandas as pd

from resexp.files import atomic, write_json

# These differ from machine to machine, and from run to run.
TIMES = {"seconds", "examples_per_second", "milliseconds_per_network", "ratio_to_one_by_one"}


def write(table: pd.DataFrame, path: Path, *, digits: int) -> str:
    """Write a table, its floats to so many digits; the same table gives the same bytes.

    Returns:
        The number of rows and, if there was a table, how it differs from that.
    """
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, float_format=f"%.{digits}g", lineterminator="\n")
        changes = f", {_changes(path, temporary)}" if path.exists() else ""
    return f"{len(table)} rows{changes}"


def write_record(path: Path, content: dict) -> None:
    """Write what belongs to a table, its provenance, beside it: `<name>.json`."""
    write_json(path.with_suffix(".json"), content)


def rows(path: Path) -> int:
    """Rows of the table at this path; 0 without one."""
    return max(0, path.read_bytes().count(b"\n") - 1) if path.exists() else 0


def _changes(before: Path, after: Path) -> str:
    try:
        old, new = (pd.read_csv(path, dtype=str, keep_default_na=False) for path in (before, after))
    except ValueError:  # e.g. merge conflict markers
        return "replacing an unreadable table"
    if len(old) != len(new):
        return f"previously {len(old)}"
    if list(old) != list(new) or not isinstance(old.index, pd.RangeIndex):  # or more fields than names
        return "with different columns"
    differing = {name: count for name, count in (old != new).sum().items() if count}
    if differing.keys() <= TIMES:
        return "unchanged (timings aside)" if differing else "unchanged"
    said = {name: count for name, count in differing.items() if name not in TIMES}
    where = ", ".join(name + _largest(old[name], new[name]) for name in said)
    size = new.size - len(new) * len(TIMES.intersection(new))
    return f"{sum(said.values())} of {size} values changed: {where}"


def _largest(old: pd.Series, new: pd.Series) -> str:
    """By how much two columns of numbers differ at most, in words; nothing of other columns."""
    a, b = (pd.to_numeric(column, errors="coerce") for column in (old, new))
    largest = (a - b).abs().max()
    return f" by up to {largest:.2g}" if largest > 0 else ""
