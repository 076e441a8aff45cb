"""Collect the tables of an experiment's measurements, with their provenance."""

from pathlib import Path

import pandas as pd

from resexp.records import table
from resexp.records.collect import of_one_command, refuse_to_lose_rows
from resexp.records.identity import differing
from resexp.records.run import RunFolder
from resexp.records.snapshot import Snapshot


def write_measured(runs: Path, tables: Path, *, replace: bool = False) -> str:
    """Collect the tables of an experiment's measurements into `<tables>/<experiment>_<table>.csv`.

    Tables of the same name are concatenated; rows keep their order, floats have five digits.

    Args:
        runs: the experiment's folder, which contains the run folders.
        tables: output folder of the tables and of one .json with their provenance.
        replace: overwrite an existing table even if it has more rows.
    Returns:
        One line per table: what was written and how it differs from the existing table.
    Raises:
        ValueError: no finished measurement; two measurements of the same kind, whose rows would mix; an
            existing table with more rows.
    """
    done, lost = [], []
    for run in of_one_command(runs):
        if run.status == "done":
            done.append(run)
        elif run.status == "damaged":
            lost.append(run.name)
    if not done:
        raise ValueError(
            f"no finished measurement in {runs}; measure first: resexp measure -m experiment={runs.name}"
        )
    _refuse_the_same_measurement(done)
    taken = [RunFolder(run.path) for run in done]
    frames: dict[str, list[pd.DataFrame]] = {}
    for run in taken:
        for name, frame in run.tables().items():
            frames.setdefault(name, []).append(frame)
    whole = {tables / f"{runs.name}_{name}.csv": pd.concat(parts) for name, parts in frames.items()}
    if not replace:
        for path, frame in whole.items():
            refuse_to_lose_rows(path, len(frame))
    said = [f"{path}: {table.write(frame, path, digits=5)}" for path, frame in whole.items()]
    content = [{"run": run.name, "config": run.config, "sessions": run.sessions} for run in done]
    table.write_record(tables / f"{runs.name}.csv", {"runs": content})
    return "\n".join([*said, *([f"left out, damaged: {', '.join(lost)}"] if lost else [])])


def _refuse_the_same_measurement(done: list[Snapshot]) -> None:
    kinds: dict[str, Snapshot] = {}
    for run in done:
        other = kinds.setdefault(run.config["measure"]["name"], run)
        if other is not run:
            keys = ", ".join(differing(other.config, run.config)) or "the runs they measured"
            raise ValueError(
                f"{other.path} and {run.path} are the same measurement with different {keys}; delete one,"
                " or rename one with name=..."
            )
