"""Plain and residual networks of several depths: UDL figure 11.2, He et al. 2015, figure 6.

One row per dataset and schedule: test and training error against step, final error against depth.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from resexp.plots import figures, style
from resexp.plots.tables import Tables, seeds

# The whole published sweep if available, otherwise a scaled schedule and what there is of the published one.
TABLES = (
    ("depth_sweep",),
    ("depth_sweep_cifar10", "depth_sweep_cifar10_short"),
    ("depth_sweep_cifar10_full",),
)
REFERENCE = ("udl_fig11_2_depth_degradation", "he2015_cifar10")
PUBLISHED_STEPS = 64_000
PUBLISHED_TOP = 25  # percent; the published figures end at 20
PANELS = {"test": "test_error_percent", "train": "train_error_percent"}
TITLES = {"test": "Test error", "train": "Training error (running mean)"}


def draw(tables: Tables) -> Figure:
    """One row of three panels per table, i.e. per dataset and schedule."""
    curves, numbers = (tables.reference(name) for name in REFERENCE)
    return draw_rows([tables[name] for name in tables.names], curves, numbers)


def draw_rows(tables: list[pd.DataFrame], curves: pd.DataFrame, numbers: pd.DataFrame) -> Figure:
    """One row of three panels per table.

    Args:
        tables: of training runs.
        curves: UDL figure 11.2: panel, depth, step, error_percent.
        numbers: published errors: model, depth, quantity, value.
    """
    figure = Figure(figsize=(style.PAGE, 3.4 * len(tables)), layout="constrained")
    grid = figure.subplots(len(tables), 3, squeeze=False)
    for row, table in zip(grid, tables, strict=True):
        on_cifar10 = set(table["dataset"]) == {"cifar10"}
        in_full = on_cifar10 and table["step"].max() == PUBLISHED_STEPS
        for axes, panel in zip(row, PANELS, strict=False):
            draw_curves(axes, table, panel, curves if on_cifar10 else curves[:0])
        draw_depths(row[2], table, numbers if on_cifar10 else numbers[:0])
        top = PUBLISHED_TOP if in_full else 1.05 * table[list(PANELS.values())].max().max()
        for axes in row:
            axes.set_ylim(0, min(100, top))
    for letter, axes in zip("abcdefghi", grid.flat, strict=False):
        axes.set_title(f"({letter}) {axes.get_title()}")
    networks = {pair for table in tables for pair in zip(table["model"], table["depth"], strict=True)}
    keys = [
        Line2D([], [], **style.line(model, depth), label=f"{style.label(model)}-{depth}")
        for model, depth in sorted(networks)
    ]
    steps = [table["step"].max() for table in tables if set(table["dataset"]) == {"cifar10"}]
    if steps:
        scaled = any(count != PUBLISHED_STEPS for count in steps)
        label = "UDL 11.2, plain" + (f", time scaled unless {PUBLISHED_STEPS:,} steps" if scaled else "")
        keys.append(Line2D([], [], color=style.PUBLISHED, linewidth=0.8, label=label))
    figure.legend(handles=keys, loc="outside lower center", ncols=7)
    return figure


def draw_curves(axes: Axes, table: pd.DataFrame, panel: str, published: pd.DataFrame) -> None:
    """Error against step, mean over seeds with its range; published curves in the background."""
    steps = table["step"].max()
    for depth, curve in published[published["panel"] == panel].groupby("depth"):
        x = curve["step"] * steps / PUBLISHED_STEPS
        axes.plot(x, curve["error_percent"], color=style.PUBLISHED, linewidth=0.8, alpha=0.8)
        axes.annotate(
            f"UDL {depth}",
            (1.01, curve["error_percent"].iloc[-1]),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=6.5,
            color=style.PUBLISHED,
            annotation_clip=False,
        )
    for (model, depth), rows in table.groupby(["model", "depth"]):
        error = rows.groupby("step")[PANELS[panel]].agg(["mean", "min", "max"]).dropna()
        look = style.line(model, depth)
        axes.plot(error.index, error["mean"], **look)
        axes.fill_between(error.index, error["min"], error["max"], color=look["color"], alpha=0.15, lw=0)
    axes.set(xlabel="Training step", ylabel="Error (%)", xlim=(0, steps))
    axes.set_title(f"{TITLES[panel]}, {style.dataset(table['dataset'].iloc[0])}")


def draw_depths(axes: Axes, table: pd.DataFrame, published: pd.DataFrame) -> None:
    """Error at the last step against depth, mean and standard deviation over seeds."""
    steps = table["step"].max()
    final = table[table["step"] == steps]
    for model, rows in final.groupby("model"):
        for panel, column in PANELS.items():
            error = rows.groupby("depth")[column].agg(["mean", "std"])
            axes.errorbar(
                error.index,
                error["mean"],
                error["std"].fillna(0),
                color=style.color(model),
                marker=style.marker(model),
                markerfacecolor=style.color(model) if panel == "test" else "white",
                linestyle=style.dash(model) if panel == "test" else ":",
                capsize=2,
                label=f"{style.label(model)}, {'test' if panel == 'test' else 'training'}",
            )
    for row in table[table["test_error_percent"].isna()].itertuples():
        said = f"{row.model}-{row.depth} seed {row.seed} diverged"
        axes.annotate(said, (row.depth, 0), rotation=90, fontsize=6.5)
    marks = published[(published["model"] == "resnet") & published["value"].str.match(r"[\d.]+$")]
    marks = marks[marks["depth"] <= 110]
    if len(marks):
        label = f"He et al. 2015, table 6\n({PUBLISHED_STEPS:,} steps, test)"
        axes.plot(
            marks["depth"], marks["value"].astype(float), "*", color=style.PUBLISHED, ms=8, mfc="white",
            label=label,
        )  # fmt: skip
    axes.set(xlabel="Depth (weight layers)", ylabel="Final error (%)")
    axes.set_title(f"Error after {steps:,} steps, {style.dataset(table['dataset'].iloc[0])}")
    axes.set_xticks(sorted({*table["depth"], *marks["depth"]}))
    axes.legend(loc="upper right" if len(marks) else "upper left", fontsize=7)


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    return {
        "figure": "plain and residual networks of several depths",
        "after": "UDL figure 11.2; He et al. 2015 (arXiv:1512.03385), figure 6 and table 6",
        "lines": "mean over seeds; bands: smallest to largest; bars: standard deviation",
        "rows": [described(name, tables[name], tables.record(name)) for name in tables.names],
    }


def described(name: str, table: pd.DataFrame, provenance: dict) -> dict:
    """Contents of the caption for one table."""
    protocol, dataset = provenance["protocol"], table["dataset"].iloc[0]
    sessions = [session for run in provenance["runs"] for session in run["sessions"]]
    steps, precision = protocol["schedule.steps"], protocol["precision"]
    departures = []
    if dataset == "cifar10":
        if steps != PUBLISHED_STEPS:
            departures.append(f"{steps:,} of {PUBLISHED_STEPS:,} steps; the schedule is scaled accordingly")
            departures.append("the published curves are drawn against the fraction of their schedule")
        if precision != "float32":
            departures.append(f"{precision} arithmetic instead of float32")
        departures.append("inputs are divided by the channels' standard deviation")
    else:
        departures.append(f"{style.dataset(dataset)} instead of CIFAR-10, with a protocol of our own")
    return {
        "table": f"{name}.csv",
        "dataset": dataset,
        "training_steps": steps,
        "batch_size": protocol["batch_size"],
        "learning_rate": protocol["schedule.learning_rate"],
        "divided_by_10_at": protocol["schedule.divide_at"],
        "precision": precision,
        "seeds": _seeds(table),
        "devices": sorted({session["device"] for session in sessions}),
        "not_done": [
            f"{run['run']}: {run['status']} at step {run['step']}"
            for run in provenance["runs"]
            if run["status"] != "done"
        ]
        + [f"{run}: {status}" for run, status in provenance["left_out"].items()],
        "departures_from_the_paper": departures,
    }


def _seeds(table: pd.DataFrame) -> list[int] | dict[str, list[int]]:
    """The seeds; listed by network if networks have different ones."""
    found = {f"{model}-{depth}": seeds(runs) for (model, depth), runs in table.groupby(["model", "depth"])}
    first, *others = found.values()
    return found if any(other != first for other in others) else first


if __name__ == "__main__":
    figures.main(__file__)
