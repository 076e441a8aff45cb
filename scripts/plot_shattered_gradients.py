"""Gradients along a line of inputs and their covariance: Balduzzi et al. 2017, figure 1; UDL 11.3a, b."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables

TABLES = ("shattered_gradients_gradients", "shattered_gradients_covariance")
REFERENCE = ("udl_fig11_3_shattered_gradients",)
PANELS = [
    ("udl_figure_a", 1, "(a) 1 hidden layer"),
    ("udl_figure_b", 24, "(b) 24 hidden layers"),
    ("residual_batch", 50, "(c) 50 blocks, $\\beta=1$"),
    ("residual_batch_small", 50, "(d) 50 blocks, $\\beta=0.1$"),
    ("brown_noise", 0, "(e) brown noise"),
    ("white_noise", 0, "(f) white noise"),
]
BOOK = {"udl_figure_a": "a", "udl_figure_b": "b"}  # corresponding panels of UDL 11.3
SQUARE = {"extent": (-2, 2, -2, 2), "origin": "lower", "cmap": "RdBu_r", "aspect": "auto"}


def draw(tables: Tables) -> Figure:
    """Rows: gradient of one network; covariance over networks of gradients at two inputs; correlation."""
    gradients, covariances = (tables[name] for name in TABLES)
    book = tables.reference(REFERENCE[0])
    figure = Figure(figsize=(style.PAGE, 5.6), layout="constrained")
    grid = figure.subplots(3, len(PANELS), sharex=True)
    for (setup, depth, title), (top, middle, bottom) in zip(PANELS, grid.T, strict=True):
        curve = gradients[(gradients["setup"] == setup) & (gradients["depth"] == depth)]
        if setup in BOOK:
            read_off = book[book["panel"] == BOOK[setup]]
            top.plot(read_off["x"], read_off["y"], color="#888888", linewidth=0.9, label="UDL 11.3")
        shown = 3 if setup == PANELS[0][0] else 1
        for number, one in list(curve.groupby("seed"))[:shown]:
            look = {"linewidth": 0.9 if number == 0 else 0.5, "label": None if number else "ours"}
            top.plot(one["x"], one["gradient"], color=style.SETUPS[setup][1], **look)
        top.set_title(title)
        covariance = matrix(covariances[(covariances["setup"] == setup) & (covariances["depth"] == depth)])
        variance = np.diag(covariance)
        limit = variance.mean()
        middle.imshow(covariance / limit, vmin=-2, vmax=2, **SQUARE)
        middle.set_title(f"mean variance {significant(limit)}", fontsize=7, pad=2)
        correlation = covariance / np.sqrt(np.outer(variance, variance))
        image = bottom.imshow(correlation, vmin=-1, vmax=1, **SQUARE)
        bottom.set_xlabel("Input $x$")
        for axes in (middle, bottom):
            axes.set_yticks([-2, 0, 2] if setup == PANELS[0][0] else [])
    grid[0, 0].legend(fontsize=7, handlelength=1.2)
    grid[0, 0].set_ylabel("Gradient $dy/dx$")
    grid[1, 0].set_ylabel("Covariance\nInput $x'$")
    grid[2, 0].set_ylabel("Correlation\nInput $x'$")
    figure.colorbar(grid[1, 0].images[0], ax=grid[1, :].tolist(), label="over mean variance", pad=0.01)
    figure.colorbar(image, ax=grid[2, :].tolist(), label="Correlation", pad=0.01)
    return figure


def matrix(part: pd.DataFrame) -> np.ndarray:
    """Symmetric matrix from a table that contains its lower triangle."""
    lower = part[[f"x{j}" for j in range(len(part))]].to_numpy()
    return np.where(np.isnan(lower), lower.T, lower)


def significant(number: float) -> str:
    """Format with two significant digits."""
    return f"{float(f'{number:.2g}'):,g}"


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    return {
        "figure": "gradients of random scalar networks, their covariance and correlation between inputs",
        "after": "Balduzzi et al. 2017 (arXiv:1702.08591), figure 1; UDL figure 11.3a, b",
        "grey": "UDL figure 11.3a and b, digitized: other random networks, comparable in size and roughness "
        "only",
        "networks": "200 units, 256 inputs; one network in the first row, in (a) three; 100 in the others. "
        "(a) dy/dx of w . relu(x + b), b ~ N(0, 1), w ~ N(0, 1/D), nothing centered; (b) weights N(0, 1/D) "
        "in the first and the output layer, N(0, 2/D) between, every unit centered over the inputs; (c), "
        "(d) N(0, 2/D) and batch normalization over the inputs, branches scaled by beta",
        "covariance": "divided by the variance averaged over the inputs, given above each panel",
        "departures_from_the_paper": [
            "neither Balduzzi et al. nor Prince publish the initialization of the networks in (a) and (b): "
            "these setups were found by comparison with the published curves",
            "in (e) and (f) the noise itself takes the place of the gradient",
        ],
        **tables.made_with("shattered_gradients"),
    }


if __name__ == "__main__":
    figures.main(__file__)
