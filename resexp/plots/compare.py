"""Figures that compare the options of a sweep: final errors as points with bars, or as curves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from resexp.plots import style
from resexp.plots.panels import curves, points, stars
from resexp.plots.tables import Tables, final, published

REFERENCE = ("comparisons",)


@dataclass(frozen=True)
class Comparison:
    """One panel for an experiment's quick preset, one for <experiment>_cifar10, the published protocol.

    Args:
        experiment: name of the quick preset.
        labels: option -> label, in the order in which they are drawn.
        after: the published figure or table.
        departures: of the quick preset from it.
    """

    experiment: str
    labels: Mapping
    after: str
    departures: Sequence[str]

    @property
    def tables(self) -> tuple:
        """See resexp.plots.tables.Wanted."""
        return (self.experiment,), (f"{self.experiment}_cifar10",)

    def described(self, tables: Tables, keys: Sequence[str], lines: dict) -> dict:
        """Contents of the caption."""
        panels = []
        for name in tables.names:
            table, record = self.prepared(tables[name]), tables.record(name)
            runs = final(table, keys)
            panels.append(
                {
                    "table": f"{name}.csv",
                    "dataset": table["dataset"].iloc[0],
                    "protocol": record["protocol"],
                    "seeds": sorted(int(seed) for seed in table["seed"].unique()),
                    "runs": len(runs),
                    "diverged": int(runs["diverged"].sum()),
                    "left_out": record["left_out"],
                    **tables.made_with(name),
                }
            )
        return {"after": self.after, **lines, "panels": panels, "departures": list(self.departures)}

    def prepared(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with a column of its options."""
        return table


@dataclass(frozen=True)
class Points(Comparison):
    """One line per option: a point per seed, mean and standard deviation, and the published number.

    Args:
        key: column of the options.
    """

    key: str

    def draw(self, tables: Tables) -> Figure:
        """One panel per table."""
        numbers = published(tables.reference("comparisons"), self.experiment)
        height = 1.1 + 0.26 * len(self.labels)
        figure = Figure(figsize=(6.4 * len(tables.names), height), layout="constrained")
        panels = figure.subplots(1, len(tables.names), squeeze=False)[0]
        for axes, name in zip(panels, tables.names, strict=True):
            table = self.prepared(tables[name])
            points(axes, final(table, [self.key, "seed"]), self.key, self.labels, numbers)
            axes.set_title(f"{dataset_of(table)}, depth {depths(table)}")
            if numbers:
                axes.annotate(
                    "published,\nCIFAR-10", (1.02, 1.0), xycoords="axes fraction", va="bottom",
                    fontsize=7, color=style.PUBLISHED,
                )  # fmt: skip
        return figure

    def facts(self, tables: Tables) -> dict:
        """Contents of the caption."""
        lines = {"points": "one per seed; bars: mean and standard deviation"}
        return self.described(tables, [self.key, "seed"], lines)


@dataclass(frozen=True)
class Curves(Comparison):
    """Error against a number, one line per option: mean over seeds, band from minimum to maximum.

    Args:
        x: column of the number.
        key: column of the options, or several columns whose combinations are the options.
        xlabel: label of the x axis.
        log: whether the x axis is logarithmic.
    """

    x: str
    key: str | Sequence[str]
    xlabel: str
    log: bool

    @property
    def keys(self) -> list[str]:
        """Columns that together identify a run."""
        return [self.x, "option" if not isinstance(self.key, str) else self.key, "seed"]

    def prepared(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with several columns of options combined into one."""
        if isinstance(self.key, str):
            return table
        return table.assign(option=table[list(self.key)].agg(" ".join, axis=1))

    def draw(self, tables: Tables) -> Figure:
        """One panel per table."""
        numbers = published(tables.reference("comparisons"), self.experiment)
        figure = Figure(figsize=(5.6 * len(tables.names), 3.6), layout="constrained")
        panels = figure.subplots(1, len(tables.names), squeeze=False)[0]
        for axes, name in zip(panels, tables.names, strict=True):
            table = self.prepared(tables[name])
            curves(axes, final(table, self.keys), self.x, self.keys[1], self.labels)
            if table["dataset"].iloc[0] == "cifar10":  # the published numbers are for CIFAR-10
                stars(axes, numbers)
            axes.set(xlabel=self.xlabel, title=dataset_of(table))
            if self.log:
                axes.set_xscale("log")
            ticks = sorted(table[self.x].unique())
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
            axes.legend(fontsize=7, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.17))
        return figure

    def facts(self, tables: Tables) -> dict:
        """Contents of the caption."""
        lines = "mean over seeds; bands: minimum to maximum; crosses: diverged; stars: published (CIFAR-10)"
        return self.described(tables, self.keys, {"lines": lines})


def dataset_of(table: pd.DataFrame) -> str:
    """Display name of a table's dataset."""
    return style.dataset(table["dataset"].iloc[0])


def depths(table: pd.DataFrame) -> str:
    """Depths of a table's networks, as text."""
    return ", ".join(str(depth) for depth in sorted(table["depth"].unique()))
