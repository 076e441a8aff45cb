"""Collect training runs into one tidy table with its provenance; measurements: see measured.py."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from resexp.records import table
from resexp.records.identity import differing
from resexp.records.left_out import LeftOut, in_words
from resexp.records.protocol import (
    of_another_protocol,
    refuse_mixed_protocols,
    settings_that_vary,
    value_of,
)
from resexp.records.snapshot import Snapshot, snapshots

STRAY = "another protocol"  # why a run is left out
AT_ONCE = 200  # runs whose rows are held as text


def write_table(
    runs: Path,
    tables: Path,
    *,
    by: Iterable[str] = (),
    only: Iterable[tuple[str, str]] = (),
    plan: Iterable[dict] = (),
    replace: bool = False,
) -> str:
    """Collect the finished runs of a folder into `<tables>/<folder's name>.csv` and `.json`.

    One row per run and interval: the run's labels, the settings in `by` that are not among the labels,
    then the columns of rows.csv; sorted, floats to six digits. A diverged run has one more row, at the
    step of divergence, without values. The same runs always give the same bytes.

    Args:
        runs: the experiment's folder, which contains the run folders.
        tables: output folder of the two files.
        by: settings that distinguish runs, e.g. `schedule.steps`, or a group, e.g. `shortcut`.
        only: (setting, value) pairs; other runs are ignored.
        plan: configs of the experiment's file. Settings that vary among them may depend on the swept
            ones, e.g. the number of steps on the batch size. If some runs follow the plan's protocol,
            others, e.g. trials with fewer steps, are left out.
        replace: overwrite an existing table even if it has more rows.
    Returns:
        One line: what was written, how it differs from the existing table, which runs were left out, and
        which protocol settings could not be compared because older runs lack them.
    Raises:
        ValueError: no finished run; runs of several protocols; runs that no column distinguishes; an
            existing table with more rows. The message says which settings differ and how to choose.
    """
    if not runs.is_dir():
        raise ValueError(f"{runs} does not exist; train first: resexp train -m experiment={runs.name}")
    plan, swept = list(plan), list(dict.fromkeys(by))
    taken, left_out = _selected(runs, list(only), plan, swept)
    lacked = refuse_mixed_protocols(taken, swept, settings_that_vary(plan))
    columns = [key for key in swept if not is_label(key, taken[0].config)]
    _refuse_indistinct(taken, columns)
    path = tables / f"{runs.name}.csv"
    said = _write(taken, columns, path, replace=replace)
    table.write_record(path, _provenance(taken, left_out))
    others = f"; left out: {in_words(left_out)}" if left_out else ""
    older = f"; not compared, missing in some runs: {', '.join(lacked)}" if lacked else ""
    return f"{path}: {len(taken)} runs, {said}{others}{older}"


def _selected(
    runs: Path, only: list[tuple[str, str]], plan: list[dict], swept: list[str]
) -> tuple[list[Snapshot], dict[str, str]]:
    """The finished runs that match `only` and the plan's protocol; the rest, each with a reason."""
    finished, left_out = [], LeftOut()
    for run in of_one_command(runs):
        if not run.config:
            left_out.add(run, run.state["error"])
        elif _matches(run.config, only):
            if run.is_finished:
                finished.append(run)
            else:
                left_out.add(run, run.status)
    others = [group for group in left_out.groups if group.protocol]
    if only and not finished and not others:
        wanted = ", ".join("=".join(pair) for pair in only)
        raise ValueError(f"no run in {runs} has {wanted}; write values as in their config.json")
    departs = of_another_protocol([run.protocol for run in [*finished, *others]], plan, swept)
    taken = []
    for run, strays in zip(finished, departs, strict=False):
        if strays:
            left_out.add(run, STRAY)
        else:
            taken.append(run)
    for group, strays in zip(others, departs[len(finished) :], strict=True):
        group.why = STRAY if strays else group.why
    listed = left_out.listed()
    if not taken:
        raise ValueError(
            f"no finished run in {runs} ({left_out.count} others: {in_words(listed) or 'none'});"
            f" see `resexp status {runs.name}`"
        )
    return taken, listed


def of_one_command(runs: Path) -> Iterator[Snapshot]:
    """The runs of a folder. Raises ValueError if it mixes training runs and measurements."""
    kinds = set()
    for run in snapshots(runs):
        if run.config:
            kinds.add(run.config.get("command") == "measure")
        if len(kinds) > 1:
            raise ValueError(
                f"{runs} mixes training runs and measurements, which do not fit in one table: delete the"
                " folders of one kind, and use different names from now on (name=...)"
            )
        yield run


def _write(taken: list[Snapshot], columns: list[str], path: Path, *, replace: bool) -> str:
    whole = pd.concat(
        frame(_keyed(run, columns) for run in taken[n : n + AT_ONCE]) for n in range(0, len(taken), AT_ONCE)
    )
    if not replace:
        refuse_to_lose_rows(path, len(whole))
    keys = [*taken[0].config["labels"], *columns, "step"]
    whole = whole.assign(**{key: of_one_kind(whole[key]) for key in keys})
    return table.write(whole.sort_values(keys, kind="stable"), path, digits=6)


def _matches(config: dict, only: list[tuple[str, str]]) -> bool:
    found = [(value_of(config, key), value) for key, value in only]
    return all(value in (str(there), json.dumps(there)) for there, value in found)


def is_label(key: str, config: dict) -> bool:
    """Whether the setting is already a label, e.g. seed, model.depth, norm or norm.name."""
    return key.removeprefix("model.").removesuffix(".name") in config["labels"]


def refuse_to_lose_rows(path: Path, rows: int) -> None:
    """Raise ValueError where the existing table has more rows."""
    if rows < (existing := table.rows(path)):
        raise ValueError(
            f"{path} has {existing} rows and would get only {rows}: finish the runs, write elsewhere with"
            " --tables, or overwrite it with --replace"
        )


def _refuse_indistinct(taken: list[Snapshot], columns: list[str]) -> None:
    seen: dict[tuple, Snapshot] = {}
    for run in taken:
        key = (*run.config["labels"].values(), *(value_of(run.config, k) for k in columns))
        other = seen.setdefault(key, run)
        if other is run:
            continue
        keys = differing(other.config, run.config)
        if not keys:
            raise ValueError(f"{other.path} and {run.path} are the same run: delete one of the two folders")
        raise ValueError(
            f"no column distinguishes {other.name} from {run.name}, which differ in {', '.join(keys)};"
            " distinguish them with --by, or select one with --only"
        )


def _keyed(run: Snapshot, columns: list[str]) -> tuple[dict, list[dict]]:
    """What tells a run apart, and its rows."""
    keys = run.config["labels"] | {key: value_of(run.config, key) for key in columns}
    return keys, [*run.rows(), *ending(run)]


def ending(run: Snapshot) -> list[dict]:
    """The row without values in which a diverged run ends; none of other runs."""
    return [{"step": run.state["step"]}] if run.status == "diverged" else []


def frame(runs: Iterable[tuple[dict, list[dict]]]) -> pd.DataFrame:
    """The rows of several runs as numbers, each behind what tells its run apart."""
    rows, keys = [], []
    for own_keys, own in runs:
        rows += own
        keys += [own_keys] * len(own)
    values = pd.DataFrame(rows).replace("nan", None).apply(pd.to_numeric)
    labels = pd.DataFrame(keys, dtype=object, index=values.index)
    # a column with a missing setting stays one of objects, or its whole numbers became fractions
    whole = [column for column in labels if labels[column].notna().all()]
    return pd.concat([labels.astype({c: labels[c].infer_objects().dtype for c in whole}), values], axis=1)


def of_one_kind(column: pd.Series) -> pd.Series:
    """The same values; as text if some are texts, such as `auto`: they are to be sorted."""
    is_text = column.dropna().map(lambda value: isinstance(value, str))
    return column if is_text.all() or not is_text.any() else column.map(str, na_action="ignore")


def _provenance(taken: list[Snapshot], left_out: dict[str, str]) -> dict:
    first, *others = [run.protocol for run in taken]
    return {
        "protocol": {k: v for k, v in first.items() if all(p.get(k) == v for p in others)},
        "runs": [
            {
                "run": run.name,
                "labels": run.config["labels"],
                "status": run.status,
                "step": run.state["step"],
                "sessions": run.sessions,
            }
            for run in taken
        ],
        "left_out": left_out,
    }
