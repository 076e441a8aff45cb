"""The rows of runs as they stand, whether the runs have ended or not."""

from collections.abc import Iterable

import pandas as pd

from resexp.records.collect import frame, is_label
from resexp.records.protocol import differing, value_of
from resexp.records.snapshot import Snapshot


def rows_of(runs: Iterable[Snapshot], by: Iterable[str]) -> pd.DataFrame | None:
    """The rows of runs, finished or not, as in a table but not rounded; None if there are none.

    Args:
        runs: training runs.
        by: settings that distinguish them, see write_table; without any, all in which they differ.
    Returns:
        A column `run` with the name of the folder, then the columns of a table.
    Raises:
        ValueError: a run's rows are no numbers.
    """
    begun = [run for run in runs if run.rows or run.status == "diverged"]
    keys = list(by) or sorted({key for run in begun for key in differing(begun[0].config, run.config)})
    keys = [
        key for key in keys if all(_has(run.config, key) and not is_label(key, run.config) for run in begun)
    ]
    frames = []
    for run in begun:
        try:
            rows = frame(run, keys)
        except ValueError as error:
            raise ValueError(f"{run.path / 'rows.csv'} is damaged ({error}): remove this run") from error
        rows.insert(0, "run", run.name)
        frames.append(rows)
    return pd.concat(frames, ignore_index=True) if frames else None


def _has(config: dict, key: str) -> bool:
    try:
        value_of(config, key)
    except ValueError:
        return False
    return True
