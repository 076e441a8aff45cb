"""An experiment's runs all together: how far they are, and their common tables."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from resexp.experiments.plan import planned
from resexp.experiments.runs import folder_of, settled
from resexp.records.run import RunFolder, folders


def collected(
    experiment: str,
    runs: Path,
    tables: Path,
    *,
    by: Iterable[str] = (),
    only: Iterable[tuple[str, str]] = (),
    replace: bool = False,
) -> list[str]:
    """Gather an experiment's runs into its tables; lines on what was written and what is not there.

    Args:
        experiment: name of a folder in `runs`, and perhaps of a file in conf/experiment.
        runs: folder of all runs.
        tables, by, only, replace: see resexp.records.collect.write_table.
    Raises:
        ValueError: training runs and measurements in one folder, or what write_table and
            write_measured refuse.
        OSError: the tables cannot be written.
    """
    from resexp.records.collect import write_measured, write_table  # with pandas, which statuses do without

    plan, swept = _planned(experiment, runs)
    folder = runs / experiment
    kinds = {run.config()["command"] for run in folders(folder)} or {config["command"] for config in plan}
    if len(kinds) > 1:
        raise ValueError(
            f"{folder} holds training runs and measurements, which make no common table: delete the"
            " folders of one kind, and give what you do next a name of its own (name=...)"
        )
    if not kinds:
        raise ValueError(f"there is no experiment {experiment!r} and no run in {folder}; see `resexp status`")
    if kinds == {"measure"}:
        if by or only:
            raise ValueError(f"{experiment} holds measurements: --by and --only are for training runs")
        said = write_measured(folder, tables, replace=replace)
    else:
        said = write_table(folder, tables, by=[*swept, *by], only=only, plan=plan, replace=replace)
    absent = sum(not folder_of(config).is_finished for config in plan)
    return [said] + (
        [f"{absent} of the {len(plan)} runs of experiment={experiment} are not there"] if absent else []
    )


def statuses(experiment: str, runs: Path) -> Iterator[str]:
    """A line for each run that an experiment has or is to have, with its status and its steps.

    Raises:
        ValueError: neither a file in conf/experiment nor a folder has this name.
    """
    found = {run.name: run for run in folders(runs / experiment)}
    found |= {run.name: run for run in map(folder_of, _planned(experiment, runs)[0])}
    if not found:
        raise ValueError(f"there is no experiment {experiment!r} and no folder {runs / experiment}")
    yield experiment
    for _, run in sorted(found.items()):
        yield _line(run)


def begun(runs: Path) -> list[str]:
    """Names of the experiments that have runs."""
    return sorted({path.parents[1].name for path in runs.glob("*/*/config.json")})


def _planned(experiment: str, runs: Path) -> tuple[list[dict], list[str]]:
    plan, swept = planned(experiment, runs)
    return [settled(config) for config in plan], swept


def _line(run: RunFolder) -> str:
    state = run.state()
    progress = f"{state['step']}/{state['steps']}" if state["steps"] else ""
    return f"  {state['status']:<12} {progress:>12}  {run.name}  {state['error']}".rstrip()
