"""Write what is known of an experiment, or of all, as one HTML page."""

import argparse
from pathlib import Path

from resexp.exits import Parser, hint, refuse
from resexp.files import atomic, refuse_missing


def main(arguments: list[str]) -> None:
    """`resexp report [EXPERIMENT]`."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        refuse_missing(parser, options, "runs", "results")
        print(report(options.experiment, options.runs, options.results, options.output))
    except ModuleNotFoundError as error:
        if error.name not in ("jinja2", "markupsafe"):
            raise
        refuse("a report needs jinja2: pip install 'resexp[report]'")
    except ValueError as error:
        refuse(error)
    except OSError as error:
        refuse(f"cannot use {error.filename}: {error.strerror}; --results, --runs and --output name others")


def _parser() -> argparse.ArgumentParser:
    parser = Parser("resexp report", description=__doc__)
    parser.add_argument("experiment", nargs="?", help="name of the experiment; default: all")
    parser.add_argument("--runs", type=Path, default=Path("results/runs"), help="default: results/runs")
    parser.add_argument(
        "--results", type=Path, default=Path("results"),
        help="folder of tables, figures, reference and FINDINGS.md; default: results",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, help="file to write; default: report/EXPERIMENT.html or report/all.html there"
    )
    return parser


def report(experiment: str | None, runs: Path, results: Path, output: Path | None) -> str:
    """Write the page on one experiment, or on all that have runs or tables; return what was written.

    Args:
        experiment: name of an experiment; None for all.
        runs: folder of all runs.
        results: folder of tables, figures, reference and FINDINGS.md.
        output: the file; None for one in `results`/report.
    Raises:
        ValueError: there is no such experiment, or nothing of it to report; a table or a figure's .json
            is damaged.
        ModuleNotFoundError: jinja2 is missing.
        OSError: a file cannot be read or written.
    """
    from resexp.commands.gather import gathered, records
    from resexp.config.catalog import options
    from resexp.records.folders import experiments
    from resexp.report.page import page

    tables, planned = results / "tables", options("experiment")
    collected = records(tables)
    known = sorted({*collected, *experiments(runs)})
    if experiment is not None and experiment not in known:
        raise ValueError(_nothing(experiment, planned, known))
    names = known if experiment is None else [experiment]
    found = [gathered(name, runs, tables, collected) for name in names]
    if not found:
        raise ValueError(f"nothing to report: neither runs in {runs} nor tables in {tables}")
    absent = sorted(planned.keys() - set(known)) if experiment is None else []
    title = f"resexp: {experiment or 'all experiments'}"
    path = output or results / "report" / f"{experiment or 'all'}.html"
    text = page(found, results, title=title, absent=absent)
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return f"{path}: {len(found)} experiment{'s' * (len(found) != 1)}, {len(text.encode()) / 1e6:.2f} MB"


def _nothing(experiment: str, planned: dict, known: list[str]) -> str:
    if experiment in planned:
        return (
            f"{experiment} has neither runs nor tables yet: run it with"
            f" `resexp {_command_of(experiment)} -m experiment={experiment}`"
        )
    there = ", ".join(known) or "none yet"
    meant = hint(experiment, [*planned, *known])
    return f"no experiment {experiment!r}{meant}; those with runs or tables: {there}"


def _command_of(experiment: str) -> str:
    from resexp.config.catalog import command_of

    return command_of(experiment)
