"""Comparisons of what a sweep varies: final errors as points and bars, or against a number."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plots import style
from resexp.plots.save import folders, made_with, save

HINT = "make it with `resexp train -m experiment={0}` and `resexp collect {0}`"


def final(table: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The last row of every run, and whether the run diverged before the end.

    Args:
        table: as `resexp collect` writes it.
        keys: columns that tell runs apart.
    Returns:
        keys, test_error_percent, train_error_percent, diverged. A run that diverged ends with a row
        without numbers.
    Raises:
        ValueError: keys that do not tell the runs apart.
    """
    there = table.dropna(subset="test_error_percent")
    if there.duplicated([*keys, "step"]).any():
        raise ValueError(
            f"{', '.join(keys)} do not tell the runs of this table apart; collect those of one dataset and"
            " one depth with `resexp collect NAME --only dataset=... --only model.depth=...`"
        )
    last = table.sort_values([*keys, "step"]).groupby(list(keys), dropna=False).tail(1)
    last = last.assign(diverged=last["test_error_percent"].isna())
    return last[[*keys, "test_error_percent", "train_error_percent", "diverged"]]


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


def tables_of(experiment: str) -> tuple:
    """The folders, and (path, table) of the quick preset and the CIFAR-10 protocol, those there are.

    Exits with a hint if there is none.
    """
    where = folders()
    names = [f"{experiment}.csv", f"{experiment}_cifar10.csv"]
    there = [path for path in (where.tables / name for name in names) if path.exists()]
    if not there:
        sys.exit(f"no {' or '.join(names)} in {where.tables}: {HINT.format(experiment)}")
    return where, [(path, pd.read_csv(path, keep_default_na=False, na_values=[""])) for path in there]


def published_of(reference: Path, experiment: str) -> dict[str, str]:
    """Option -> the published number with its unit, and words as they were printed."""
    table = pd.read_csv(reference / "comparisons.csv", dtype=str)
    rows = table[table["experiment"] == experiment]
    pairs = zip(rows["option"], rows["value"], strict=True)
    return {option: f"{v} %" if re.fullmatch(r"[\d.]+", v) else v for option, v in pairs}


def described(path: Path, table: pd.DataFrame, keys: Sequence[str]) -> dict:
    """What a caption must say of one table."""
    record = json.loads(path.with_suffix(".json").read_text())
    runs = final(table, keys)
    return {
        "table": path.name,
        "dataset": table["dataset"].iloc[0],
        "protocol": record["protocol"],
        "seeds": sorted(int(seed) for seed in table["seed"].unique()),
        "runs": len(runs),
        "diverged": int(runs["diverged"].sum()),
        "left_out": record["left_out"],
        **made_with(path.parent, path.stem),
    }


def draw_points(
    experiment: str, key: str, labels: Mapping[str, str], *, after: str, departures: Sequence[str]
) -> None:
    """The whole figure of an experiment that compares options; a panel per table.

    Args:
        experiment: its name; the figure's, too.
        key: column of the options.
        labels: option -> label.
        after: the published figure or table.
        departures: of the quick preset from it.
    """
    where, found = tables_of(experiment)
    published = published_of(where.reference, experiment)
    with mpl.rc_context(style.SETTINGS):
        height = 1.1 + 0.26 * len(labels)
        figure = Figure(figsize=(6.4 * len(found), height), layout="constrained")
        facts = []
        for axes, (path, table) in zip(figure.subplots(1, len(found), squeeze=False)[0], found, strict=True):
            keys = [key, "seed"]
            points(axes, final(table, keys), key, labels, published)
            axes.set_title(f"{dataset_of(table)}, depth {depths(table)}")
            if published:
                axes.annotate(
                    "published,\nCIFAR-10", (1.02, 1.0), xycoords="axes fraction", va="bottom",
                    fontsize=7, color=style.PUBLISHED,
                )  # fmt: skip
            facts.append(described(path, table, keys))
        content = {"after": after, "points": "one per seed; bars: mean and standard deviation"}
        save(figure, where.figures, experiment, content | {"panels": facts, "departures": list(departures)})


def draw_curves(
    experiment: str,
    x: str,
    key: str | Sequence[str],
    labels: Mapping,
    *,
    xlabel: str,
    log: bool,
    after: str,
    departures: Sequence[str],
) -> None:
    """The whole figure of an experiment that varies a number; a panel per table. See draw_points.

    Args:
        x: column of the number.
        key: column of the options, or several that make one together.
        xlabel: what x is.
        log: draw it on a logarithmic axis.
    """
    where, found = tables_of(experiment)
    published = published_of(where.reference, experiment)
    with mpl.rc_context(style.SETTINGS):
        figure = Figure(figsize=(5.6 * len(found), 3.6), layout="constrained")
        facts = []
        for axes, (path, table) in zip(figure.subplots(1, len(found), squeeze=False)[0], found, strict=True):
            if not isinstance(key, str):
                table["option"] = table[list(key)].agg(" ".join, axis=1)
            option = key if isinstance(key, str) else "option"
            keys = [x, option, "seed"]
            curves(axes, final(table, keys), x, option, labels)
            if table["dataset"].iloc[0] == "cifar10":  # what the published numbers are of
                stars(axes, published)
            axes.set(xlabel=xlabel, title=dataset_of(table))
            if log:
                axes.set_xscale("log")
            ticks = sorted(table[x].unique())
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
            axes.legend(fontsize=7, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.17))
            facts.append(described(path, table, keys))
        lines = "mean over seeds; bands: least to most; crosses: diverged runs; stars on CIFAR-10: published"
        content = {"after": after, "lines": lines}
        save(figure, where.figures, experiment, content | {"panels": facts, "departures": list(departures)})


def dataset_of(table: pd.DataFrame) -> str:
    """The name of a table's dataset as it is written."""
    name = table["dataset"].iloc[0]
    return style.DATASETS.get(name, name)


def stars(axes: Axes, published: Mapping[str, str]) -> None:
    """Published errors of networks named <option>-<number>, such as 28-10, at their number."""
    for name, error in published.items():
        place = float(name.rpartition("-")[2]), float(error.removesuffix(" %"))
        axes.plot(*place, "*", color=style.PUBLISHED, ms=8, mfc="white")
        axes.annotate(name, place, xytext=(5, 0), textcoords="offset points", va="center", fontsize=6.5)


def depths(table: pd.DataFrame) -> str:
    """The depths of a table's networks, in words."""
    return ", ".join(str(depth) for depth in sorted(table["depth"].unique()))
