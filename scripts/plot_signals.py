"""Sizes of signals and of gradients by layer, as initialized and as trained (He et al. 2015, section 4.1)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables, seeds

EXPERIMENTS = ("signals", "signals_cifar10")
TABLES = ("signals_layers", ("signals_cifar10_layers",))
QUANTITIES = {"signal": "Response (root mean square)", "gradient": "Loss gradient at the response (norm)"}
NORMS = {"batch": "batch norm.", "none": "no norm."}


def draw(tables: Tables) -> Figure:
    """A column per dataset, normalization and stage: signals above, gradients below; mean over seeds."""
    panels = list(parts(tables))
    figure = Figure(figsize=(2.9 * len(panels) + 1.2, 5.4), layout="constrained")
    rows = figure.subplots(2, len(panels), squeeze=False, sharey="row")
    for row, (column, label) in zip(rows, QUANTITIES.items(), strict=True):
        for axes, (title, table) in zip(row, panels, strict=True):
            lines(axes, table, column)
            axes.set(yscale="log", title=title if column == "signal" else "")
        row[0].set_ylabel(label)
    for axes in rows[-1]:
        axes.set_xlabel("Position of the layer")
    handles = {
        label: handle
        for axes in rows[0]
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    names = sorted(handles, key=lambda label: (label.split("-")[0], int(label.split("-")[1])))
    rows[0][-1].legend(
        [handles[label] for label in names], names, loc="center left", bbox_to_anchor=(1.02, 0.5)
    )
    return figure


def parts(tables: Tables):
    """Title and rows of each panel."""
    for name in EXPERIMENTS:
        if f"{name}_layers" not in tables:
            continue
        table = tables[f"{name}_layers"]
        for (norm, stage), rows in table.groupby(["norm", "stage"]):
            if stage in ("initial", "trained"):
                dataset = style.dataset(rows["dataset"].iloc[0])
                when = "at initialization" if stage == "initial" else "trained"
                yield f"{dataset}, {NORMS.get(norm, norm)}, {when}", rows


def lines(axes: Axes, table: pd.DataFrame, column: str) -> None:
    """A line per network against layer / layers."""
    for (model, depth), rows in table.groupby(["model", "depth"]):
        mean = rows.groupby("layer")[column].mean()
        label = f"{style.label(model)}-{depth}"
        axes.plot(mean.index / mean.index.max(), mean, label=label, **style.line(model, depth))


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    there = [name for name in EXPERIMENTS if f"{name}_layers" in tables]
    return {
        "after": "He et al. 2015, section 4.1, which has no figure of it",
        "published": "in plain networks with batch normalization neither forward nor backward signals vanish",
        "lines": "mean over seeds, against layer / layers; of each convolution larger than 1x1 behind its"
        " normalization; training mode, one batch of training examples",
        "gradient": "of the cross-entropy of one example at its response; root mean square over examples",
        "seeds": {name: seeds(tables[f"{name}_layers"]) for name in there},
        "departures": [
            "networks without normalization are trained at a tenth of the learning rate; those that diverged"
            " there are left out"
        ],
        **tables.made_with(*there),
    }


if __name__ == "__main__":
    figures.main(__file__)
