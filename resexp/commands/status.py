"""Show the progress of an experiment's runs."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from resexp.exits import hint, printable, refuse
from resexp.records.folders import experiments, folders


def main(arguments: list[str]) -> None:
    """`resexp status [EXPERIMENT]`."""
    parser = argparse.ArgumentParser("resexp status", description=__doc__)
    parser.add_argument("experiment", nargs="?", help="name of the experiment; default: all")
    parser.add_argument("--runs", type=Path, default=Path("results/runs"), help="default: results/runs")
    options = parser.parse_args(arguments)
    options.runs = options.runs.expanduser()
    if options.runs != parser.get_default("runs") and not options.runs.exists():
        refuse(f"--runs={options.runs}: there is no such folder")
    try:
        names = [options.experiment] if options.experiment else experiments(options.runs)
        if not names:
            print(f"no runs in {options.runs}")
        lines = [line for name in names for line in statuses(name, options.runs)]
    except ValueError as error:
        refuse(error)
    except OSError as error:
        refuse(f"cannot read {error.filename}: {error.strerror}")
    if lines:
        print("\n".join(lines))


def statuses(experiment: str, runs: Path) -> Iterator[str]:
    """One line per existing or planned run of an experiment, with its status and steps.

    Raises:
        ValueError: no file in conf/experiment and no folder has this name.
    """
    from resexp.config.catalog import options as listed
    from resexp.config.sweep import plan
    from resexp.experiments.runs import folders_of

    found = {run.name: run for run in folders(runs / experiment)}
    planned, unknown = folders_of(plan(experiment, runs)[0])
    found |= {run.name: run for run in planned}
    if not found and unknown:
        raise ValueError(unknown)
    if not found:
        meant = hint(experiment, [*listed("experiment"), *experiments(runs)])
        raise ValueError(f"no experiment {experiment!r}{meant} and no folder {runs / experiment}")
    yield experiment
    for _, run in sorted(found.items()):
        yield _line(run)
    if unknown:
        yield printable(f"  runs that have not begun are not listed: {unknown}")


def _line(run) -> str:
    state = run.state()
    progress = f"{state['step']}/{state['steps']}" if state["steps"] else ""
    return printable(f"  {state['status']:<12} {progress:>12}  {run.name}  {state['error']}".rstrip())
