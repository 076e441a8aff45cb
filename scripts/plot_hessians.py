"""Curvature of the loss at trained networks, and around them (Li et al. 2018, section 6 and figure 7)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables

CENTRES = {  # and how the networks were trained
    "hessians": "480 steps",
    "hessians_cifar10": "imported",
    "hessians_full": "64,000 steps",
}
TABLES = (
    "hessians_curvature",
    ("hessians_cifar10_curvature",),
    ("hessians_full_curvature",),
    ("hessian_grids_curvature",),
)


def draw(tables: Tables) -> Figure:
    """Above: eigenvalues at the networks. Below, where measured: the ratio on the grid around each."""
    around = "hessian_grids_curvature"
    grids = networks(tables[around], CENTRES["hessians"]) if around in tables else []
    figure = Figure(figsize=(style.PAGE, 5.8 if grids else 3.2), layout="constrained")
    shape = (2 if grids else 1, max(1, len(grids)))
    spec = figure.add_gridspec(*shape)
    at_networks(figure.add_subplot(spec[0, :]), tables)
    for column, (label, rows) in enumerate(grids):
        axes = figure.add_subplot(spec[1, column])
        wide = rows.pivot(index="y", columns="x", values="ratio")
        image = axes.pcolormesh(wide.columns, wide.index, wide, vmin=0, vmax=1, cmap="viridis")
        axes.set(title=label, xlabel="First direction", aspect="equal")
        axes.set_ylabel("Second direction" if column == 0 else "")
    if grids:
        bar = figure.colorbar(image, ax=figure.axes[1:], shrink=0.8)
        bar.set_label("|smallest| / |largest| (0: convex)")
    return figure


def at_networks(axes: Axes, tables: Tables) -> None:
    """Largest eigenvalue upwards, the absolute smallest below it, a point per seed."""
    places = []
    for name, trained in CENTRES.items():
        if f"{name}_curvature" not in tables:
            continue
        for label, rows in networks(tables[f"{name}_curvature"], trained):
            at, model, depth = len(places), rows["model"].iloc[0], rows["depth"].iloc[0]
            look = {"color": style.shade(model, depth), "linestyle": "none", "ms": 6}
            jitter = at + np.linspace(-0.08, 0.08, len(rows)) if len(rows) > 1 else [at]
            axes.plot(jitter, rows["largest"], marker="^", **look)
            axes.plot(jitter, rows["smallest"].abs(), marker="v", mfc="white", **look)
            places.append(label)
    axes.set_xticks(range(len(places)), places)
    axes.set(yscale="log", ylabel="Hessian eigenvalue", xlim=(-0.5, len(places) - 0.5))
    gray = {"color": style.PUBLISHED, "linestyle": "none", "ms": 6}
    axes.plot([], [], marker="^", label="largest", **gray)
    axes.plot([], [], marker="v", mfc="white", label="smallest, absolute", **gray)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def networks(table: pd.DataFrame, trained: str) -> list[tuple[str, pd.DataFrame]]:
    """A label and the rows of each model and depth; the shallow ones first."""
    dataset = style.dataset(table["dataset"].iloc[0])
    found = sorted(table.groupby(["depth", "model"]), key=lambda item: item[0])
    return [(f"{style.label(m)}-{d},\n{dataset},\n{trained}", rows) for (d, m), rows in found]


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    names = [name.removesuffix("_curvature") for name in tables.names]
    return {
        "after": "Li et al. 2018, section 6 and figure 7",
        "published": "convex-looking regions have a small ratio of the smallest to the largest eigenvalue;"
        " chaotic ones of deep plain networks a large one",
        "points": "one per seed; Hessian of the weights, normalizations with the statistics of training",
        "largest residual": float(max(tables[name]["residual"].max() for name in tables.names)),
        "departures": [
            "a part of the training examples",
            "networks of width 8 on MNIST-1D",
            "a coarse grid around one seed"
            if "hessian_grids" in names
            else "at the trained networks only, no grid",
        ],
        **tables.made_with(*names),
    }


if __name__ == "__main__":
    figures.main(__file__)
