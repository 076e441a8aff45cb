"""Variance of activations and gradients, block by block: UDL figure 11.6."""

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
    "none": "(a) No remedy",
    "scaled_sum": "(b) Sum scaled by $1/\\sqrt{2}$",
    "batch": "(c) Batch normalization first",
    "layer": "(d) Layer normalization first",
    "group": "(e) Group normalization first",
    "zero_gamma": "(f) Last scale $\\gamma=0$",
    "skip_init": "(g) SkipInit: branch scale 0",
    "scaled_branch": "(h) Branch scale $1/\\sqrt{K}$",
}
INPUTS = {
    "gaussian": ("Gaussian, 1,000 blocks", "-"),
    "mnist1d": ("MNIST-1D, 100", "--"),
    "images": ("white-noise images, 30 (conv.)", ":"),
    "cifar10": ("CIFAR-10 images, 30 (conv.)", ":"),
}
LIMITS = {
    "none": (1e-6, 1e305),
    "scaled_sum": (1e-4, 1e4),
    "batch": (0.5, 5e4),
    "layer": (0.5, 5e4),
    "group": (0.5, 5e4),
}
FORWARD, BACKWARD = "#0072B2", "#D55E00"


def theory(setup: str, block: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the activations after a block and of the gradient there, both from 1."""
    if setup == "none":
        return 2.0**block, 2.0 ** (depth - block)
    if setup in ("batch", "layer", "group"):
        return block + 1.0, (depth + 1.0) / (block + 1.0)
    if setup == "scaled_branch":
        return (1 + 1 / depth) ** block, (1 + 1 / depth) ** (depth - block)
    return np.ones_like(block, float), np.ones_like(block, float)


def draw(tables: Tables) -> Figure:
    """A panel per set-up: forward and backward, each kind of input, theory dotted."""
    table, overflow = variances(tables), tables[TABLES[1]]
    figure = Figure(figsize=(style.PAGE, 5.2), layout="constrained")
    grid = figure.subplots(2, 4, sharex=True)
    for axes, (setup, title) in zip(grid.flat, PANELS.items(), strict=True):
        draw_setup(axes, setup, table[table["setup"] == setup])
        mark_overflow(axes, overflow[overflow["setup"] == setup])
        axes.set_title(title)
    grid[1, 1].legend(*grid[0, 0].get_legend_handles_labels(), fontsize=6.5, loc="lower left")
    for axes in grid[:, 0]:
        axes.set_ylabel("Variance")
    for axes in grid[1]:
        axes.set_xlabel("Block + 1")
    return figure


def draw_setup(axes: Axes, setup: str, table: pd.DataFrame) -> None:
    """Mean over seeds; a log axis for blocks, so the first ones can be told apart."""
    low, high = LIMITS.get(setup, (1e-3, 1e3))
    axes.set(xscale="log", xlim=(0.9, 1200))
    exponents = high > 1e200  # where matplotlib's own logarithmic axis overflows
    scaled = np.log10 if exponents else np.asarray
    if exponents:
        axes.set(ylim=np.log10([low, high]))
        axes.yaxis.set_major_locator(MultipleLocator(100))
        axes.yaxis.set_major_formatter(lambda exponent, _: f"$10^{{{exponent:.0f}}}$")
    else:
        axes.set(yscale="log", ylim=(low, high))
    axes.set_autoscale_on(False)
    for kind, rows in table.groupby("inputs", sort=False):
        mean = rows.groupby("block")[["variance", "gradient_variance"]].mean()
        label, line_style = INPUTS[kind]
        x = mean.index + 1
        # relative to the first block, or the last: the input's own variance is not the subject
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
    """A line at the first block that is not finite in a number format."""
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
    """White noise stands in for images where nobody has measured on CIFAR-10."""
    table = tables[TABLES[0]]
    if IMAGES not in tables:
        return table
    return pd.concat([table[table["inputs"] != "images"], tables[IMAGES]])


def facts(tables: Tables) -> dict:
    """What the caption must say."""
    table, overflow = variances(tables), tables[TABLES[1]]
    experiments = ["variance_growth", *(["variance_growth_cifar10"] if IMAGES in tables else [])]
    return {
        "figure": "variance after each block of residual networks at initialization",
        "after": "UDL figure 11.6 and section 11.4.3",
        "lines": "mean over seeds, relative to the first block (forward) or the last (backward); "
        "dotted black: theory for the Gaussian inputs' depth",
        "networks": "fully connected, 128 units; images: 3x3 convolutions, 32 channels; He "
        "initialization; float64",
        "seeds": sorted(int(seed) for seed in table["seed"].unique()),
        "overflow": overflow.dropna().groupby(["setup", "format"])["first_block"].agg(["min", "max"])
        .astype(int).reset_index().to_dict("records"),
        "departures_from_the_book": [
            "variances are over the units at each example",
            "at a finite width D the factors of the blocks scatter by up to sqrt(5 / D), and over "
            "hundreds of blocks the scaled sum walks away from 1 although its mean over networks stays",
            "theory's gradient for normalized branches, (K + 1)/(k + 1), takes the deviation over the "
            "batch for that over the weights; batch normalization divides by the smaller one",
        ],
        **tables.made_with(*experiments),
    }  # fmt: skip


if __name__ == "__main__":
    figures.main(__file__)
