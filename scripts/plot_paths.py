"""Paths through residual networks by length, and their gradients (Veit et al. 2016, figure 6)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables

EXPERIMENTS = ("paths_cifar10", "paths")
TABLES = (
    "paths_magnitude", "paths_lengths", ("paths_cifar10_magnitude",), ("paths_cifar10_lengths",)
)  # fmt: skip
SHARE = 0.95  # of the gradient, carried by an interval of path lengths


def draw(tables: Tables) -> Figure:
    """One row per dataset: number of paths, gradient of one path, gradient of all paths, by length."""
    there = [name for name in EXPERIMENTS if f"{name}_lengths" in tables]
    figure = Figure(figsize=(style.PAGE, 3.2 * len(there)), layout="constrained")
    for row, name in zip(figure.subplots(len(there), 3, squeeze=False), there, strict=True):
        lengths, products = tables[f"{name}_lengths"], effective(tables, name)
        for depth, mine in lengths.groupby("depth"):
            look = {"color": style.shade("resnet", depth), "marker": "o", "ms": 2.5}
            label = f"residual-{depth} ({mine['length'].max()} blocks)"
            share = mine.groupby("length")["share_of_paths"].first()
            row[0].plot(share.index, 100 * share, label=label, **look)
            product = products[products["depth"] == depth].groupby("length").mean(numeric_only=True)
            row[1].plot(product.index, product["gradient_norm"], label=label, **look)
            row[2].plot(product.index, 100 * product["share"], label=label, **look)
            exact = mine.groupby("length")["share_of_gradient"].mean()
            row[2].plot(exact.index, 100 * exact, color=look["color"], linestyle=":", lw=1)
        _label(row, style.dataset(lengths["dataset"].iloc[0]))
    return figure


def _label(row: list[Axes], dataset: str) -> None:
    for axes in row:
        axes.set_xlabel("Length of the path (branches taken)")
    row[0].set(ylabel="Paths (% of all)", title=f"{dataset}: how many")
    row[1].set(ylabel="Gradient norm at the input", yscale="log", title="What one path carries (mean)")
    row[2].set(ylabel="Gradient (% of all)", title="Number times norm; dotted: exact sum")
    row[0].legend(fontsize=6.5)


def effective(tables: Tables, name: str) -> pd.DataFrame:
    """Number of paths times mean gradient norm of a path, as fractions of the sum over lengths, per network.

    Returns:
        model, depth, seed, length, gradient_norm, share.
    """
    keys = ["model", "depth", "seed", "length"]
    norm = tables[f"{name}_magnitude"].groupby(keys)["gradient_norm"].mean().reset_index()
    found = norm.merge(tables[f"{name}_lengths"][[*keys, "paths", "share_of_paths"]], on=keys)
    found["share"] = found["gradient_norm"] * found["share_of_paths"]
    found["share"] /= found.groupby(keys[:3])["share"].transform("sum")
    return found


def interval(rows: pd.DataFrame) -> tuple[int, int]:
    """The shortest interval of lengths with at least SHARE of the gradient of one network."""
    share = rows.sort_values("length")["share"].to_list()
    blocks = range(len(share))
    fitting = [(b - a, a, b) for a in blocks for b in blocks[a:] if sum(share[a : b + 1]) >= SHARE]
    return min(fitting)[1:]


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    there = [name for name in EXPERIMENTS if f"{name}_lengths" in tables]
    carried = {}
    for name in there:
        table = effective(tables, name)
        dataset = tables[f"{name}_lengths"]["dataset"].iloc[0]
        for (depth, seed), rows in table.groupby(["depth", "seed"]):
            first, last = interval(rows)
            paths = rows[rows["length"].between(first, last)]["share_of_paths"].sum()
            carried[f"{dataset}, residual-{depth}, seed {seed}"] = (
                f"{100 * SHARE:.0f} % of the gradient on paths of {first} to {last} of"
                f" {rows['length'].max()} blocks, {100 * paths:.3g} % of all paths"
            )
    return {
        "after": "Veit et al. 2016, figure 6",
        "published": "54 modules: more than 95 % of all paths have 19 to 35; nearly all of the gradient is on"
        " paths of 5 to 17, 0.45 % of all paths",
        "lines": "mean over seeds; solid: random paths; dotted: exact sum over all paths of a length,"
        " projected onto the full gradient",
        "carried": carried,
        "departures": ["at most 27 blocks; the paper uses 54", "activation after each addition"],
        **tables.made_with(*there),
    }


if __name__ == "__main__":
    figures.main(__file__)
