"""Experiments -> one HTML page that needs nothing beside it: no network, no other file."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from resexp.files import own_or_shipped
from resexp.report import runs, settings
from resexp.report.contents import Experiment, Table
from resexp.report.curves import drawing
from resexp.report.figures import Figure, figures_in, images
from resexp.report.findings import about, sections
from resexp.report.numbers import ERRORS, Published, errors_table, published_table

IMAGES_OF_ONE, IMAGES_OF_ALL = 1_000_000, 3_000_000  # characters: a page has 1.5 MB, one of all has 5 MB

TABLE, RUNS = "the table", "the runs folder"  # where numbers and curves are from


def page(experiments: Iterable[Experiment], results: Path, *, title: str, absent: Sequence[str] = ()) -> str:
    """The page on some experiments.

    Args:
        experiments: as the command found them.
        results: folder with `figures`, `reference` and FINDINGS.md; what is missing there is left out,
            but for `reference`, which comes with the program.
        title: of the page.
        absent: names of experiments that have neither runs nor tables.
    Returns:
        HTML. All text of runs, tables and files is escaped, and a policy within the page forbids any
        script but the page's own and any address on the network.
    Raises:
        ValueError: a table whose columns do not tell its runs apart.
        DamagedError: a figure's .json holds no facts.
    """
    templates = Environment(
        loader=PackageLoader("resexp.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    figures, unknown = figures_in(results / "figures")
    findings = results / "FINDINGS.md"
    said = sections(findings.read_text(encoding="utf-8")) if findings.exists() else []
    published = Published(own_or_shipped(results / "reference", "results/reference"))
    order = [name for section in said for name in section.tables]
    found = sorted(experiments, key=lambda e: (_place(e, order), e.name))
    shown: dict[str, str] = {}  # figure -> the experiment that it stands with
    parts = []
    for experiment in found:
        mine = [figure for figure in figures if set(figure.tables) & set(experiment.tables)]
        for figure in mine:
            shown.setdefault(figure.name, experiment.name)
        parts.append(_part(experiment, mine, shown, published, about(said, experiment.tables)))
    script = templates.get_template("script.js").render()
    return templates.get_template("page.html").render(
        title=title,
        parts=parts,
        images=images(
            [figure for figure in figures if figure.name in shown],
            IMAGES_OF_ONE if len(found) == 1 else IMAGES_OF_ALL,
        ),
        index=runs.index(found) if len(found) > 1 else None,
        absent=absent,
        unknown=unknown,
        style=Markup(templates.get_template("style.css").render()),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _part(
    experiment: Experiment, figures: list[Figure], shown: dict[str, str], published: Published, findings: list
) -> dict:
    """What the template shows of one experiment."""
    numbers = published.of(experiment)
    return {
        "experiment": experiment,
        "summary": runs.summary(experiment),
        "here": [figure for figure in figures if shown[figure.name] == experiment.name],
        "elsewhere": [(f, shown[f.name]) for f in figures if shown[f.name] != experiment.name],
        "findings": findings,
        "errors": _errors(experiment, numbers),
        "published": published_table(numbers),
        "curves": _curves(experiment),
        "source": TABLE if experiment.rows is None else RUNS,
        "differing": settings.differing(experiment),
        "shared": settings.shared(experiment),
        "columns": settings.columns(experiment),
        "provenance": runs.provenance(experiment),
        "runs": runs.runs(experiment),
        "failures": runs.failures(experiment),
    }


def _errors(experiment: Experiment, published) -> Table | None:
    """Of the table; of runs that nobody has collected yet, where there is no table."""
    if experiment.table is not None:
        return errors_table(experiment.table, published, TABLE)
    if experiment.rows is None:
        return None
    ended = {run.name for run in experiment.runs if run.status in ("done", "diverged")}
    rows = experiment.rows[experiment.rows["run"].isin(ended)]
    return errors_table(rows, published, RUNS) if len(rows) else None


def _curves(experiment: Experiment) -> list:
    rows = experiment.rows if experiment.rows is not None else experiment.table
    if rows is None:
        return []
    drawings = [drawing(rows, quantity, title) for quantity, title in ERRORS.items()]
    return [found for found in drawings if found]


def _place(experiment: Experiment, order: list[str]) -> int:
    places = [order.index(name) for name in experiment.tables if name in order]
    return min(places, default=len(order))
