"""Show the progress of an experiment's runs."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from resexp.exits import Parser, hint, printable, refuse
from resexp.experiments.progress import (
    FAILED,
    Overview,
    Seen,
    cut,
    failures_last,
    in_words,
    running_lines,
    totals,
)
from resexp.files import refuse_missing, shipped
from resexp.records.folders import experiments, folders
from resexp.records.run import RunFolder

INTERVAL = 2.0  # seconds
# of a terminal: clear all, go to the top, clear the rest of a line, clear what is below
CLEAR, HOME, TO_END_OF_LINE, BELOW = "\x1b[2J", "\x1b[H", "\x1b[K", "\x1b[J"


def main(arguments: list[str]) -> None:
    """`resexp status [EXPERIMENT]`."""
    parser = _parser()
    options = _settled(parser.parse_args(arguments))
    try:
        refuse_missing(parser, options, "runs")
        names = [options.experiment] if options.experiment else experiments(options.runs)
        if not names:
            print(f"no runs in {options.runs}")
            return
        if options.watch:
            sys.exit(watch(names, options.runs, options.watch))
        print("\n".join(line for name in names for line in statuses(name, options.runs)))
    except BrokenPipeError:
        raise
    except ValueError as error:
        refuse(error)
    except OSError as error:
        refuse(f"cannot read {error.filename}: {error.strerror}")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "resexp status",
        description=f"{__doc__} Per run: status, steps, errors in its last row, time left by the pace of"
        " finished runs; failures last, then the totals.",
    )
    parser.add_argument("experiment", nargs="?", help="name of the experiment; default: all")
    parser.add_argument("--runs", type=Path, default=Path("results/runs"), help="default: results/runs")
    parser.add_argument(
        "--watch", nargs="?", const=str(INTERVAL), metavar="SECONDS",
        help="show running runs, failures and totals anew after so many seconds (default: 2),"
        " until all have finished or Ctrl-C",
    )  # fmt: skip
    return parser


def _settled(options: argparse.Namespace) -> argparse.Namespace:
    if options.watch is None:
        return options
    try:
        options.watch = float(options.watch)
    except ValueError:
        if options.experiment:
            refuse(f"--watch is followed by a number of seconds, got {options.watch!r}")
        options.experiment, options.watch = options.watch, INTERVAL  # status --watch EXPERIMENT
    if not 0.1 <= options.watch <= 86400:
        refuse(f"--watch must lie between 0.1 and 86400 seconds, got {options.watch:g}")
    return options


def statuses(experiment: str, runs: Path) -> Iterator[str]:
    """One line per existing or planned run of an experiment, failures last, then the totals.

    Raises:
        ValueError: no file in conf/experiment and no folder has this name.
    """
    overview, unknown = overview_of(experiment, runs)
    seen = overview.now()
    yield experiment
    for run in failures_last(seen):
        yield _line(run)
    yield f"  {totals(seen)}"
    if unknown:
        yield printable(f"  runs that have not begun are not listed: {unknown}")


def overview_of(experiment: str, runs: Path) -> tuple[Overview, str]:
    """The existing and planned runs of an experiment, by name; and why planned ones are left out, or "".

    Raises:
        ValueError: see statuses.
    """
    found = {run.name: run for run in folders(runs / experiment)}
    has_file = (shipped("conf") / "experiment" / f"{experiment}.yaml").is_file()
    configs, planned, unknown = _planned(experiment, runs) if has_file else ([], [], "")
    found |= {run.name: run for run in planned}
    if not found and unknown:
        raise ValueError(unknown)
    if not found:
        from resexp.config.catalog import options as listed  # imports OmegaConf

        meant = hint(experiment, [*listed("experiment"), *experiments(runs)])
        raise ValueError(f"no experiment {experiment!r}{meant} and no folder {runs / experiment}")
    settings = {} if unknown else dict(zip((run.name for run in planned), configs, strict=True))
    return Overview([run for _, run in sorted(found.items())], settings), unknown


def _planned(experiment: str, runs: Path) -> tuple[list[dict], list[RunFolder], str]:
    """Settings and folders of the runs in an experiment's file; and why there are no folders, or ""."""
    from resexp.config.sweep import plan  # imports Hydra
    from resexp.experiments.runs import folders_of

    configs = plan(experiment, runs)[0]
    return configs, *folders_of(configs)


def _line(run: Seen) -> str:
    progress = f"{run.step}/{run.steps}" if run.steps else ""
    left = f"about {in_words(run.left)} left" if run.left and run.step else ""
    said = "  ".join(part for part in (run.errors, left, run.error) if part)
    return printable(f"  {run.status:<12} {progress:>12}  {run.name}  {said}".rstrip())


def watch(names: list[str], runs: Path, seconds: float) -> int:
    """Show running runs, failures and totals until nothing is left to wait for.

    On a terminal they are redrawn in place, elsewhere one block follows the other.

    Args:
        names: of experiments.
        runs: folder of all runs.
        seconds: between two looks.
    Returns:
        The exit code: 0 if all runs have finished, 1 if some failed.
    """
    overviews = {name: overview_of(name, runs)[0] for name in names}
    on_terminal, began = sys.stdout.isatty(), CLEAR
    while True:
        for name, overview in overviews.items():
            overview.add(folders(runs / name))
        seen = {name: overview.now() for name, overview in overviews.items()}
        columns, lines = _terminal() if on_terminal else (80, None)
        shown = block(seen, time.strftime("%H:%M:%S"), columns - 1, lines and lines - 1)
        if on_terminal:
            print(
                began + HOME + f"{TO_END_OF_LINE}\n".join(shown) + TO_END_OF_LINE,
                end=f"\n{BELOW}",
                flush=True,
            )
        else:
            print("\n".join(shown), end="\n\n", flush=True)
        began, everything = "", [run for found in seen.values() for run in found]
        if all(run.is_finished or run.status in FAILED for run in everything):
            return int(any(run.status in FAILED for run in everything))
        time.sleep(seconds)


def block(seen: dict[str, list[Seen]], clock: str, width: int, height: int | None = None) -> list[str]:
    """What is shown at one moment: of each experiment its totals, running runs and failures.

    Args:
        seen: experiment -> its runs.
        clock: the time of day.
        width, height: of the terminal, in characters and lines; None: as many as there are.
    """
    finished = [name for name, runs in seen.items() if all(run.is_finished for run in runs)]
    shown = seen if len(seen) == 1 else {name: runs for name, runs in seen.items() if name not in finished}
    lines = [clock]
    for name, runs in shown.items():
        lines.append(cut(f"{name}: {totals(runs)}", width))
        lines += [f"  {line}" for line in running_lines(runs, width - 2)]
        lines += [
            cut(f"  {run.status}  {run.name}  {run.error}", width) for run in runs if run.status in FAILED
        ]
    if len(shown) < len(seen):
        lines.append(f"{len(finished)} experiments have finished")
    if height and len(lines) > height:
        lines = [*lines[: height - 1], f"... {len(lines) - height + 1} more lines"]
    return lines


def _terminal() -> tuple[int, int]:
    """Columns and lines of the terminal that stdout leads to."""
    try:
        found = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return 80, 24
    return found.columns or 80, found.lines or 24
