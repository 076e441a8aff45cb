"""The loss around networks trained with and without batch normalization (as Li et al. 2018)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables

EXPERIMENTS = {"loss_surfaces": "with batch norm.", "loss_surfaces_without_norm": "without"}
TABLES = tuple(f"{name}_grid" for name in EXPERIMENTS)
DASHES = dict(zip(EXPERIMENTS, ("-", ":"), strict=True))


def draw(tables: Tables) -> Figure:
    """Contours of every network with and without normalization on one scale; below, cuts through both."""
    found = {name: networks(tables, name) for name in EXPERIMENTS}
    columns = list(found["loss_surfaces"])
    losses = pd.concat(grid for grids in found.values() for grid in grids.values()).to_numpy()
    finite = np.log10(losses[np.isfinite(losses) & (losses > 0)])
    levels = np.linspace(finite.min(), finite.max(), 19)
    figure = Figure(figsize=(2.6 * len(columns), 7.6), layout="constrained")
    axes = figure.subplots(3, len(columns), squeeze=False, sharey="row")
    for column, network in enumerate(columns):
        for row, (name, grids) in enumerate(found.items()):
            if network not in grids:
                axes[row, column].set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal")
                axes[row, column].text(0, 0, "diverged in training", ha="center", va="center")
                continue
            grid = grids[network]
            filled = axes[row, column].contourf(
                grid.columns, grid.index, np.log10(grid), levels, cmap="viridis"
            )
            axes[row, column].plot(0, 0, "w+", ms=7)
            axes[row, column].set(aspect="equal")
            middle = grid.iloc[np.abs(grid.index.to_numpy()).argmin()]
            look = {"color": style.shade(*network), "linestyle": DASHES[name], "label": EXPERIMENTS[name]}
            axes[2, column].plot(grid.columns, middle, **look)
        axes[0, column].set_title(f"{style.label(network[0])}-{network[1]}")
        axes[2, column].set(xlabel="Position along the first direction", yscale="log")
    for row, word in enumerate(EXPERIMENTS.values()):
        axes[row, 0].set_ylabel(f"{word}\nSecond direction")
    axes[2, 0].set_ylabel("Cross-entropy (nats)")
    axes[2, 0].legend(fontsize=8)
    figure.colorbar(filled, ax=axes[:2], shrink=0.8).set_label("log10 of the cross-entropy (nats)")
    return figure


def networks(tables: Tables, name: str) -> dict[tuple[str, int], pd.DataFrame]:
    """The loss (rows: second direction, columns: first) of each network, shallow ones first."""
    groups = sorted(tables[f"{name}_grid"].groupby(["depth", "model"]), key=lambda item: item[0])
    return {(m, d): rows.pivot(index="y", columns="x", values="loss") for (d, m), rows in groups}


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    growth = {
        f"{style.label(m)}-{d}, {word}": f"{grid.min(axis=None):.3g} to {grid.max(axis=None):.3g} nats"
        for name, word in EXPERIMENTS.items()
        for (m, d), grid in networks(tables, name).items()
    }
    return {
        "after": "Li et al. 2018, figures 1 and 5",
        "published": "in lectures (DL4DS): normalization makes the surface smoother; no numbers",
        "lines": "log10 of the loss on a grid along two random filter-normalized directions around the"
        " trained network (cross), and its cut along the first",
        "range": growth,
        "departures": [
            "networks of width 8 on MNIST-1D, subset of the training examples, one seed",
            "those without normalization were trained at a tenth of the learning rate",
            "with and without normalization the directions are others",
        ],
        **tables.made_with(*EXPERIMENTS),
    }


if __name__ == "__main__":
    figures.main(__file__)
