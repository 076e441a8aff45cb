"""Gather an experiment's runs into results/tables/."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from resexp.exits import refuse


def main(arguments: list[str]) -> None:
    """`resexp collect EXPERIMENT`."""
    options = _parser().parse_args(arguments)
    try:
        lines = collected(
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
        refuse(f"cannot write {error.filename}: {error.strerror}; choose another folder with --tables")
    print("\n".join(lines))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("resexp collect", description=__doc__)
    parser.add_argument("experiment", help="name of the experiment, a folder in the runs folder")
    parser.add_argument("--runs", type=Path, default=Path("results/runs"), help="default: results/runs")
    parser.add_argument(
        "--tables", type=Path, default=Path("results/tables"),
        help="folder to write to; default: results/tables",
    )  # fmt: skip
    parser.add_argument(
        "--by", action="append", default=[], metavar="KEY",
        help="also keep runs apart by this setting, as a column of its own",
    )  # fmt: skip
    parser.add_argument(
        "--only", action="append", default=[], metavar="KEY=VALUE",
        help="take only the runs with this setting",
    )  # fmt: skip
    parser.add_argument("--replace", action="store_true", help="even a table that has more rows")
    return parser


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
    from resexp.experiments.runs import folder_of, plan_of
    from resexp.records.collect import write_measured, write_table
    from resexp.records.run import folders

    plan, swept = plan_of(experiment, runs)
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
