"""Batch normalization as noise: spread of outputs over batches, and the generalization gap beside it."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables, seeds

EXPERIMENTS = ("batch_noise", "batch_noise_cifar10")
TABLES = tuple((f"{name}_{kind}",) for name in EXPERIMENTS for kind in ("noise", "gap"))
KEYS = ["dataset", "model", "depth", "norm", "trained_batch_size", "normalized_together"]


def draw(tables: Tables) -> Figure:
    """Spread against batch size, answers that flip, and the gap of each network."""
    there = [name for name in EXPERIMENTS if f"{name}_noise" in tables]
    noise = pd.concat(tables[f"{name}_noise"] for name in there)
    gap = pd.concat(tables[f"{name}_gap"] for name in there)
    figure = Figure(figsize=(style.PAGE + 3, 3.6), layout="constrained")
    spread, flips, gaps = figure.subplots(1, 3)
    looks = {key: look(key, index) for index, (key, _) in enumerate(noise.groupby(KEYS))}
    lines(spread, noise, "relative_deviation", looks)
    lines(flips, noise, "flipped_percent", looks)
    sizes = sorted(noise["batch_size"].unique())
    inverse = [0.6 * (sizes[0] / size) ** 0.5 for size in sizes]
    spread.plot(sizes, inverse, color=style.PUBLISHED, ls=":", lw=0.9, label="1 / $\\sqrt{size}$")
    for axes in (spread, flips):
        axes.set(xscale="log", yscale="log", xlabel="Batch size in the measurement")
        axes.set_xticks(sizes, [f"{size}" for size in sizes])
        axes.minorticks_off()
    spread.set(ylabel="Deviation over batches / over examples", title="Spread of the logits")
    flips.set(ylabel="Answers that flip (%)", title="Answers that depend on the batch")
    bars(gaps, gap, looks)
    spread.set_yticks([0.1, 0.2, 0.5, 1], ["0.1", "0.2", "0.5", "1"])
    flips.set_yticks([0.1, 0.2, 0.5, 1, 2, 5, 10, 20], ["0.1", "0.2", "0.5", "1", "2", "5", "10", "20"])
    gaps.legend(*spread.get_legend_handles_labels(), loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def look(key: tuple, index: int) -> dict:
    """Colour, line and label of a network."""
    dataset, _, depth, norm, batch, together = key
    how = "imported" if not batch else f"{norm} {together}" + (f" of {batch}" if norm == "ghost" else "")
    dash = {"ghost": (0, (4, 1.5))}.get(norm, "-") if batch else "-."
    color = style.PALETTE[index % len(style.PALETTE)]
    return {"color": color, "ls": dash, "label": f"{style.dataset(dataset)}, {depth} layers, {how}"}


def lines(axes: Axes, table: pd.DataFrame, column: str, looks: dict) -> None:
    """Mean over seeds, band from least to most."""
    for key, rows in table.groupby(KEYS):
        found = rows.groupby("batch_size")[column].agg(["mean", "min", "max"])
        axes.plot(found.index, found["mean"], marker="o", ms=3, **looks[key])
        axes.fill_between(found.index, found["min"], found["max"], color=looks[key]["color"], alpha=0.1, lw=0)


def bars(axes: Axes, table: pd.DataFrame, looks: dict) -> None:
    """A point per seed: test minus training error."""
    names = []
    for place, (key, rows) in enumerate(table.groupby(KEYS)):
        axes.plot([place] * len(rows), rows["error_gap"], "o", ms=4, alpha=0.7, color=looks[key]["color"])
        names.append(f"imported, {key[2]} layers" if not key[4] else f"{key[3]} {key[5]}")
    axes.set_xticks(range(len(names)), names, fontsize=7, rotation=35, ha="right", rotation_mode="anchor")
    axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(0, 1.1 * table["error_gap"].max()))
    axes.set(ylabel="Test minus training error (points)", title="Generalization gap")


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    there = [name for name in EXPERIMENTS if f"{name}_noise" in tables]
    return {
        "after": "UDL section 11.4 and Hoffer et al. 2017, who draw no such figure",
        "published": "batch statistics make training noisy, which regularizes; ghost batches keep the noise"
        " of small batches",
        "lines": "mean over seeds, band: least to most; training mode, training examples, not augmented",
        "spread": "standard deviation of a logit over the random batches that its example falls into, over"
        " that over the examples",
        "seeds": {name: seeds(tables[f"{name}_noise"]) for name in there},
        "departures": ["the batch size in training of imported networks is not recorded"],
        **tables.made_with(*there),
    }


if __name__ == "__main__":
    figures.main(__file__)
