"""Panels of comparisons: points with bars, curves with bands, published numbers as stars."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes

from resexp.plots import style


def spread(axes: Axes, place: float, values: pd.Series) -> None:
    """A bar of mean and standard deviation; below it, so that neither hides the other, a point per value."""
    axes.plot(values, [place + 0.22] * len(values), ".", color=style.COLORS["resnet"], ms=5, alpha=0.6)
    if len(values):
        deviation = values.std() if len(values) > 1 else 0
        axes.errorbar(values.mean(), place, xerr=deviation, fmt="|", color="black", ms=9, capsize=3)


def name_lines(axes: Axes, labels: Sequence[str]) -> None:
    """Labels of the lines at 0, 1, 2, ..., from top to bottom."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)


def points(axes: Axes, runs: pd.DataFrame, key: str, labels: Mapping[str, str], published: Mapping) -> None:
    """One line per option: a point per seed, mean and standard deviation, and the published number.

    Args:
        runs: see resexp.plots.tables.final.
        key: column of the options.
        labels: option -> label, from top to bottom.
        published: option -> text, written to the right of the axes.
    """
    shown = [option for option in labels if option in set(runs[key])]
    for place, option in enumerate(shown):
        mine = runs[runs[key] == option]
        good = mine.loc[~mine["diverged"], "test_error_percent"]
        spread(axes, place, good)
        if lost := int(mine["diverged"].sum()):  # above the bar
            axes.annotate(
                f"{lost} of {len(mine)} diverged", (0.99, place - 0.33), xycoords=("axes fraction", "data"),
                ha="right", va="center", fontsize=7,
            )  # fmt: skip
        if option in published:
            axes.annotate(
                published[option], (1.02, place), xycoords=("axes fraction", "data"), va="center",
                fontsize=8, color=style.PUBLISHED,
            )  # fmt: skip
    name_lines(axes, [labels[option] for option in shown])
    axes.set_xlim(0, None)
    axes.set_xlabel("Test error (%); dots: seeds, bars: mean ± standard deviation")


def curves(axes: Axes, runs: pd.DataFrame, x: str, key: str, labels: Mapping) -> None:
    """Error against a number, one line per option: mean over seeds, band from minimum to maximum.

    Diverged runs are excluded from the line and marked at the top.
    """
    for index, option in enumerate(o for o in labels if o in set(runs[key])):
        mine = runs[runs[key] == option]
        color, marker = style.PALETTE[index % len(style.PALETTE)], "osD^vP*"[index % 7]
        good = mine[~mine["diverged"]].groupby(x)["test_error_percent"].agg(["mean", "min", "max"])
        look = {"color": color, "marker": marker, "ms": 4, "linestyle": style.DASHES[index % 4]}
        axes.plot(good.index, good["mean"], label=labels[option], **look)
        axes.fill_between(good.index, good["min"], good["max"], color=color, alpha=0.12, lw=0)
        lost = mine.loc[mine["diverged"], x].unique()
        axes.plot(
            lost, [0.99 - 0.02 * index] * len(lost), "x", color=color, transform=axes.get_xaxis_transform()
        )
    axes.set(xlabel=x, ylabel="Test error (%)", ylim=(0, None))


def stars(axes: Axes, published: Mapping[str, str]) -> None:
    """Published errors of networks named <option>-<x>, e.g. 28-10, at their x."""
    for name, error in published.items():
        place = float(name.rpartition("-")[2]), float(error.removesuffix(" %"))
        axes.plot(*place, "*", color=style.PUBLISHED, ms=8, mfc="white")
        axes.annotate(name, place, xytext=(5, 0), textcoords="offset points", va="center", fontsize=6.5)
