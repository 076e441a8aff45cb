"""Find what there is on an experiment: its runs, its tables and their record, what its file says."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from resexp.config.catalog import command_of, options
from resexp.config.sweep import plan
from resexp.files import read_json
from resexp.records.identity import identity
from resexp.records.protocol import of_another_protocol
from resexp.records.rows import rows_of
from resexp.records.run import RunFolder
from resexp.records.snapshot import Snapshot, snapshots
from resexp.report.contents import Experiment, Run, is_of_training

ABSENT = "missing"


def records(tables: Path) -> dict[str, dict]:
    """Experiment -> what `resexp collect` wrote beside its tables.

    Raises:
        DamagedError: a .json holds something else.
    """
    found = {path.stem: read_json(path) for path in sorted(tables.glob("*.json"))}
    return {name: record for name, record in found.items() if isinstance(record.get("runs"), list)}


def gathered(name: str, runs: Path, tables: Path, collected: dict[str, dict]) -> Experiment:
    """What there is on one experiment.

    Args:
        name: of the experiment.
        runs: folder of all runs.
        tables: folder of all tables.
        collected: see records.
    Raises:
        ValueError: a table, its record or the rows of a run cannot be read.
    """
    record = collected.get(name, {})
    trained, measured, damaged = _in_folder(runs / name)
    configs, swept = plan(name, runs) if trained else ([], [])
    departs = of_another_protocol([run.protocol for run in trained], configs, swept)
    strays = {run.name for run, strays in zip(trained, departs, strict=True) if strays}
    taken = [run for run in trained if run.name not in strays]
    rows = rows_of([run for run in taken if run.status != "damaged"], swept)
    there = sorted(map(_run, [*trained, *measured, *damaged]), key=lambda run: run.name)
    listed = [_listed(run) for run in record.get("runs", [])]
    return Experiment(
        name,
        about=options("experiment").get(name, ""),
        commands=_commands(name, [*there, *listed]),
        tables=_tables(name, tables, collected),
        protocol=record.get("protocol", {}),
        settings=_differing([run.config for run in [*taken, *measured]]),
        runs=there or listed,
        collected=listed,
        rows=rows if rows is not None and is_of_training(rows) else None,
        notes=_notes(name, [*taken, *measured], record, strays),
    )


def _tables(name: str, tables: Path, collected: Iterable[str]) -> dict[str, pd.DataFrame]:
    """The tables of an experiment: <name> and <name>_<table>, unless a longer name owns that."""
    names = sorted(collected, key=len, reverse=True)
    found = {}
    for path in sorted(tables.glob(f"{name}*.csv")):
        owner = next((n for n in names if path.stem == n or path.stem.startswith(f"{n}_")), None)
        if owner == name:
            try:
                found[path.stem] = pd.read_csv(path, keep_default_na=False, na_values=[""])
            except ValueError as error:
                raise ValueError(f"{path} is no table ({error}): collect it again") from error
    return found


def _in_folder(folder: Path) -> tuple[list[Snapshot], list[Snapshot], list[Snapshot]]:
    """The training runs of a folder, its measurements, and what cannot be read."""
    found = list(snapshots(folder))
    damaged = [run for run in found if not run.config]
    measured = [run for run in found if run.config.get("command") == "measure"]
    trained = [run for run in found if run.config and run.config.get("command") != "measure"]
    return trained, measured, damaged


def _run(run: Snapshot) -> Run:
    labels = run.config.get("labels") or {"measure": run.config.get("measure", {}).get("name", "")}
    state = run.state
    sessions = RunFolder(run.path).provenance()["sessions"]
    return Run(run.name, labels, run.status, state["step"], state["steps"], state["error"], sessions)


def _listed(run: dict) -> Run:
    """A run as the record of a table has it; the record keeps no error."""
    last = run["sessions"][-1] if run["sessions"] else {}
    labels = run.get("labels") or {"measure": run.get("config", {}).get("measure", {}).get("name", "")}
    status, step = run.get("status", last.get("status", "done")), run.get("step", last.get("step", 0))
    return Run(run["run"], labels, status, step, None, "", run["sessions"])


def _commands(name: str, runs: Iterable[Run]) -> list[str]:
    """What repeats an experiment: by its file, or else as its runs were started."""
    if name in options("experiment"):
        return [f"resexp {command_of(name)} -m experiment={name}", f"resexp collect {name}"]
    said = (session.get("command") for run in runs for session in run.sessions)
    return [str(command) for command in dict.fromkeys(said) if command]


def _differing(configs: list[dict]) -> dict[str, list]:
    """Settings in which the identities of these configs differ, and their values; a group by its name."""
    found = [identity(config) for config in configs]
    values = {
        key: list({str(one.get(key, ABSENT)): one.get(key, ABSENT) for one in found}.values())
        for key in sorted(set().union(*found))
    }
    return {
        key.removesuffix(".name"): sorted(several, key=str)
        for key, several in values.items()
        if len(several) > 1
    }


def _notes(name: str, runs: list[Snapshot], record: dict, strays: set[str]) -> list[str]:
    """What a reader must know who compares the table with the runs."""
    notes = []
    finished, collected = sum(run.is_finished for run in runs), len(record.get("runs", []))
    if finished and not collected:
        notes.append(f"No table yet: resexp collect {name}")
    elif finished and finished != collected:
        notes.append(f"The runs folder has {finished} that have finished, the table {collected}")
    if left_out := record.get("left_out"):
        notes.append("Left out of the table: " + ", ".join(f"{run} ({why})" for run, why in left_out.items()))
    if strays:
        notes.append(f"Of another protocol, and not drawn: {', '.join(sorted(strays))}")
    return notes
