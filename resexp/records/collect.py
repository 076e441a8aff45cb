"""Run folders -> one tidy table, and where its rows come from."""

import json
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from resexp.files import atomic
from resexp.records import table
from resexp.records.protocol import (
    PYTHON,
    differing,
    of_another_protocol,
    protocol_of,
    refuse_mixed_protocols,
    settings_that_vary,
    value_of,
)
from resexp.records.run import FINISHED, RunFolder, folders


def write_table(
    runs: Path,
    tables: Path,
    *,
    by: Iterable[str] = (),
    only: Iterable[tuple[str, str]] = (),
    plan: Iterable[dict] = (),
    replace: bool = False,
) -> str:
    """Gather the finished runs of a folder into `<tables>/<folder's name>.csv` and `.json`.

    One row per run and interval: the run's labels, the settings named in `by` that the labels do
    not show, then the run's own columns; sorted, floats to six digits. A run that diverged has one
    row more, at that step and without numbers. The same runs give the same bytes.

    Args:
        runs: the experiment's folder of run folders.
        tables: where the two files go.
        by: settings that keep runs apart, such as `schedule.steps`, or a group, such as `shortcut`.
        only: (setting, value) pairs that a run must have to be taken.
        plan: configs of the experiment as its file describes it. Settings that differ among them are
            taken to follow what is swept, as the number of steps may follow the batch size. Where
            there are runs of its protocol, others, such as trials with fewer steps, are left out.
        replace: write the table even if the one that is there has more rows.
    Returns:
        One line on what was written, how it differs from the table that was there, what was left out,
        and which settings of the protocol some runs, made before these were there, do not have: those
        cannot be compared.
    Raises:
        ValueError: no finished run; runs of several protocols; runs that the columns do not tell
            apart; a table that is there and has more rows. Says which settings differ and how to choose.
    """
    if not runs.is_dir():
        raise ValueError(f"there is no folder {runs}; train first: resexp train -m experiment={runs.name}")
    only = list(only)
    found = [run for run in folders(runs) if _matches(run, only)]
    if only and not found:
        wanted = ", ".join("=".join(pair) for pair in only)
        raise ValueError(f"no run in {runs} has {wanted}; write values as config.json there shows them")
    statuses = {run.name: run.status()["status"] for run in found}
    plan, swept = list(plan), dict.fromkeys(by)
    for name in of_another_protocol({run.name: run.config() for run in found}, plan, list(swept)):
        statuses[name] = "another protocol"
    taken = [run for run in found if statuses[run.name] in FINISHED]
    left_out = {run.name: statuses[run.name] for run in found if run not in taken}
    if not taken:
        raise ValueError(
            f"no finished run in {runs} ({len(left_out)} others); see `resexp status {runs.name}`"
        )
    configs = {run.name: run.config() for run in taken}
    lacked = refuse_mixed_protocols(configs, list(swept), settings_that_vary(plan))
    by = [key for key in swept if not _is_label(key, configs[taken[0].name])]
    _refuse_indistinct(configs, by)
    whole = pd.concat(_frame(run, configs[run.name], by) for run in taken)
    keys = [*configs[taken[0].name]["labels"], *by, "step"]
    path = tables / f"{runs.name}.csv"
    if not replace:
        _refuse_to_lose_rows(path, len(whole))
    said = table.write(whole.sort_values(keys, kind="stable"), path, digits=6)
    with atomic(path.with_suffix(".json")) as temporary:
        content = _provenance(taken, configs, statuses, left_out)
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    others = f"; left out: {', '.join(f'{n} ({s})' for n, s in left_out.items())}" if left_out else ""
    older = f"; not compared, for some runs lack them: {', '.join(lacked)}" if lacked else ""
    return f"{path}: {len(taken)} runs, {said}{others}{older}"


def write_measured(runs: Path, tables: Path, *, replace: bool = False) -> str:
    """Gather the tables of an experiment's measurements into `<tables>/<experiment>_<table>.csv`.

    Tables of one name are put below each other; rows keep their order, floats five digits.

    Args:
        runs: the experiment's folder of run folders.
        tables: where the files go, with one .json of provenance beside them.
        replace: write a table even if the one that is there has more rows.
    Returns:
        A line on each table that was written, and how it differs from the one that was there.
    Raises:
        ValueError: no finished measurement; two of one kind, whose rows would mix; a table that is there
            and has more rows.
    """
    taken = [run for run in folders(runs) if run.recorded_status()["status"] == "done"]
    if not taken:
        raise ValueError(
            f"no finished measurement in {runs}; measure first: resexp measure -m experiment={runs.name}"
        )
    kinds: dict[str, RunFolder] = {}
    for run in taken:
        other = kinds.setdefault(run.config()["measure"]["name"], run)
        if other is not run:
            keys = ", ".join(differing(other.config(), run.config())) or "the runs they measured"
            raise ValueError(
                f"{other.path} and {run.path} measure the same and differ in {keys}; delete one, or"
                " give one a name of its own"
            )
    frames: dict[str, list[pd.DataFrame]] = {}
    for run in taken:
        for name, frame in run.tables().items():
            frames.setdefault(name, []).append(frame)
    whole = {tables / f"{runs.name}_{name}.csv": pd.concat(parts) for name, parts in frames.items()}
    if not replace:
        for path, frame in whole.items():
            _refuse_to_lose_rows(path, len(frame))
    said = [f"{path}: {table.write(frame, path, digits=5)}" for path, frame in whole.items()]
    content = [{"run": r.name, "config": r.config(), "sessions": r.provenance()["sessions"]} for r in taken]
    with atomic(tables / f"{runs.name}.json") as temporary:
        temporary.write_text(json.dumps({"runs": content}, indent=1) + "\n")
    return "\n".join(said)


def _matches(run: RunFolder, only: Iterable[tuple[str, str]]) -> bool:
    config = run.config()
    found = [(value_of(config, key), value) for key, value in only]
    return all(value in (str(there), json.dumps(there)) for there, value in found)


def _is_label(key: str, config: dict) -> bool:
    """Whether a label shows this setting already: seed, model.depth, norm or norm.name."""
    return key.removeprefix("model.").removesuffix(".name") in config["labels"]


def _refuse_to_lose_rows(path: Path, rows: int) -> None:
    if rows < (there := table.rows(path)):
        raise ValueError(
            f"{path} has {there} rows and would get {rows}: finish the runs, write elsewhere with --tables,"
            " or let it go with --replace"
        )


def _refuse_indistinct(configs: dict[str, dict], by: list[str]) -> None:
    seen: dict[tuple, str] = {}
    for name, config in configs.items():
        key = (*config["labels"].values(), *(value_of(config, k) for k in by))
        other = seen.setdefault(key, name)
        if other != name:
            if all(setting.endswith(PYTHON) for setting in differing(configs[other], config)):
                raise ValueError(
                    f"{other} and {name} are the same run, of two versions of the program: delete one folder"
                )
            raise ValueError(
                f"the columns do not tell {other} from {name}: they differ in"
                f" {', '.join(differing(configs[other], config))};"
                " keep them apart with --by, or choose with --only"
            )


def _frame(run: RunFolder, config: dict, by: list[str]) -> pd.DataFrame:
    rows, state = run.rows(), run.status()
    if state["status"] == "diverged":
        rows.append({"step": state["step"]})
    frame = pd.DataFrame(rows).replace("nan", None).apply(pd.to_numeric)
    keys = config["labels"] | {key: value_of(config, key) for key in by}
    for position, (key, value) in enumerate(keys.items()):
        frame.insert(position, key, value)
    return frame


def _provenance(taken: list[RunFolder], configs: dict[str, dict], statuses: dict, left_out: dict) -> dict:
    protocols = [protocol_of(config) for config in configs.values()]
    common = {k: v for k, v in protocols[0].items() if all(p.get(k) == v for p in protocols)}
    return {
        "protocol": common,
        "runs": [
            {
                "run": run.name,
                "labels": configs[run.name]["labels"],
                "status": statuses[run.name],
                "step": run.status()["step"],
                "sessions": run.provenance()["sessions"],
            }
            for run in taken
        ],
        "left_out": left_out,
    }
