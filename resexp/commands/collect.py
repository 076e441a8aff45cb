"""Collect an experiment's runs into results/tables/."""

import argparse
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from resexp.exits import Parser, hint, refuse
from resexp.files import refuse_missing


def main(arguments: list[str]) -> None:
    """`resexp collect EXPERIMENT`."""
    parser = _parser()
    options = parser.parse_args(arguments)
    options.tables = options.tables.expanduser()
    try:
        refuse_missing(parser, options, "runs")
        lines = collect(
            options.experiment,
            options.runs,
            options.tables,
            by=options.by,
            only=[item.partition("=")[::2] for item in options.only],
            replace=options.replace,
        )
    except ValueError as error:
        refuse(error)
    except OSError as error:
        refuse(_unusable(error, options.tables))
    print("\n".join(lines))


def _unusable(error: OSError, tables: Path) -> str:
    path = Path(error.filename or tables)
    if path == tables or tables in path.parents or path in tables.parents:
        return f"cannot write {path}: {error.strerror}; choose another folder with --tables"
    return f"cannot read {path}: {error.strerror}"


def _parser() -> argparse.ArgumentParser:
    parser = Parser("resexp collect", description=__doc__)
    parser.add_argument("experiment", help="name of the experiment: a folder in the runs folder")
    parser.add_argument("--runs", type=Path, default=Path("results/runs"), help="default: results/runs")
    parser.add_argument(
        "--tables", type=Path, default=Path("results/tables"),
        help="output folder; default: results/tables",
    )  # fmt: skip
    parser.add_argument(
        "--by", action="append", default=[], metavar="KEY",
        help="distinguish runs by this setting as well, in a column of its own",
    )  # fmt: skip
    parser.add_argument(
        "--only", action="append", default=[], metavar="KEY=VALUE",
        help="use only runs with this setting",
    )  # fmt: skip
    parser.add_argument("--replace", action="store_true", help="overwrite the table even if it has more rows")
    return parser


def collect(
    experiment: str,
    runs: Path,
    tables: Path,
    *,
    by: Iterable[str] = (),
    only: Iterable[tuple[str, str]] = (),
    replace: bool = False,
) -> list[str]:
    """Collect an experiment's runs into its tables; return one line per table and one on missing runs.

    Args:
        experiment: name of a folder in `runs`; may also be a file in conf/experiment.
        runs: folder of all runs.
        tables, by, only, replace: see resexp.records.collect.write_table.
    Raises:
        ValueError: the folder mixes training runs and measurements, or see write_table and
            write_measured.
        OSError: a run cannot be read, or a table not be written.
    """
    from resexp.config.catalog import options
    from resexp.config.sweep import plan as planned
    from resexp.experiments.runs import folders_of
    from resexp.records.collect import write_table
    from resexp.records.folders import commands_in, experiments
    from resexp.records.measured import write_measured

    plan, swept = planned(experiment, runs)
    folder = runs / experiment
    kind = next(chain(commands_in(folder), (config["command"] for config in plan)), None)
    if kind is None:
        meant = hint(experiment, [*options("experiment"), *experiments(runs)])
        raise ValueError(f"no experiment {experiment!r}{meant} and no run in {folder}; see `resexp status`")
    if kind == "measure":
        if by or only:
            raise ValueError(
                f"{experiment} contains measurements; --by and --only apply to training runs only"
            )
        said = write_measured(folder, tables, replace=replace)
    else:
        said = write_table(folder, tables, by=[*swept, *by], only=only, plan=plan, replace=replace)
    wanted, unknown = folders_of(plan)
    if unknown:
        return [said, f"whether runs are missing is not known: {unknown}"]
    absent = sum(not run.is_finished for run in wanted)
    return [said] + (
        [f"{absent} of the {len(plan)} runs of experiment={experiment} are missing"] if absent else []
    )
