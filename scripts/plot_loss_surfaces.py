"""The loss around trained networks along two random directions (Li et al. 2018, figures 1 and 5)."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables

EXPERIMENTS = {  # and how the networks were trained
    "loss_surfaces_full": "64,000 steps",
    "loss_surfaces_cifar10": "imported",
    "loss_surfaces": "480 steps",
}
TABLES = ("loss_surfaces_grid", ("loss_surfaces_cifar10_grid",), ("loss_surfaces_full_grid",))


def draw(tables: Tables) -> Figure:
    """Every network on a common logarithmic scale: as a surface, its contours, cuts along both directions."""
    shown = [item for name in EXPERIMENTS if f"{name}_grid" in tables for item in networks(tables, name)]
    figure = Figure(figsize=(2.9 * len(shown), 8.4), layout="constrained")
    reliefs, above, below = rows_of_axes(figure, len(shown))
    lowest = min(rows["loss"].min() for _, rows in shown)
    highest = max(rows["loss"].max() for _, rows in shown)
    levels = np.linspace(np.log10(lowest), np.log10(highest), 19)
    for relief, contour, cut, (label, rows) in zip(reliefs, above, below, shown, strict=True):
        grid = rows.pivot(index="y", columns="x", values="loss")
        raise_up(relief, grid, levels, label)
        filled = contour.contourf(grid.columns, grid.index, np.log10(grid), levels, cmap="viridis")
        contour.plot(0, 0, "w+", ms=7)
        contour.set(xlabel="First direction", aspect="equal")
        model, depth = rows["model"].iloc[0], rows["depth"].iloc[0]
        for column, other, dash in (("x", "y", "-"), ("y", "x", ":")):
            middle = rows[np.isclose(rows[other], 0)].sort_values(column)
            look = {"color": style.shade(model, depth), "linestyle": dash}
            cut.plot(middle[column], middle["loss"], label=f"along the {_word(column)}", **look)
        cut.set(xlabel="Position along one direction", yscale="log")
    above[0].set_ylabel("Second direction")
    below[0].set_ylabel("Cross-entropy (nats)")
    below[0].legend(fontsize=7)
    bar = figure.colorbar(filled, ax=above, shrink=0.8)
    bar.set_label("log10 of the cross-entropy (nats)")
    bar.set_ticks(range(math.ceil(levels[0]), math.floor(levels[-1]) + 1))
    return figure


def rows_of_axes(figure: Figure, columns: int) -> tuple[list[Axes], list[Axes], list[Axes]]:
    """Axes in three dimensions, and two rows of flat ones that share their vertical axes."""
    cells, found = figure.add_gridspec(3, columns), []
    reliefs = [figure.add_subplot(cells[0, column], projection="3d") for column in range(columns)]
    for row in (1, 2):
        first = figure.add_subplot(cells[row, 0])
        found.append([first, *(figure.add_subplot(cells[row, k], sharey=first) for k in range(1, columns))])
        for axes in found[-1][1:]:
            axes.tick_params(labelleft=False)
    return reliefs, *found


def raise_up(axes: Axes, grid: pd.DataFrame, levels: np.ndarray, label: str) -> None:
    """The logarithm of the loss as a surface over both directions."""
    x, y = np.meshgrid(grid.columns, grid.index)
    height = np.log10(grid.to_numpy())
    limits = {"vmin": levels[0], "vmax": levels[-1]}
    axes.plot_surface(x, y, height, cmap="viridis", rcount=50, ccount=50, lw=0.2, edgecolor="0.3", **limits)
    axes.set(title=label, zlim=(levels[0], levels[-1]), xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    axes.tick_params(labelsize=7, pad=-2)
    axes.view_init(elev=28, azim=-60)


def networks(tables: Tables, name: str) -> list[tuple[str, pd.DataFrame]]:
    """(label, rows) of each network, shallow ones first."""
    table = tables[f"{name}_grid"]
    dataset = style.dataset(table["dataset"].iloc[0])
    found = sorted(table.groupby(["depth", "model", "seed"]), key=lambda item: item[0])
    return [(f"{style.label(m)}-{d}, {dataset},\n{EXPERIMENTS[name]}", rows) for (d, m, _), rows in found]


def _word(column: str) -> str:
    return {"x": "first", "y": "second"}[column]


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    there = [name for name in EXPERIMENTS if f"{name}_grid" in tables]
    range_of_loss = {
        label: f"{rows['loss'].min():.3g} to {rows['loss'].max():.3g} nats"
        for name in there
        for label, rows in networks(tables, name)
    }
    return {
        "after": "Li et al. 2018, figures 1 and 5",
        "published": "without shortcuts the surface turns from nearly convex to chaotic with depth; with them"
        " it stays smooth",
        "lines": "grid along two random filter-normalized directions around the trained network (cross);"
        " above: log10 of the cross-entropy as a surface; below: cuts through the network along each"
        " direction",
        "range": range_of_loss,
        "departures": [
            "subset of the training examples",
            "networks of width 8 on MNIST-1D",
            "coarse grids",
        ],
        **tables.made_with(*there),
    }


if __name__ == "__main__":
    figures.main(__file__)
