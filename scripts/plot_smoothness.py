"""Loss and gradient along the gradient during training (Santurkar et al. 2018, figure 4)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables, seeds

TABLES = ("smoothness_along",)
NORMS = {"batch": ("with batch normalization", "#0072B2", "-"), "none": ("without", "#D55E00", "--")}


def draw(tables: Tables) -> Figure:
    """A row per model: range of the loss, change of the gradient, effective smoothness."""
    table = tables["smoothness_along"]
    models = sorted(table["model"].unique())
    figure = Figure(figsize=(style.PAGE, 2.9 * len(models)), layout="constrained")
    for row, model in zip(figure.subplots(len(models), 3, squeeze=False), models, strict=True):
        for norm, rows in table[table["model"] == model].groupby("norm"):
            label, color, dash = NORMS[norm]
            look = {"color": color, "linestyle": dash, "marker": "o", "ms": 2.5, "label": label}
            for axes, column in zip(row, ("loss", "gradient_change", "smoothness"), strict=True):
                band(axes, rows, column, look)
        name = f"{style.label(model)}-{table['depth'].iloc[0]}"
        titles = (f"{name}: loss (nats)", "Change of the gradient (norm)", "Change per length of the step")
        for axes, title in zip(row, titles, strict=True):
            axes.set(title=title, xlabel="Training step", yscale="log")
            axes.set_xscale("symlog", linthresh=1)
            axes.set_xlim(-0.1, 1.2 * table["step"].max())
        row[0].legend(fontsize=7)
    return figure


def band(axes: Axes, rows: pd.DataFrame, column: str, look: dict) -> None:
    """From least to most over the sizes of the steps, averaged over seeds; the line is the most."""
    by_seed = rows.groupby(["seed", "step"])[column].agg(["min", "max"])
    mean = by_seed.groupby("step").mean()
    axes.plot(mean.index, mean["max"], **look)
    if column != "smoothness":
        axes.fill_between(mean.index, mean["min"], mean["max"], color=look["color"], alpha=0.2, lw=0)


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    table = tables["smoothness_along"]
    sizes = ", ".join(f"{rate:g}" for rate in sorted(table["rate"].unique()))
    return {
        "after": "Santurkar et al. 2018, figure 4",
        "published": "with batch normalization loss and gradient change less along the gradient",
        "lines": "band: from least to most over steps along the gradient, mean over seeds; line: the most;"
        " right: the largest change of the gradient over the length of the step",
        "steps along the gradient": f"{sizes} times the gradient",
        "seeds": seeds(table),
        "departures": ["networks of width 8 on MNIST-1D instead of a VGG on CIFAR-10", "stages 1, 2, 4, ..."],
        **tables.made_with("smoothness"),
    }


if __name__ == "__main__":
    figures.main(__file__)
