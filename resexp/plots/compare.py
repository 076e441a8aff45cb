"""Comparisons of what a sweep varies: final errors as points and bars, or against a number."""

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
    """An experiment's quick preset and, as <experiment>_cifar10, the published protocol; a panel each.

    Args:
        experiment: its name.
        labels: option -> label, in their order.
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
        """What the caption must say."""
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
        """A table with the column that its options stand in."""
        return table


@dataclass(frozen=True)
class Points(Comparison):
    """A line per option: a point per seed, mean and standard deviation, the published number beside it.

    Args:
        key: column of the options.
    """

    key: str

    def draw(self, tables: Tables) -> Figure:
        """A panel per table."""
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
        """What the caption must say."""
        lines = {"points": "one per seed; bars: mean and standard deviation"}
        return self.described(tables, [self.key, "seed"], lines)


@dataclass(frozen=True)
class Curves(Comparison):
    """Error against a number, a line per option: mean over seeds, band from smallest to largest.

    Args:
        x: column of the number.
        key: column of the options, or several that make one together.
        xlabel: what x is.
        log: draw it on a logarithmic axis.
    """

    x: str
    key: str | Sequence[str]
    xlabel: str
    log: bool

    @property
    def keys(self) -> list[str]:
        """Columns that tell runs apart."""
        return [self.x, "option" if not isinstance(self.key, str) else self.key, "seed"]

    def prepared(self, table: pd.DataFrame) -> pd.DataFrame:
        """Several columns of options as one."""
        if isinstance(self.key, str):
            return table
        return table.assign(option=table[list(self.key)].agg(" ".join, axis=1))

    def draw(self, tables: Tables) -> Figure:
        """A panel per table."""
        numbers = published(tables.reference("comparisons"), self.experiment)
        figure = Figure(figsize=(5.6 * len(tables.names), 3.6), layout="constrained")
        panels = figure.subplots(1, len(tables.names), squeeze=False)[0]
        for axes, name in zip(panels, tables.names, strict=True):
            table = self.prepared(tables[name])
            curves(axes, final(table, self.keys), self.x, self.keys[1], self.labels)
            if table["dataset"].iloc[0] == "cifar10":  # what the published numbers are of
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
        """What the caption must say."""
        lines = "mean over seeds; bands: least to most; crosses: diverged runs; stars on CIFAR-10: published"
        return self.described(tables, self.keys, {"lines": lines})


def dataset_of(table: pd.DataFrame) -> str:
    """The name of a table's dataset as it is written."""
    return style.dataset(table["dataset"].iloc[0])


def depths(table: pd.DataFrame) -> str:
    """The depths of a table's networks, in words."""
    return ", ".join(str(depth) for depth in sorted(table["depth"].unique()))
