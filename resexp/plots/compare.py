"""Comparisons of what a sweep varies: final errors as points and bars, or against a number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plots import style
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


def points(axes: Axes, runs: pd.DataFrame, key: str, labels: Mapping[str, str], published: Mapping) -> None:
    """One line per option: a point per seed, mean and standard deviation, the published number beside.

    Args:
        runs: see final.
        key: column of the options.
        labels: option -> label, in the order from top to bottom.
        published: option -> text; said to be of CIFAR-10 by the title of the column.
    """
    there = [option for option in labels if option in set(runs[key])]
    for place, option in enumerate(there):
        mine = runs[runs[key] == option]
        good = mine.loc[~mine["diverged"], "test_error_percent"]
        # below the bar, so that neither hides the other
        axes.plot(good, [place + 0.22] * len(good), ".", color=style.COLORS["resnet"], ms=5, alpha=0.6)
        if len(good):
            spread = good.std() if len(good) > 1 else 0
            axes.errorbar(good.mean(), place, xerr=spread, fmt="|", color="black", ms=9, capsize=3)
        if lost := int(mine["diverged"].sum()):
            axes.annotate(
                f"{lost} of {len(mine)} diverged", (0.99, place), xycoords=("axes fraction", "data"),
                ha="right", va="center", fontsize=7,
            )  # fmt: skip
        if option in published:
            axes.annotate(
                published[option], (1.02, place), xycoords=("axes fraction", "data"), va="center",
                fontsize=8, color=style.PUBLISHED,
            )  # fmt: skip
    axes.set_yticks(range(len(there)), [labels[option] for option in there])
    axes.set(ylim=(len(there) - 0.4, -0.6), xlim=(0, None))
    axes.set_xlabel("Test error (%); dots: seeds, bars: mean ± standard deviation")
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)


def curves(axes: Axes, runs: pd.DataFrame, x: str, key: str, labels: Mapping) -> None:
    """Error against a number, one line per option: mean over seeds, band from least to most.

    Runs that diverged are left out of the line and marked at the top.
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


def dataset_of(table: pd.DataFrame) -> str:
    """The name of a table's dataset as it is written."""
    return style.dataset(table["dataset"].iloc[0])


def stars(axes: Axes, published: Mapping[str, str]) -> None:
    """Published errors of networks named <option>-<number>, such as 28-10, at their number."""
    for name, error in published.items():
        place = float(name.rpartition("-")[2]), float(error.removesuffix(" %"))
        axes.plot(*place, "*", color=style.PUBLISHED, ms=8, mfc="white")
        axes.annotate(name, place, xytext=(5, 0), textcoords="offset points", va="center", fontsize=6.5)


def depths(table: pd.DataFrame) -> str:
    """The depths of a table's networks, in words."""
    return ", ".join(str(depth) for depth in sorted(table["depth"].unique()))
