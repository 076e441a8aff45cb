"""The rows of runs as they stand, whether the runs have ended or not."""

from collections.abc import Iterable

import pandas as pd

from resexp.records.collect import ending, frame, is_label, of_one_kind
from resexp.records.identity import differing
from resexp.records.protocol import value_of
from resexp.records.run import RunFolder
from resexp.records.snapshot import Snapshot


def rows_of(runs: list[Snapshot], by: Iterable[str]) -> pd.DataFrame | None:
    """The rows of runs, finished or not, as in a table but not rounded; None if there are none.

    Args:
        runs: training runs.
        by: settings that distinguish them, see write_table; without any, all in which they differ.
    Returns:
        A column `run` with the name of the folder, then the columns of a table.
    Raises:
        ValueError: a run's rows are no numbers.
    """
    # as they stand now, even if a run goes on
    found = {run.name: [*RunFolder(run.path).rows(), *ending(run)] for run in runs}
    begun = [run for run in runs if found[run.name]]
    keys = list(by) or sorted({key for run in begun for key in differing(begun[0].config, run.config)})
    configs = [run.config for run in begun]
    keys = [key for key in keys if all(_has(one, key) and not is_label(key, one) for one in configs)]
    frames = []
    for run in begun:
        own = {"run": run.name} | run.config["labels"] | {key: value_of(run.config, key) for key in keys}
        try:
            frames.append(frame([(own, found[run.name])]))
        except ValueError as error:
            raise ValueError(f"{run.path / 'rows.csv'} is damaged ({error}): remove this run") from error
    if not frames:
        return None
    whole = pd.concat(frames, ignore_index=True)
    settings = whole.columns[: whole.columns.get_loc("step")]
    texts = [key for key in settings if whole[key].dtype == object]
    whole = whole.assign(**{key: whole[key].fillna("null") for key in texts})
    return whole.assign(**{key: of_one_kind(whole[key]) for key in settings})


def _has(config: dict, key: str) -> bool:
    try:
        value_of(config, key)
    except ValueError:
        return False
    return True
