"""Variance of activations and gradients after each block: UDL figure 11.6."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from resexp.plots import figures, style
from resexp.plots.tables import Tables

IMAGES = "variance_growth_cifar10_variance"
TABLES = ("variance_growth_variance", "variance_growth_overflow", (IMAGES,))
PANELS = {
    "none": "(e) No remedy",
    "scaled_sum": "(f) Sum scaled by $1/\\sqrt{2}$",
    "batch": "(g) Batch normalization first",
    "layer": "(h) Layer normalization first",
    "group": "(i) Group normalization first",
    "zero_gamma": "(j) Last scale $\\gamma=0$",
    "skip_init": "(k) SkipInit: branch scale 0",
    "scaled_branch": "(l) Branch scale $1/\\sqrt{K}$",
}
INPUTS = {
    "gaussian": ("Gaussian, 1,000 blocks", "-"),
    "mnist1d": ("MNIST-1D, 100", "--"),
    "images": ("white-noise images, 30 (conv.)", ":"),
    "cifar10": ("CIFAR-10 images, 30 (conv.)", ":"),
}
WIDE = "wide"
LIMITS = {
    "none": (1e-6, 1e305),
    "scaled_sum": (1e-4, 1e4),
    "batch": (0.5, 5e4),
    "layer": (0.5, 5e4),
    "group": (0.5, 5e4),
}
FIRST = {  # setups whose first blocks are drawn on a linear axis, and the book's numbers
    "none": ("(a) No remedy, first blocks", {0: 1, 1: 2, 2: 4, 3: 8}),
    "batch": ("(b) Batch norm. first, first blocks", {0: 1, 1: 2, 2: 3, 3: 4}),
}
SHARES = {"none": "#D55E00", "scaled_sum": "#E69F00", "batch": "#0072B2", "layer": "#009E73",
          "group": "#CC79A7", "scaled_branch": "#666666"}  # fmt: skip
FORWARD, BACKWARD = "#0072B2", "#D55E00"


def theory(setup: str, block: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Variance of activations and gradient after a block, relative to the first and the last block."""
    if setup == "none":
        return 2.0**block, 2.0 ** (depth - block)
    if setup in ("batch", "layer", "group"):
        return block + 1.0, (depth + 1.0) / (block + 1.0)
    if setup == "scaled_branch":
        return (1 + 1 / depth) ** block, (1 + 1 / depth) ** (depth - block)
    return np.ones_like(block, float), np.ones_like(block, float)


def draw(tables: Tables) -> Figure:
    """Row 1: first blocks, random walks of the scaled sum, branch over stream; then one panel per setup."""
    table, overflow = variances(tables), tables[TABLES[1]]
    figure = Figure(figsize=(style.PAGE, 7.8), layout="constrained")
    (*first, walks, shares), *rest = figure.subplots(3, 4)
    wide = relative(table[table["inputs"] == WIDE])
    for axes, (setup, (title, book)) in zip(first, FIRST.items(), strict=True):
        draw_first_blocks(axes, wide[wide["setup"] == setup], book)
        axes.set_title(title)
    draw_walks(walks, wide[wide["setup"] == "scaled_sum"])
    walks.set_title("(c) Sum scaled: mean and networks")
    draw_shares(shares, table[table["inputs"] == "gaussian"])
    shares.set_title("(d) Branch over stream")
    logarithmic = [axes for row in rest for axes in row]
    for axes, (setup, title) in zip(logarithmic, PANELS.items(), strict=True):
        draw_setup(axes, setup, table[(table["setup"] == setup) & (table["inputs"] != WIDE)])
        mark_overflow(axes, overflow[overflow["setup"] == setup])
        axes.set_title(title)
    lines = logarithmic[0].get_legend_handles_labels()
    logarithmic[5].legend(*lines, fontsize=6.5, loc="lower left", labelspacing=0.2)
    for axes in (first[0], logarithmic[0], logarithmic[4]):
        axes.set_ylabel("Variance")
    for axes in logarithmic[4:]:
        axes.set_xlabel("Block + 1")
    return figure


def relative(table: pd.DataFrame) -> pd.DataFrame:
    """The variance relative to that before the first block, for each network."""
    table = table.sort_values("block")
    first = table.groupby(["setup", "seed"])["variance"].transform("first")
    return table.assign(variance=table["variance"] / first)


def draw_first_blocks(axes: Axes, table: pd.DataFrame, book: dict[int, int]) -> None:
    """Mean and standard deviation over networks for blocks 0 to 5, and the book's numbers in grey."""
    r = table[table["block"] <= 5].groupby("block")["variance"].agg(["mean", "std"])
    axes.errorbar(r.index, r["mean"], r["std"], color=FORWARD, marker="o", markersize=4, capsize=2)
    for block, number in book.items():
        axes.plot([-0.4, block], [number] * 2, color="#999999", linewidth=0.8, linestyle=":")
        axes.annotate(str(number), (block, number), (-9, 4), textcoords="offset points", color="#777777")
    axes.set(xlabel="Block", xlim=(-0.4, 5.4), ylim=(0, None))


def draw_walks(axes: Axes, table: pd.DataFrame) -> None:
    """Each network, and the mean over networks with its standard error."""
    for _, one in table.groupby("seed"):
        axes.plot(one["block"], one["variance"], color=FORWARD, linewidth=0.5, alpha=0.5)
    r = table.groupby("block")["variance"].agg(["mean", "sem"])
    axes.plot(r.index, r["mean"], color=FORWARD, linewidth=2)
    axes.fill_between(r.index, r["mean"] - r["sem"], r["mean"] + r["sem"], color=FORWARD, alpha=0.25, lw=0)
    axes.axhline(1, color="black", linestyle=(0, (1, 2)), linewidth=1.1)
    axes.set(xlabel="Block", ylim=(0, None))


def draw_shares(axes: Axes, table: pd.DataFrame) -> None:
    """Variance of each branch relative to that of the stream; dotted: theory."""
    for setup, color in SHARES.items():
        mean = table[(table["setup"] == setup) & (table["block"] > 0)].groupby("block")["branch_share"].mean()
        label = PANELS[setup][4:].replace("normalization", "norm.")
        axes.plot(mean.index, mean, color=color, linewidth=1, label=label)
    block = np.geomspace(1, table["block"].max())
    axes.plot(block, 1 / block, color="black", linestyle=(0, (1, 2)), linewidth=1.1)
    axes.set(xscale="log", yscale="log", xlabel="Block $k$")
    axes.legend(fontsize=6, loc="lower left", bbox_to_anchor=(0, 0.08), labelspacing=0.2)


def draw_setup(axes: Axes, setup: str, table: pd.DataFrame) -> None:
    """Mean over seeds, with a logarithmic block axis so that the first blocks are distinguishable."""
    low, high = LIMITS.get(setup, (1e-3, 1e3))
    axes.set(xscale="log", xlim=(0.9, 1200))
    exponents = high > 1e200  # where matplotlib's logarithmic axis overflows
    scaled = np.log10 if exponents else np.asarray
    if exponents:
        axes.set(ylim=np.log10([low, high]))
        axes.yaxis.set_major_locator(MultipleLocator(100))
        axes.yaxis.set_major_formatter(lambda exponent, _: f"$10^{{{exponent:.0f}}}$")
    else:
        axes.set(yscale="log", ylim=(low, high))
    axes.set_autoscale_on(False)
    if setup == "scaled_sum":  # the mean of so few random walks is not informative
        for _, one in table[table["inputs"] == "gaussian"].groupby("seed"):
            for column, at, color in (("variance", 0, FORWARD), ("gradient_variance", -1, BACKWARD)):
                line = {"color": color, "linewidth": 0.4, "alpha": 0.6}
                axes.plot(one["block"] + 1, one[column] / one[column].iloc[at], **line)
    for kind, rows in table.groupby("inputs", sort=False):
        mean = rows.groupby("block")[["variance", "gradient_variance"]].mean()
        label, line_style = INPUTS[kind]
        x = mean.index + 1
        # relative to the first or last block, since the variance of the input does not matter
        forward, backward = mean["variance"], mean["gradient_variance"]
        axes.plot(x, scaled(forward / forward.iloc[0]), line_style, color=FORWARD, label=f"forward, {label}")
        axes.plot(
            x, scaled(backward / backward.iloc[-1]), line_style, color=BACKWARD, label=f"backward, {label}"
        )
    longest = table[table["inputs"] == "gaussian"]["block"].to_numpy()
    block = np.unique(longest)
    dotted = {"color": "black", "linestyle": (0, (1, 2)), "linewidth": 1.1, "zorder": 3}
    forward, backward = theory(setup, block, block.max())
    axes.plot(block + 1, scaled(forward), label="theory, Gaussian", **dotted)
    axes.plot(block + 1, scaled(backward), **dotted)


def mark_overflow(axes: Axes, overflow: pd.DataFrame) -> None:
    """A line at the first block that overflows in a number format."""
    first = overflow.dropna().groupby("first_block")["format"].agg(lambda f: " ".join(sorted(set(f))))
    shown: dict[str, list[float]] = {}
    for block, formats in first.items():
        shown.setdefault(formats, []).append(block)
    for formats, blocks in shown.items():
        block = sum(blocks) / len(blocks)
        label = f"{formats.replace(' ', ', ')}\noverflow ({min(blocks):.0f}-{max(blocks):.0f})"
        axes.axvline(block + 1, color="#666666", linewidth=0.7)
        axes.text(
            0.93 * (block + 1), 0.5, label, rotation=90,
            transform=axes.get_xaxis_transform(), ha="right", va="center", fontsize=6, color="#666666",
        )  # fmt: skip


def variances(tables: Tables) -> pd.DataFrame:
    """The measured variances, with CIFAR-10 images in place of white noise if their table exists."""
    table = tables[TABLES[0]]
    if IMAGES not in tables:
        return table
    return pd.concat([table[table["inputs"] != "images"], tables[IMAGES]], ignore_index=True)


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    table, overflow = variances(tables), tables[TABLES[1]]
    experiments = ["variance_growth", *(["variance_growth_cifar10"] if IMAGES in tables else [])]
    return {
        "figure": "variance after each block of residual networks at initialization",
        "after": "UDL figure 11.6 and section 11.4.3",
        "lines": "mean over seeds, relative to the first block (forward) or the last (backward); "
        "dotted black: theory for the Gaussian inputs' depth",
        "networks": "fully connected, 128 units, in (a) to (c) 512 units and 40 blocks; images: 3x3 "
        "convolutions, 32 channels; He initialization; float64",
        "first_row": "(a), (b) mean and standard deviation over networks, dotted grey: the book's numbers; "
        "(c) thin: each network, thick: their mean and its standard error; (d) variance of the branch "
        "relative to that of the stream, Gaussian inputs, mean over seeds; dotted: 1 / k",
        "thin_lines": "in (f) each network, forward and backward",
        "networks_per_line": {kind: int(rows["seed"].nunique()) for kind, rows in table.groupby("inputs")},
        "overflow": overflow.dropna().groupby(["setup", "format"])["first_block"].agg(["min", "max"])
        .astype(int).reset_index().to_dict("records"),
        "departures_from_the_book": [
            "variances are over the units of each example",
            "at finite width D each block's factor fluctuates by up to sqrt(5 / D), and over hundreds of "
            "blocks the scaled sum of a network drifts away from 1, although the mean over networks does not",
            "the theoretical gradient for normalized branches, (K + 1)/(k + 1), equates the standard "
            "deviation over the batch with that over the weights; batch normalization divides by the former, "
            "which is smaller",
        ],
        **tables.made_with(*experiments),
    }  # fmt: skip


if __name__ == "__main__":
    figures.main(__file__)
